/** The configuration as it was understood: for people to look at, and for what must be kept secret. */
import {Secret} from '../../common/secret.ts'
import {durationText} from '../schema/fields.ts'
import type {Config} from '../schema/schema.ts'
import {isDuration, listSettings} from '../schema/settings.ts'

type Json = string | number | boolean | null | Json[] | {[key: string]: Json}

/** The configuration with all defaults as plain JSON, spelled like the file. Every secret is a mask. */
export function maskedConfig({catalogue: _, warnings: __, ...config}: Config): Json {
  const durations = new Set(
    listSettings()
      .filter(isDuration)
      .map(({path}) => path.at(-1)),
  )
  return JSON.parse(
    JSON.stringify(config, (key, value: unknown) => {
      return typeof value === 'number' && durations.has(key) ? durationText(value) : value
    }),
  )
}

/** Every token, password and key, for whoever must keep them out of sight. */
export function secretsOf(config: Config): Secret[] {
  return secretsIn(config)
}

function secretsIn(value: unknown): Secret[] {
  if (value instanceof Secret) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretsIn) : []
}

/** Shows the configuration: the one in use as JSON without secrets, and all settings as the tables of docs/configuration.md. */
import {Secret} from '../../common/secret.ts'
import {durationText} from '../schema/fields.ts'
import type {Config} from '../schema/schema.ts'
import {ANY_NAME, isDuration, type JsonSchema, listSettings, type Setting} from '../schema/settings.ts'

type Json = string | number | boolean | null | Json[] | {[key: string]: Json}

/** The configuration with all defaults as plain JSON, spelled like the file: `15s` for 15,000 ms, and a mask for every secret. */
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

/** Every token, password and private key of the configuration. */
export function secretsOf(config: Config): Secret[] {
  return secretsIn(config)
}

function secretsIn(value: unknown): Secret[] {
  if (value instanceof Secret) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretsIn) : []
}

/** One table for every section of the configuration, as Markdown. */
export function settingsReference(): string {
  const sections = new Map<string, Setting[]>()
  for (const setting of listSettings()) {
    const title = sectionOf(setting)
    sections.set(title, [...(sections.get(title) ?? []), setting])
  }
  return Array.from(sections, ([title, settings]) => sectionTable(title, settings)).join('\n\n')
}

function sectionOf({path}: Setting): string {
  if (path[1] === ANY_NAME) return `\`${path[0]}.${ANY_NAME}\``
  return path.length > 1 ? `\`${path[0]}\`` : 'Everything else'
}

function sectionTable(title: string, settings: Setting[]): string {
  const head = ['| key | value | default | |', '|---|---|---|---|']
  return [`### ${title}`, '', ...head, ...settings.map(row)].join('\n')
}

function row({path, schema}: Setting): string {
  const key = path.slice(path[1] === ANY_NAME ? 2 : path.length > 1 ? 1 : 0).join('.')
  const value = schema.default === undefined ? '' : `\`${schema.default}\``
  const cells = [`\`${key}\``, kindOfValue(schema), value, schema.description ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function kindOfValue({title, items}: JsonSchema): string {
  if (title) return title
  const item = typeof items === 'object' && !Array.isArray(items) ? items.title : undefined
  return item ? `a list, each ${item}` : ''
}

/**
 * Every setting with its path, from the schema: for the environment, for hints, for editors, for the tables of docs/configuration.md,
 * and for showing a configuration without its secrets.
 */
import * as z from 'zod'
import {Secret} from '../../common/secret.ts'
import {durationText} from './fields.ts'
import {type Config, configSchema} from './schema.ts'

/** In the path of a setting of a plug or group: stands for the name. */
export const ANY_NAME = '<name>'

/** A setting with its schema, as JSON Schema has it. */
export interface Setting {
  path: string[]
  schema: JsonSchema
}

export type JsonSchema = z.core.JSONSchema.JSONSchema

const SCHEMA: JsonSchema = {
  ...z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({zodSchema, jsonSchema: json}) => {
      // A default is shown in its own type: to the schema it is a text.
      const shown = z.globalRegistry.get(zodSchema)?.['default']
      if (shown !== undefined) Object.assign(json, {default: shown})
      if (JSON.stringify(json.default) === '{}') delete json.default
    },
  }),
  title: 'Configuration of miio2mqtt',
}

/** The content of config.schema.json, with which editors complete and check config.yaml. */
export function jsonSchema(): JsonSchema {
  return SCHEMA
}

/** Every setting with a value of its own, in the order of the schema. Mappings are left out. */
export function listSettings(schema = SCHEMA, path: string[] = []): Setting[] {
  const inside = membersOf(schema)
  if (inside.length === 0) return [{path, schema}]
  return inside.flatMap(([key, member]) => listSettings(member, [...path, key]))
}

/** The path of every key: of settings, and of the mappings around them. */
export function listPaths(schema = SCHEMA, path: string[] = []): string[][] {
  return membersOf(schema).flatMap(([key, member]) => {
    const own = [...path, key]
    return [...(key === ANY_NAME ? [] : [own]), ...listPaths(member, own)]
  })
}

/** The keys that may stand in the mapping at `path`. */
export function keysAt(path: readonly (string | number)[]): string[] {
  return membersOf(schemaAt(path) ?? {}).map(([key]) => key)
}

/** The schema of the value at `path`; `undefined` where no value may stand. */
export function schemaAt(path: readonly (string | number)[]): JsonSchema | undefined {
  let schema: JsonSchema | undefined = SCHEMA
  for (const key of path) {
    const inside: Map<string, JsonSchema> = new Map(membersOf(schema ?? {}))
    schema = inside.get(String(key)) ?? inside.get(ANY_NAME)
  }
  return schema
}

/** Whether a value may stand at `path`, in a list or by itself. */
export function isSetting(path: readonly (string | number)[]): boolean {
  const named = typeof path.at(-1) === 'number' ? path.slice(0, -1) : path
  const keys = keysAt(named.slice(0, -1))
  return keys.includes(String(named.at(-1))) || keys.includes(ANY_NAME)
}

function membersOf({properties = {}, additionalProperties}: JsonSchema): [string, JsonSchema][] {
  const known = {...properties, ...(additionalProperties ? {[ANY_NAME]: additionalProperties} : {})}
  return Object.entries(known).flatMap(([key, member]) => (typeof member === 'object' ? [[key, member]] : []))
}

/** Whether the value is a duration: shown by the title of its schema, since JSON Schema has no such type. */
export function isDuration({title}: JsonSchema): boolean {
  return title?.startsWith('a duration') ?? false
}

type Json = string | number | boolean | null | Json[] | {[key: string]: Json}

/** The configuration with all defaults as plain JSON, spelled like the file: `15s` for 15,000 ms, and a mask for every secret. */
export function maskedConfig({catalogue: _, warnings: __, ...config}: Config): Json {
  const durations = new Set(
    listSettings().flatMap(({path, schema}) => (isDuration(schema) ? path.slice(-1) : [])),
  )
  const spelled = (key: string, value: unknown) =>
    typeof value === 'number' && durations.has(key) ? durationText(value) : value
  return JSON.parse(JSON.stringify(config, spelled))
}

/** Every token, password and private key in a configuration. */
export function secretsOf(value: unknown): Secret[] {
  if (value instanceof Secret) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretsOf) : []
}

/** One table for every section of the configuration, as Markdown. */
export function settingsReference(): string {
  const sections = new Map<string, string[]>()
  for (const {path, schema} of listSettings()) {
    const depth = path[1] === ANY_NAME ? 2 : path.length > 1 ? 1 : 0
    const title = depth === 0 ? 'Everything else' : `\`${path.slice(0, depth).join('.')}\``
    const value = schema.default === undefined ? '' : `\`${schema.default}\``
    const cells = [`\`${path.slice(depth).join('.')}\``, kindOfValue(schema), value, schema.description ?? '']
    const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
    sections.set(title, [...(sections.get(title) ?? []), row])
  }
  const head = ['| key | value | default | |', '|---|---|---|---|']
  return Array.from(sections, ([title, rows]) => [`### ${title}`, '', ...head, ...rows].join('\n')).join(
    '\n\n',
  )
}

function kindOfValue({title, items}: JsonSchema): string {
  if (title) return title
  const item = typeof items === 'object' && !Array.isArray(items) ? items.title : undefined
  return item ? `a list, each ${item}` : ''
}

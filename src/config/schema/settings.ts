/** Every setting with its path, from the schema: for the environment, for hints, for editors and for the tables of docs/configuration.md. */
import {z} from 'zod'
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
  ...z.toJSONSchema(configSchema, {io: 'input', override: showDefault}),
  title: 'Configuration of miio2mqtt',
}

/** The content of config.schema.json, with which editors complete and check config.yaml. */
export function jsonSchema(): JsonSchema {
  return SCHEMA
}

/** Shows a default in its own type. To the schema it is a text. */
function showDefault({
  zodSchema,
  jsonSchema: json,
}: {
  zodSchema: z.core.$ZodType
  jsonSchema: JsonSchema
}): void {
  const shown = z.globalRegistry.get(zodSchema)?.['default']
  if (typeof shown === 'string' || typeof shown === 'number' || typeof shown === 'boolean')
    json.default = shown
  if (isEmptyMapping(json.default)) delete json.default
}

function isEmptyMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** Every setting with a value of its own, in the order of the schema. Mappings are left out. */
export function listSettings(schema = SCHEMA, path: string[] = []): Setting[] {
  const inside = membersOf(schema)
  if (inside.length === 0) return [{path, schema}]
  return inside.flatMap(([key, member]) => listSettings(member, [...path, key]))
}

/** The path of every key: of settings, and of the mappings around them. */
export function listPaths(): string[][] {
  const paths = listSettings().flatMap(({path}) => path.map((_, index) => path.slice(0, index + 1)))
  return [
    ...new Map(
      paths.filter((path) => path.at(-1) !== ANY_NAME).map((path) => [path.join('\0'), path]),
    ).values(),
  ]
}

/** The keys that may stand in the mapping at `path`. */
export function keysAt(path: readonly (string | number)[]): string[] {
  const schema = schemaAt(path)
  return schema ? membersOf(schema).map(([key]) => key) : []
}

/** The schema of the value at `path`; `undefined` where no value may stand. */
export function schemaAt(path: readonly (string | number)[]): JsonSchema | undefined {
  let schema: JsonSchema | undefined = SCHEMA
  for (const key of path) {
    const inside: Map<string, JsonSchema> = new Map(schema ? membersOf(schema) : [])
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

/** Whether the value is a duration: its schema tells by its title, since JSON Schema has no such type. */
export function isDuration({schema}: Setting): boolean {
  return schema.title?.startsWith('a duration') ?? false
}

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

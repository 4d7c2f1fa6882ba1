/**
 * The keys of a definition file (docs/adding-a-plug.md): their form, and how their texts are read and written. The one table behind
 * definition.ts.
 */
import * as z from 'zod'
import type {BuilderEntry} from '../../models/builder-table.ts'
import type {Address, Property, RawValue} from '../../models/model.ts'
import type {ValidationIssue} from '../config-error.ts'
import type {RawMapping, RawYaml} from '../read/yaml.ts'
import * as field from '../schema/fields.ts'
import {mapping, wrongKind} from '../schema/schema.ts'

/** A valid value, or all problems of its texts. */
export type DefinitionResult<T> = {value: T} | {problems: ValidationIssue[]}

const LARGEST_BATCH = 50
const HOUR_MS = 3_600_000

/** The keys of the model itself. */
export const modelKeys = mapping({
  ids: field.oneOrMore(field.modelId(), {}),
  name: field.textField('what is printed on the box'),
  vendor: field.textField('the maker'),
  confidence: field.withDefault(field.oneOf('hardware', 'vendor', 'inferred'), 'inferred'),
  evidence: field.textField().exactOptional(),
  exact_list: field.literalTrue().exactOptional(),
  batch: field.integer(1, LARGEST_BATCH).exactOptional(),
  interval: field.duration(1000, HOUR_MS).exactOptional(),
  pause: field.duration(0, HOUR_MS).exactOptional(),
  properties: z.unknown().optional(),
})
const DURATIONS = new Set(['interval', 'pause'])

/** Without a dot: so no definition can call `miIO.ota` and its like. */
const identifier = (what: string) => field.pattern(what, /^\w{1,64}$/)
const methodName = () => identifier('the name of a method')
const pair = (what: string) =>
  field.pattern(what, /^[1-9]\d{0,4}\.[1-9]\d{0,4}$/).transform((text) => {
    const [first, second] = text.split('.').map(Number)
    return [first ?? 0, second ?? 0] as const
  })

/** The builder of a property, and where the firmware has it. */
const addressKeys = {
  is: field.textField('a word').exactOptional(),
  miot: pair('service and property, such as 2.1').exactOptional(),
  get_prop: identifier('a name of get_prop').exactOptional(),
  set: z
    .union([methodName(), mapping({on: methodName(), off: methodName()})], {
      error: 'expected the name of a method, or {on: …, off: …} with one for each',
    })
    .exactOptional(),
  method: methodName().exactOptional(),
  action: pair('service and action, such as 15.1').exactOptional(),
}

/** Options of every property. */
const commonOptions = {
  label: field.textField('a label').exactOptional(),
  lane: field.oneOf('fast', 'slow', 'rare').exactOptional(),
  alone: field.literalTrue().exactOptional(),
  category: field.oneOf('config', 'diagnostic').exactOptional(),
  icon: field.icon().exactOptional(),
  disabled_by_default: field.literalTrue().exactOptional(),
}
const evidence = {evidence: field.textField().exactOptional()}

const scaling = {
  scale: field
    .number()
    .refine((scale) => scale !== 0, {error: 'expected a number other than 0'})
    .exactOptional(),
  offset: field.number().exactOptional(),
  precision: field.integer(0, 6).exactOptional(),
}
const valueWords = (word: z.ZodType<string, string>) =>
  z
    .record(z.string(), word, wrongKind("a mapping from the firmware's values to words"))
    .transform((words) =>
      Object.entries(words).map(([raw, meaning]) => [parseRawValue(raw), meaning] as const),
    )

/** The keys of a property with the options of its kind. They are written in this order. */
function propertyKeys<Options extends z.core.$ZodLooseShape>(options: Options) {
  return mapping({...addressKeys, ...commonOptions, ...options, ...evidence})
}

/** The use of a property. Its address must allow it. */
type PropertyUse = 'read' | 'set' | 'press'

/** The keys of a property, by its kind, and the use that its address must allow. */
export const propertyKinds = {
  switch: {
    use: 'set',
    keys: propertyKeys({raw: field.oneOf('text', 'boolean').exactOptional()}),
  },
  binary_sensor: {
    use: 'read',
    keys: propertyKeys({
      on: field.oneOrMore(field.textField('a value').transform(parseRawValue), {}).exactOptional(),
    }),
  },
  sensor: {use: 'read', keys: propertyKeys(scaling)},
  text: {use: 'read', keys: propertyKeys({})},
  number: {
    use: 'set',
    keys: propertyKeys({
      ...scaling,
      min: field.number().exactOptional(),
      max: field.number().exactOptional(),
      step: field
        .number()
        .refine((step) => step > 0, {error: 'expected a number above 0'})
        .exactOptional(),
    }),
  },
  select: {use: 'set', keys: propertyKeys({values: valueWords(field.textField('a word'))})},
  button: {use: 'press', keys: propertyKeys({})},
} satisfies Record<BuilderEntry['kind'], {use: PropertyUse; keys: z.ZodObject}>

/** The keys of a selection whose values mean the same on every plug. */
export function choiceKeys(choice: readonly string[]): typeof propertyKinds.select.keys {
  return propertyKeys({values: valueWords(field.oneOf(...choice))})
}

/** The keys that every property has. */
export type CommonKeys = z.output<typeof propertyKinds.text.keys>

/** A value of the firmware: a number, true or false where the text looks like one, else the text. */
function parseRawValue(text: string): RawValue {
  if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)) return Number(text)
  return text === 'true' || (text === 'false' ? false : text)
}

/** The address in a property. The inverse of `formatAddress`. */
export function parseAddress(
  {miot, get_prop, set, method, action}: CommonKeys,
  use: PropertyUse,
): DefinitionResult<Address> {
  const all: Address[] = []
  if (miot) all.push({via: 'miot', siid: miot[0], piid: miot[1]})
  if (get_prop)
    all.push({
      via: 'get_prop',
      name: get_prop,
      ...(set ? {write: typeof set === 'string' ? {method: set} : set} : {}),
    })
  if (method) all.push({via: 'method', method})
  if (action) all.push({via: 'action', siid: action[0], aiid: action[1]})
  const [address, second] = all
  if (!address || second)
    return invalid(
      `expected one of miot, get_prop, method and action, got ${all.map(({via}) => via).join(' and ') || 'none'}`,
    )
  if (set && address.via !== 'get_prop')
    return invalid('expected get_prop beside it: miot needs no `set`', 'set')
  const uses: readonly PropertyUse[] = action ? ['press'] : miot || set ? ['read', 'set'] : ['read']
  return uses.includes(use) ? {value: address} : invalid(NEEDED[use])
}

const NEEDED: Readonly<Record<PropertyUse, string>> = {
  read: 'expected miot, get_prop or method, got action, which has no value',
  set: 'expected a way to set it: miot, or get_prop with set',
  press: 'expected action, got what has a value',
}

/** The address as the keys of a property. */
export function formatAddress(address: Address): RawMapping {
  switch (address.via) {
    case 'miot':
      return {miot: `${address.siid}.${address.piid}`}
    case 'get_prop': {
      const {name, write} = address
      if (!write) return {get_prop: name}
      return {get_prop: name, set: 'method' in write ? write.method : {...write}}
    }
    case 'method':
      return {method: address.method}
    case 'action':
      return {action: `${address.siid}.${address.aiid}`}
    default:
      return {}
  }
}

/** The options of a property as texts, in the order of the table. The inverse of what the schemas read. */
export function formatOptions(property: Property): RawMapping {
  const kind = property.kind === 'sensor' && property.raw === 'text' ? 'text' : property.kind
  const options = Object.keys(propertyKinds[kind].keys.shape).filter(
    (key) => !Object.hasOwn(addressKeys, key),
  )
  return formatKeys(options, property)
}

/** The values of `keys` as texts. A value that is missing or `null` is left out. `exact_list` in a file is `exactList` in a model. */
export function formatKeys(keys: readonly string[], values: object): RawMapping {
  const all = new Map<string, unknown>(Object.entries(values))
  return Object.fromEntries(
    keys.flatMap((key) => {
      const camelCase = key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      const value = all.get(camelCase) ?? undefined
      return value === undefined ? [] : [[key, formatValue(key, value)]]
    }),
  )
}

function formatValue(key: string, value: unknown): RawYaml {
  if (typeof value === 'number' && DURATIONS.has(key)) return field.durationText(value)
  if (!Array.isArray(value)) return String(value)
  return key === 'values'
    ? Object.fromEntries(value.map(([raw, word]) => [String(raw), word]))
    : value.map(String)
}

/** A result with one problem. */
export function invalid(message: string, ...path: string[]): {problems: ValidationIssue[]} {
  return {problems: [{path, message}]}
}

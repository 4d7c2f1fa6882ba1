/**
 * A plug's definition as a file has it (docs/adding-a-plug.md), understood: the words of src/models, checked as config.yaml
 * is. The inverse is definition-writer.ts.
 */
import {z} from 'zod'
import {parseWithMessages} from '../../common/schema-errors.ts'
import {type BuilderEntry, builderFor, builderTable} from '../../models/builder-table.ts'
import type {Address, Model, Property, RawValue as Said, WriteMethod} from '../../models/model.ts'
import {kindOf, quoted, suggestion} from '../config-error.ts'
import type {RawMapping, RawYaml} from '../read/yaml.ts'
import * as field from '../schema/fields.ts'
import {mapping} from '../schema/schema.ts'
import {TOPIC_WORDS} from '../validate/names.ts'
import type {ValidationIssue} from '../validate/plugs-and-groups.ts'

/** What a text means, or all that is wrong with it. */
export type DefinitionResult<T> = {value: T} | {broken: ValidationIssue[]}

const LARGEST_BATCH = 50
const HOUR_MS = 3_600_000

const definition = mapping({
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

/** Without a dot: nobody's definition asks for `miIO.ota` and its like. */
const called = (what: string) => field.pattern(what, /^\w{1,64}$/)
const methodName = () => called('the name of a method')
const pair = (what: string) => field.pattern(what, /^[1-9]\d{0,4}\.[1-9]\d{0,4}$/).transform(twoNumbers)

/** Everything that may be said of any property, its address first. */
const common = {
  is: field.textField('a word').exactOptional(),
  miot: pair('service and property, such as 2.1').exactOptional(),
  get_prop: called('a name of get_prop').exactOptional(),
  set: z
    .union([methodName(), mapping({on: methodName(), off: methodName()})], {
      error: 'expected the name of a method, or {on: …, off: …} with one for each',
    })
    .exactOptional(),
  method: methodName().exactOptional(),
  action: pair('service and action, such as 15.1').exactOptional(),
  label: field.textField('a label').exactOptional(),
  lane: field.oneOf('fast', 'slow', 'rare').exactOptional(),
  alone: field.literalTrue().exactOptional(),
  category: field.oneOf('config', 'diagnostic').exactOptional(),
  icon: field.icon().exactOptional(),
  disabled_by_default: field.literalTrue().exactOptional(),
  evidence: field.textField().exactOptional(),
}
type Common = z.output<typeof plain>

const plain = mapping(common)
const switches = mapping({...common, raw: field.oneOf('text', 'boolean').exactOptional()})
const alarms = mapping({
  ...common,
  on: field.oneOrMore(field.textField('a value').transform(fromText), {}).exactOptional(),
})
const scaled = {
  scale: field
    .number()
    .refine((scale) => scale !== 0, {error: 'expected a number other than 0'})
    .exactOptional(),
  offset: field.number().exactOptional(),
  precision: field.integer(0, 6).exactOptional(),
}
const sensors = mapping({...common, ...scaled})
const numbers = mapping({
  ...common,
  ...scaled,
  min: field.number().exactOptional(),
  max: field.number().exactOptional(),
  step: field
    .number()
    .refine((step) => step > 0, {error: 'expected a number above 0'})
    .exactOptional(),
})
const selects = (choice: readonly string[] | undefined) =>
  mapping({
    ...common,
    values: z.record(z.string(), choice ? field.oneOf(...choice) : field.textField('a word'), {
      error: ({input}) => `expected a mapping from the firmware's values to words, got ${kindOf(input)}`,
    }),
  })

/** What the bridge adds to every plug by itself. */
const OURS: ReadonlySet<string> = new Set(['energy_today', 'rssi', 'last_seen'])
const NAME = /^[a-z][a-z0-9_]{0,39}$/

/** The definition that `read` describes. `origin` is the evidence of one that names none. */
export function parseDefinition(read: RawYaml, origin: string): DefinitionResult<Model> {
  const head = check(definition, read)
  const properties = propertiesIn(isMapping(read) ? read['properties'] : undefined)
  if ('broken' in head || 'broken' in properties)
    return {
      broken: [...brokenIn(head), ...(isMapping(read) ? inside('properties', brokenIn(properties)) : [])],
    }
  const {exact_list, evidence = origin, ...rest} = head.value
  return {
    value: {...rest, evidence, ...(exact_list ? {exactList: exact_list} : {}), properties: properties.value},
  }
}

function propertiesIn(read: RawYaml | undefined): DefinitionResult<Model['properties']> {
  if (!isMapping(read)) return wrong(`expected a mapping from names to properties, got ${kindOf(read)}`)
  const all = Object.entries(read).map(([name, said]) => [name, parseProperty(name, said)] as const)
  const broken = all.flatMap(([name, property]) => inside(name, brokenIn(property)))
  const [[first, relay] = ['', undefined]] = all
  if (!/^state(_1)?$/.test(first) || (relay && 'value' in relay && relay.value.kind !== 'switch'))
    broken.unshift({path: [], message: `${RELAY_FIRST}, got ${quoted(first)}`})
  if (broken.length > 0) return {broken}
  const good = all.flatMap(([name, property]) =>
    'value' in property ? [[name, property.value] as const] : [],
  )
  return {value: Object.fromEntries(good)}
}

const RELAY_FIRST = 'expected the relay as the first property, a switch called state (or state_1)'

/** One property: what it is says its name, or `is`. */
export function parseProperty(name: string, said: RawYaml): DefinitionResult<Property> {
  if (OURS.has(name)) return wrong('the bridge adds this property to every plug by itself')
  if (!NAME.test(name)) return wrong('expected a name of small letters, digits and "_", such as surge_power')
  if (name in Object.prototype)
    return wrong('expected another name: every object in JavaScript has one of this name')
  if (TOPIC_WORDS.has(name))
    return wrong('expected another name: this one is a word of the topics themselves')
  if (!isMapping(said)) return wrong(`expected where it is found, such as {miot: 2.1}, got ${kindOf(said)}`)
  const {is = builderFor(name)} = said
  const word = typeof is === 'string' ? builderTable.get(is) : undefined
  if (word) return inWords(word, name, said)
  const known = [...builderTable.keys()]
  if (is === undefined)
    return wrong(`the name does not say what it is: expected \`is\` with one of ${known.join(', ')}`)
  const came = typeof is === 'string' ? `${quoted(is)}${suggestion(is, known)}` : kindOf(is)
  return wrong(`expected one of ${known.join(', ')}, got ${came}`, 'is')
}

function inWords(word: BuilderEntry, name: string, said: RawMapping): DefinitionResult<Property> {
  switch (word.kind) {
    case 'switch':
      return made(switches, said, 'set', (told, at) => word.make(name, at, optionsIn(told)))
    case 'binary_sensor':
      return made(alarms, said, 'read', (told, at) => word.make(name, at, optionsIn(told)))
    case 'sensor':
      return made(sensors, said, 'read', (told, at) => word.make(name, at, optionsIn(told)))
    case 'text':
      return made(plain, said, 'read', (told, at) => word.make(name, at, optionsIn(told)))
    case 'number':
      return made(numbers, said, 'set', (told, at) => word.make(name, at, optionsIn(told)))
    case 'select':
      return made(selects(word.choice), said, 'set', ({values, ...told}, at) => {
        const pairs = Object.entries(values).map(([raw, meaning]) => [fromText(raw), meaning] as const)
        return word.make(name, at, pairs, optionsIn(told))
      })
    case 'button':
      return made(plain, said, 'press', (told, at) => word.make(name, at, optionsIn(told)))
  }
}

/** What is done with a property, and so what its address must allow. */
type Use = 'read' | 'set' | 'press'

function made<T extends Common>(
  schema: z.ZodObject & z.ZodType<T>,
  said: RawMapping,
  use: Use,
  make: (told: T, address: Address) => Property,
): DefinitionResult<Property> {
  const told = check(schema, said)
  if ('broken' in told) return told
  const address = addressIn(told.value, use)
  if ('broken' in address) return address
  const property = make(told.value, address.value)
  if (property.kind === 'number' && property.min >= property.max)
    return wrong(`expected more than ${property.min}, the least, got ${property.max}`, 'max')
  return {value: property}
}

function addressIn({miot, get_prop, set, method, action}: Common, use: Use): DefinitionResult<Address> {
  const given = Object.entries({miot, get_prop, method, action}).filter(([, value]) => value !== undefined)
  const all: Address[] = []
  if (miot) all.push({via: 'miot', siid: miot[0], piid: miot[1]})
  if (get_prop) all.push({via: 'get_prop', name: get_prop, ...(set ? {write: writeIn(set)} : {})})
  if (method) all.push({via: 'method', method})
  if (action) all.push({via: 'action', siid: action[0], aiid: action[1]})
  const [address, second] = all
  if (!address || second)
    return wrong(
      `expected one of miot, get_prop, method and action, got ${given.map(([key]) => key).join(' and ') || 'none'}`,
    )
  if (set && address.via !== 'get_prop')
    return wrong('expected get_prop beside it: miot needs no `set`', 'set')
  return allows(address, use) ? {value: address} : wrong(NEEDED[use])
}

const NEEDED: Readonly<Record<Use, string>> = {
  read: 'expected miot, get_prop or method, got action, which has no value',
  set: 'expected a way to set it: miot, or get_prop with set',
  press: 'expected action, got what has a value',
}

function allows(address: Address, use: Use): boolean {
  switch (use) {
    case 'read':
      return address.via !== 'action'
    case 'set':
      return address.via === 'miot' || ('write' in address && address.write !== undefined)
    case 'press':
      return address.via === 'action'
  }
}

function writeIn(set: NonNullable<Common['set']>): WriteMethod {
  return typeof set === 'string' ? {method: set} : set
}

/** What is said beside the address, in the words of the vocabulary. */
function optionsIn<T extends Common>(told: T) {
  const {is, miot, get_prop, set, method, action, disabled_by_default, ...options} = told
  return {...options, ...(disabled_by_default ? {disabledByDefault: disabled_by_default} : {})}
}

function twoNumbers(written: string): readonly [number, number] {
  const point = written.indexOf('.')
  return [Number(written.slice(0, point)), Number(written.slice(point + 1))]
}

/** A value of the firmware: a number, true or false where it looks like one, else text. */
function fromText(text: string): Said {
  if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)) return Number(text)
  return text === 'true' || (text === 'false' ? false : text)
}

function check<T>(schema: z.ZodObject & z.ZodType<T>, read: RawYaml): DefinitionResult<T> {
  const parsed = parseWithMessages(schema, read)
  if (parsed.success) return {value: parsed.data}
  return {broken: parsed.error.issues.flatMap((issue) => fromIssue(issue, Object.keys(schema.shape)))}
}

function fromIssue(issue: z.core.$ZodIssue, known: readonly string[]): ValidationIssue[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? '' : key))
  if (issue.code !== 'unrecognized_keys') return [{path, message: issue.message}]
  return issue.keys.map((key) => ({
    path: [...path, key],
    message: () => `unknown key${suggestion(key, known)}`,
  }))
}

function wrong(message: string, ...path: string[]): {broken: ValidationIssue[]} {
  return {broken: [{path, message}]}
}

function brokenIn(understood: DefinitionResult<unknown>): ValidationIssue[] {
  return 'broken' in understood ? understood.broken : []
}

function inside(key: string, broken: readonly ValidationIssue[]): ValidationIssue[] {
  return broken.map(({path, message}) => ({path: [key, ...path], message}))
}

function isMapping(read: RawYaml | undefined): read is RawMapping {
  return typeof read === 'object' && !Array.isArray(read)
}

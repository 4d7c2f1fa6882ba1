/** A model as the texts of a definition file (docs/adding-a-plug.md): reads them, checked like config.yaml, and writes them. */
import {isDeepStrictEqual} from 'node:util'
import {Document, visit} from 'yaml'
import type * as z from 'zod'
import {issuePath, parseWithMessages, quoted} from '../../common/schema-errors.ts'
import {suggestion} from '../../common/suggestion.ts'
import {type BuilderEntry, builderFor, builderTable} from '../../models/builder-table.ts'
import type {Address, Model, Property} from '../../models/model.ts'
import {TOPIC_WORDS} from '../../mqtt/topics.ts'
import {kindOf, type ValidationIssue} from '../config-error.ts'
import {isRawMapping, type RawMapping, type RawYaml} from '../read/yaml.ts'
import {
  type CommonKeys,
  choiceKeys,
  type DefinitionResult,
  formatAddress,
  formatKeys,
  formatOptions,
  invalid,
  modelKeys,
  parseAddress,
  propertyKinds,
} from './definition-options.ts'

/** Properties that the bridge adds to every plug. */
const ADDED_PROPERTIES: ReadonlySet<string> = new Set(['energy_today', 'rssi', 'last_seen'])
const PROPERTY_NAME = /^[a-z][a-z0-9_]{0,39}$/

/** The model that a definition describes. @param origin the evidence of a definition that names none */
export function parseDefinition(read: RawYaml, origin: string): DefinitionResult<Model> {
  const head = check(modelKeys, read)
  const properties = parseProperties(isRawMapping(read) ? read['properties'] : undefined)
  if ('problems' in head || 'problems' in properties)
    return {
      problems: [
        ...problemsOf(head),
        ...(isRawMapping(read) ? within('properties', problemsOf(properties)) : []),
      ],
    }
  const {exact_list, evidence = origin, ...rest} = head.value
  return {
    value: {...rest, evidence, ...(exact_list ? {exactList: exact_list} : {}), properties: properties.value},
  }
}

function parseProperties(read: RawYaml | undefined): DefinitionResult<Model['properties']> {
  if (!isRawMapping(read)) return invalid(`expected a mapping from names to properties, got ${kindOf(read)}`)
  const all = Object.entries(read).map(([name, options]) => [name, parseProperty(name, options)] as const)
  const problems = all.flatMap(([name, property]) => within(name, problemsOf(property)))
  const [[first, relay] = ['', undefined]] = all
  if (!/^state(_1)?$/.test(first) || (relay && 'value' in relay && relay.value.kind !== 'switch'))
    problems.unshift({
      path: [],
      message: `expected the relay as the first property, a switch called state (or state_1), got ${quoted(first)}`,
    })
  if (problems.length > 0) return {problems}
  const valid = all.flatMap(([name, property]) =>
    'value' in property ? [[name, property.value] as const] : [],
  )
  return {value: Object.fromEntries(valid)}
}

/** One property. Its builder is the one in `is`, or follows from its name. */
function parseProperty(name: string, options: RawYaml): DefinitionResult<Property> {
  if (ADDED_PROPERTIES.has(name)) return invalid('the bridge adds this property to every plug by itself')
  if (!PROPERTY_NAME.test(name))
    return invalid('expected a name of small letters, digits and "_", such as surge_power')
  if (name in Object.prototype)
    return invalid('expected another name: every object in JavaScript has one of this name')
  if (TOPIC_WORDS.has(name))
    return invalid('expected another name: this one is a word of the topics themselves')
  if (!isRawMapping(options))
    return invalid(`expected where it is found, such as {miot: 2.1}, got ${kindOf(options)}`)
  const {is = builderFor(name)} = options
  const builder = typeof is === 'string' ? builderTable.get(is) : undefined
  if (builder) return build(builder, name, options)
  const known = [...builderTable.keys()]
  if (is === undefined)
    return invalid(`the name does not say what it is: expected \`is\` with one of ${known.join(', ')}`)
  const received = typeof is === 'string' ? `${quoted(is)}${suggestion(is, known)}` : kindOf(is)
  return invalid(`expected one of ${known.join(', ')}, got ${received}`, 'is')
}

function build(builder: BuilderEntry, name: string, read: RawMapping): DefinitionResult<Property> {
  const choice = builder.kind === 'select' ? builder.choice : undefined
  const {use, keys: schema} = propertyKinds[builder.kind]
  const keys = check<CommonKeys>(choice ? choiceKeys(choice) : schema, read)
  if ('problems' in keys) return keys
  const address = parseAddress(keys.value, use)
  if ('problems' in address) return address
  const property = make(builder, name, address.value, optionsOf(keys.value))
  if (property.kind === 'number' && property.min >= property.max)
    return invalid(`expected more than ${property.min}, the least, got ${property.max}`, 'max')
  return {value: property}
}

/** @param options checked by the schema of the builder's kind */
function make(builder: BuilderEntry, name: string, address: Address, options: object): Property {
  if (builder.kind !== 'select') return builder.make(name, address, options)
  const {values, ...others} = options as z.output<typeof propertyKinds.select.keys>
  return builder.make(name, address, values, others)
}

/** The options of a builder: all keys but those of the address. */
function optionsOf<T extends CommonKeys>(keys: T) {
  const {is, miot, get_prop, set, method, action, disabled_by_default, ...options} = keys
  return {...options, ...(disabled_by_default ? {disabledByDefault: disabled_by_default} : {})}
}

function check<T>(schema: z.ZodObject & z.ZodType<T>, read: RawYaml): DefinitionResult<T> {
  const parsed = parseWithMessages(schema, read)
  if (parsed.success) return {value: parsed.data}
  const known = Object.keys(schema.shape)
  const problems = parsed.error.issues.flatMap((issue): ValidationIssue[] => {
    const path = issuePath(issue)
    if (issue.code !== 'unrecognized_keys') return [{path, message: issue.message}]
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: () => `unknown key${suggestion(key, known)}`,
    }))
  })
  return {problems}
}

function problemsOf(result: DefinitionResult<unknown>): ValidationIssue[] {
  return 'problems' in result ? result.problems : []
}

function within(key: string, problems: readonly ValidationIssue[]): ValidationIssue[] {
  return problems.map(({path, message}) => ({path: [key, ...path], message}))
}

/** The depth of a property in the document, in nodes and pairs. Mappings within a property are on one line. */
const PROPERTY_DEPTH = 5
/** Characters as JSON. A longer property has a line for each key. */
const LONGEST_LINE = 100

/** The definition as YAML. Properties that the bridge adds to every plug are left out. */
export function formatDefinition(model: Model): string {
  // All values are texts in this schema: `2.10` needs no quotes, and is read as property 10 of service 2.
  const document = new Document(definitionOf(model), {schema: 'failsafe'})
  visit(document, {
    Seq: (_, list) => {
      list.flow = true
    },
    Map: (_, map, {length: depth}) => {
      map.flow =
        depth > PROPERTY_DEPTH || (depth === PROPERTY_DEPTH && JSON.stringify(map).length < LONGEST_LINE)
    },
  })
  return document.toString({lineWidth: 0, flowCollectionPadding: false})
}

function definitionOf({properties, ...head}: Model): RawMapping {
  const own = Object.entries(properties).filter(
    ([
      ,
      {
        address: {via},
      },
    ]) => via !== 'bridge' && via !== 'info',
  )
  return {
    ...formatKeys(Object.keys(modelKeys.shape), head),
    properties: Object.fromEntries(own.map(([name, property]) => [name, formatProperty(name, property)])),
  }
}

/** The property with the builder that needs the fewest keys. @throws Error when no builder makes it: builder-table.ts lacks one */
function formatProperty(name: string, property: Property): RawMapping {
  const allKeys = {...formatAddress(property.address), ...formatOptions(property)}
  const candidates = [allKeys, ...[...builderTable.keys()].map((is) => ({is, ...allKeys}))]
  const [shortest] = candidates
    .filter((keys) => describes(name, keys, property))
    .map((keys) => withoutDefaults(name, keys, property))
    .sort((a, b) => Object.keys(a).length - Object.keys(b).length)
  if (shortest) return shortest
  throw new Error(`no word makes the property ${name} of ${JSON.stringify(property)}`)
}

/** Leaves out every key that the builder sets by itself. */
function withoutDefaults(name: string, keys: RawMapping, property: Property): RawMapping {
  return Object.keys(keys).reduce((shorter, key) => {
    const {[key]: _, ...rest} = shorter
    return describes(name, rest, property) ? rest : shorter
  }, keys)
}

function describes(name: string, keys: RawMapping, property: Property): boolean {
  const parsed = parseProperty(name, keys)
  return 'value' in parsed && isDeepStrictEqual(parsed.value, property)
}

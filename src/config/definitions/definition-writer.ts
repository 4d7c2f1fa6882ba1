/** A definition in the words of a file, to begin another one from: the inverse of definition-reader.ts. */
import {isDeepStrictEqual} from 'node:util'
import {Document, visit} from 'yaml'
import {builderTable} from '../../models/builder-table.ts'
import type {Address, Model, Property} from '../../models/model.ts'
import type {RawMapping, RawYaml} from '../read/yaml.ts'
import {durationText} from '../schema/fields.ts'
import {parseProperty} from './definition-reader.ts'

/** How deep in the document a property stands, in nodes and pairs; what is deeper fits on its line. */
const PROPERTY_DEPTH = 5
/** A longer property has a line for each thing that is said of it. */
const ONE_LINE = 100

/** The definition as YAML. What the bridge adds to every plug by itself is left out. */
export function formatDefinition(model: Model): string {
  // Everything is text to this schema: `2.10` stands there without quotes, and is read as the tenth property of service 2.
  const document = new Document(written(model), {schema: 'failsafe'})
  visit(document, {
    Seq: (_, list) => {
      list.flow = true
    },
    Map: (_, map, {length: depth}) => {
      map.flow = depth > PROPERTY_DEPTH || (depth === PROPERTY_DEPTH && JSON.stringify(map).length < ONE_LINE)
    },
  })
  return document.toString({lineWidth: 0, flowCollectionPadding: false})
}

function written({ids, exactList, interval, pause, batch, properties, ...model}: Model): RawMapping {
  const {name, vendor, confidence, evidence} = model
  const own = Object.entries(properties).filter(([, {address}]) => isInPlug(address))
  return {
    ids: [...ids],
    ...texts({name, vendor, confidence, evidence, exact_list: exactList, batch}),
    ...texts({interval: duration(interval), pause: duration(pause)}),
    properties: Object.fromEntries(own.map(([called, property]) => [called, inWords(called, property)])),
  }
}

/** In the word after which the least has to be said. @throws Error when there is none: then schema-errors.ts lacks a word */
function inWords(name: string, property: Property): RawMapping {
  const everything = {...addressWords(property.address), ...everythingSaid(property)}
  const all = [everything, ...[...builderTable.keys()].map((is) => ({is, ...everything}))]
  const [shortest] = all
    .filter((said) => means(name, said, property))
    .map((said) => withoutTheObvious(name, said, property))
    .sort((a, b) => Object.keys(a).length - Object.keys(b).length)
  if (shortest) return shortest
  throw new Error(`no word makes the property ${name} of ${JSON.stringify(property)}`)
}

/** Leaves out whatever the word says anyway. */
function withoutTheObvious(name: string, said: RawMapping, property: Property): RawMapping {
  return Object.keys(said).reduce((shorter, key) => {
    const {[key]: _, ...rest} = shorter
    return means(name, rest, property) ? rest : shorter
  }, said)
}

function means(name: string, said: RawMapping, property: Property): boolean {
  const understood = parseProperty(name, said)
  return 'value' in understood && isDeepStrictEqual(understood.value, property)
}

function addressWords(address: Address): RawMapping {
  switch (address.via) {
    case 'miot':
      return {miot: `${address.siid}.${address.piid}`}
    case 'get_prop':
      return {get_prop: address.name, ...(address.write ? {set: writeWords(address.write)} : {})}
    case 'method':
      return {method: address.method}
    case 'action':
      return {action: `${address.siid}.${address.aiid}`}
    default:
      return {}
  }
}

function writeWords(write: NonNullable<Extract<Address, {via: 'get_prop'}>['write']>): RawYaml {
  return 'method' in write ? write.method : {...write}
}

function everythingSaid(property: Property): RawMapping {
  const {label, lane, alone, category, icon, disabledByDefault: disabled_by_default, evidence} = property
  return {
    ...texts({label: label ?? undefined, lane, alone, category, icon, disabled_by_default}),
    ...ofItsKind(property),
    ...texts({evidence}),
  }
}

function ofItsKind(property: Property): RawMapping {
  switch (property.kind) {
    case 'switch':
      return texts({raw: property.raw})
    case 'binary_sensor':
      return property.on ? {on: property.on.map(String)} : {}
    case 'sensor':
      return property.raw === 'number' ? scaling(property) : {}
    case 'number':
      return {...scaling(property), ...texts({min: property.min, max: property.max, step: property.step})}
    case 'select':
      return {values: Object.fromEntries(property.values.map(([raw, word]) => [String(raw), word]))}
    case 'button':
      return {}
  }
}

function scaling({
  scale,
  offset,
  precision,
}: {
  scale: number
  offset?: number
  precision: number
}): RawMapping {
  return texts({scale, offset, precision})
}

function texts(values: Record<string, string | number | boolean | undefined>): RawMapping {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  )
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : durationText(ms)
}

function isInPlug({via}: Address): boolean {
  return via !== 'bridge' && via !== 'info'
}

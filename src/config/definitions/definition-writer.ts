/** Writes a model as a definition file in YAML, to begin another definition from. The inverse of definition-reader.ts. */
import {isDeepStrictEqual} from 'node:util'
import {Document, visit} from 'yaml'
import {builderTable} from '../../models/builder-table.ts'
import type {Model, Property} from '../../models/model.ts'
import type {RawMapping} from '../read/yaml.ts'
import {formatAddress, formatKeys, formatOptions, modelKeys} from './definition-options.ts'
import {parseProperty} from './definition-reader.ts'

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

/**
 * What a configuration file says, apart from how it is written, and what it says after an edit: whether the text of an edited
 * file means the edit and nothing else is decided here, before anything that the text names is opened. Pure.
 */
import {isDeepStrictEqual} from 'node:util'
import type {ConfigEdit, ConfigValue} from '../../bridge/requests/bridge-actions.ts'
import {type RawMapping, type RawYaml, readYaml, type YamlFile, YamlPlaces} from '../read/yaml.ts'

/** Begins what stands for a tag or for an empty value. No text of an edit has it (`textProblem`), so none can pass for one. */
const MARK = '\0'

/** What the file says. Aliases and merged mappings are filled in; tags and empty values are marks, and nothing is resolved. */
export function plainDataOf(yaml: YamlFile): RawYaml {
  const read = readYaml(yaml, {
    places: new YamlPlaces(),
    report: () => {},
    resolve: (tag, text) => `${MARK}${tag}${MARK}${text}`,
    empty: () => MARK,
  })
  return read ?? emptyMapping()
}

/** Whether two files say the same. A section without anything in it is as good as none. */
export function isSameData(one: RawYaml, other: RawYaml): boolean {
  return isDeepStrictEqual(withoutEmptySections(one), withoutEmptySections(other))
}

/** What a file that says `before` has to say after `edit`. */
export function dataAfterEdit(before: RawYaml, {path, ...change}: ConfigEdit): RawYaml {
  const [key = '', ...rest] = path
  const around: RawMapping = Object.assign(emptyMapping(), isMapping(before) ? before : {})
  if (rest.length > 0) {
    const inside = around[key]
    if (isMapping(inside) || 'put' in change)
      around[key] = dataAfterEdit(inside ?? emptyMapping(), {path: rest, ...change})
  } else if ('put' in change) around[key] = rawOf(change.put)
  else if ('drop' in change) delete around[key]
  else {
    const moved = around[key]
    delete around[key]
    if (moved !== undefined) around[change.rename] = moved
  }
  return around
}

function rawOf(written: ConfigValue): RawYaml {
  if (typeof written !== 'object') return String(written)
  if (isList(written)) return written.map(rawOf)
  const mapping = emptyMapping()
  for (const [key, member] of Object.entries(written)) mapping[key] = rawOf(member)
  return mapping
}

function withoutEmptySections(read: RawYaml): RawYaml {
  if (!isMapping(read)) return read
  const sections = Object.entries(read).filter(
    ([, section]) => section !== MARK && !(isMapping(section) && Object.keys(section).length === 0),
  )
  const mapping = emptyMapping()
  for (const [name, section] of sections) mapping[name] = section
  return mapping
}

function emptyMapping(): RawMapping {
  return Object.create(null)
}

function isMapping(read: RawYaml | undefined): read is RawMapping {
  return typeof read === 'object' && !Array.isArray(read)
}

function isList(written: ConfigValue): written is readonly ConfigValue[] {
  return Array.isArray(written)
}

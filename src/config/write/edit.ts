/**
 * Edits the text of config.yaml for requests over MQTT, and leaves the rest of it as it was written: comments, order, tags. A file that
 * is JSON, which is YAML too, stays JSON.
 */
import {isIPv4} from 'node:net'
import {isDeepStrictEqual} from 'node:util'
import {type Document, isMap, isScalar, isSeq, type Node} from 'yaml'
import type {ConfigEdit, ConfigValue} from '../../bridge/requests/bridge-actions.ts'
import {isPrivate} from '../../common/ipv4.ts'
import {quoted} from '../../common/schema-errors.ts'
import {ConfigError, type ConfigIssue} from '../config-error.ts'
import {
  isRawMapping,
  mappingAt,
  parseYaml,
  type RawMapping,
  type RawYaml,
  textAt,
  type YamlFile,
  YamlPlaces,
} from '../read/yaml.ts'
import {readYaml} from '../read/yaml-reader.ts'
import {editDocument, invalidTextProblem, isUnquoted, reattachComments} from './document-edit.ts'

/**
 * Makes `edits` in `text`, one after the other. The new text is parsed again, and has the values of the old one but for the edits: no
 * text of an edit can become a tag, another key or a comment.
 * @param file the name of the file in errors
 * @returns the new text, parsed
 * @throws ConfigError when `text` is not YAML, a key to rename is missing, an edit has invalid text, or the edit would change more than
 * it names: a value that is written once and used in several places (`&` and `*`)
 */
export function editYaml(text: string, file: string, edits: readonly ConfigEdit[]): YamlFile {
  const refuse = (path: string, message: string): never => {
    throw new ConfigError([{file, path, message}])
  }
  const yaml = parseYaml(text, file)
  if (!yaml.readable) throw new ConfigError(yaml.problems)
  const wanted = edits.reduce(valuesAfterEdit, valuesIn(yaml))
  const {document} = yaml
  reattachComments(document, text)
  for (const edit of edits) {
    const invalid = invalidTextProblem(edit)
    if (invalid !== undefined) refuse('', invalid)
    const problem = editDocument(document, edit)
    if (problem !== undefined) refuse(edit.path.join('.'), problem)
  }
  const paths = edits.map(({path}) => path.join('.')).join(', ')
  const newText = isJson(text)
    ? formatJson(document, text)
    : (formatYaml(document, text) ?? refuse(paths, SHARED))
  const edited = parseYaml(newText, file)
  const hasWanted = isDeepStrictEqual(withoutEmptySections(valuesIn(edited)), withoutEmptySections(wanted))
  if (!edited.readable || !hasWanted) refuse(paths, SHARED)
  return edited
}

const SHARED =
  'expected a change of this setting only, but other settings would change, too, or the new value could not be read back: change a part with "&", "*" or "<<" by hand'

/**
 * Problems of the addresses that requests give to plugs, whether an edit puts `devices.desk.host`, `devices.desk` or all of `devices`.
 * Only private addresses are allowed: otherwise everyone who may publish could have the bridge send datagrams to any address. Host
 * names are not looked up, and are allowed.
 */
export function publicHostIssues(edits: readonly ConfigEdit[], file: string): ConfigIssue[] {
  return edits.flatMap((edit) =>
    Object.values(mappingAt(valuesAfterEdit(emptyMapping(), edit), ['devices']))
      .map((plug) => textAt(plug, ['host']) ?? '')
      .filter((host) => isIPv4(host) && !isPrivate(host))
      .map((host) => ({
        file,
        path: [...edit.path.slice(0, 2), 'host'].join('.'),
        message: `expected an address of a private network, got ${quoted(host)}: write any other address into the file by hand`,
      })),
  )
}

/** `undefined` when the edit removed a value that a `*` refers to. The indentation is that of `text`, two spaces where it has none. */
function formatYaml(document: Document, text: string): string | undefined {
  const indent = /^( +)[^\s#-]/m.exec(text)?.[1]?.length ?? 2
  try {
    return document.toString({lineWidth: 0, flowCollectionPadding: false, indent})
  } catch {
    return undefined
  }
}

/** Stands before a tag, and for an empty value. No text of an edit has it (`invalidTextProblem`), so none can pass for a tag. */
const MARK = '\0'

/** The values of the file. Aliases and merges are filled in. A tag is a marked text: nothing that the file names is opened. */
function valuesIn(yaml: YamlFile): RawYaml {
  const read = readYaml(yaml, {
    places: new YamlPlaces(),
    report: () => {},
    resolve: (tag, text) => `${MARK}${tag}${MARK}${text}`,
    empty: () => MARK,
  })
  return read ?? emptyMapping()
}

/** The values that a file with the values `before` must have after `edit`. */
function valuesAfterEdit(before: RawYaml, {path, ...change}: ConfigEdit): RawYaml {
  const [key = '', ...rest] = path
  const values: RawMapping = Object.assign(emptyMapping(), isRawMapping(before) ? before : {})
  if (rest.length > 0) {
    const inside = values[key]
    if (isRawMapping(inside) || 'put' in change)
      values[key] = valuesAfterEdit(inside ?? emptyMapping(), {path: rest, ...change})
  } else if ('put' in change) values[key] = rawValueOf(change.put)
  else if ('drop' in change) delete values[key]
  else {
    const moved = values[key]
    delete values[key]
    if (moved !== undefined) values[change.rename] = moved
  }
  return values
}

function rawValueOf(value: ConfigValue): RawYaml {
  if (isRawMapping(value))
    return mappingOf(Object.entries(value).map(([key, member]) => [key, rawValueOf(member)]))
  return Array.isArray(value) ? value.map(rawValueOf) : String(value)
}

/** An empty section counts like a missing one. */
function withoutEmptySections(read: RawYaml): RawYaml {
  if (!isRawMapping(read)) return read
  const isEmpty = (section: RawYaml) =>
    section === MARK || (isRawMapping(section) && Object.keys(section).length === 0)
  return mappingOf(Object.entries(read).filter(([, section]) => !isEmpty(section)))
}

function emptyMapping(): RawMapping {
  return Object.create(null)
}

function mappingOf(entries: readonly (readonly [string, RawYaml])[]): RawMapping {
  const mapping = emptyMapping()
  for (const [key, value] of entries) mapping[key] = value
  return mapping
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\ufeff/, ''))
    return true
  } catch {
    return false
  }
}

/** The document as JSON. A list or mapping that is on one line in `text` stays on one line. */
function formatJson(document: Document.Parsed, text: string): string {
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? '  '
  const isSpread = text.trimEnd().includes('\n')
  const byteOrderMark = text.startsWith('\ufeff') ? '\ufeff' : ''
  const end = /\s*$/.exec(text)?.[0] ?? ''
  return `${byteOrderMark}${format(document.contents, 0)}${end}`

  function format(node: unknown, depth: number): string {
    if (isScalar(node))
      return node.type === 'PLAIN' || isUnquoted(node) ? String(node.value) : JSON.stringify(node.value)
    if (isSeq(node)) {
      const items = node.items.map((item) => format(item, depth + 1))
      return enclose('[]', items, isOnManyLines(node), depth)
    }
    if (!isMap(node)) return 'null'
    const members = node.items.map(({key, value}) => {
      const name = isScalar(key) ? String(key.value) : ''
      return `${JSON.stringify(name)}: ${format(value, depth + 1)}`
    })
    return enclose('{}', members, isOnManyLines(node), depth)
  }

  function isOnManyLines(node: Node): boolean {
    return node.range ? text.slice(node.range[0], node.range[1]).includes('\n') : isSpread && isMap(node)
  }

  function enclose(brackets: string, members: readonly string[], isLong: boolean, depth: number): string {
    const [open, close] = brackets
    if (members.length === 0 || !isLong) return `${open}${members.join(', ')}${close}`
    const newLine = `\n${indent.repeat(depth + 1)}`
    return `${open}${newLine}${members.join(`,${newLine}`)}\n${indent.repeat(depth)}${close}`
  }
}

/**
 * Warnings for texts that differ from what their writer sees: YAML took a part for a comment or an escape, or a file has a line break
 * more. Only settings that take any text are examined; the others have an error then.
 */
import {isMap, isScalar, type Scalar} from 'yaml'
import {DOUBLE_QUOTES, SINGLE_QUOTES} from '../../common/text.ts'
import type {ProblemPlace, WarningIssue} from '../config-error.ts'
import {isRawMapping, type RawYaml, valueAt, type YamlFile, type YamlPath, type YamlPlaces} from './yaml.ts'
import {TAGS} from './yaml-errors.ts'

// The settings that take any text, by their last key.
const LOGIN = ['username', 'password']
const TITLES = ['client_id', 'name', 'area']
const TEXTS = [...LOGIN, ...TITLES, 'description']

interface TextSetting {
  path: YamlPath
  place: ProblemPlace
  /** `undefined` where the key has no value. */
  value: string | undefined
  /** The YAML of the text. `undefined` for a text from a file, a variable or an alias. */
  source: TextSource | undefined
}

interface TextSource {
  scalar: Scalar
  yaml: YamlFile
}

interface TextRule {
  code: string
  /** The settings it is for, by their last key. */
  keys: readonly string[]
  /** What is wrong with the text. Never repeats a part of it. */
  check: (text: TextSetting, read: RawYaml) => string | undefined
}

/** The first rule that finds something in a text counts: it may be the cause of what the later rules find. */
const RULES: readonly TextRule[] = [
  {code: 'comment_in_text', keys: TEXTS, check: cutByComment},
  {code: 'escape_in_text', keys: LOGIN, check: changedByEscape},
  {code: 'line_break_in_text', keys: [...LOGIN, ...TITLES], check: withLineBreak},
  {code: 'line_break_in_text', keys: LOGIN, check: foldedLines},
  {code: 'quotes_in_text', keys: [...LOGIN, ...TITLES], check: quotesInText},
  {code: 'empty_text', keys: LOGIN, check: emptyText},
  {code: 'placeholder', keys: [...LOGIN, 'client_id'], check: placeholder},
]

/**
 * @param read the values of the file and the environment, with all tags resolved
 * @param secrets secrets.yaml, when a tag uses it
 */
export function textWarnings(
  yaml: YamlFile,
  read: RawYaml,
  places: YamlPlaces,
  secrets: YamlFile | undefined,
): WarningIssue[] {
  return textSettings(yaml, read, places, secrets).flatMap((text) => {
    const {path, place} = text
    for (const {code, keys, check} of RULES) {
      const message = keys.includes(String(path.at(-1))) ? check(text, read) : undefined
      if (message !== undefined) return [{code, path, place, message}]
    }
    return []
  })
}

/** All texts that are set, and those whose key stands in the file without a value. */
function textSettings(
  yaml: YamlFile,
  read: RawYaml,
  places: YamlPlaces,
  secrets: YamlFile | undefined,
): TextSetting[] {
  const inFile = new Map<string, TextSetting>()
  const ofSecrets = secrets ? textScalars(secrets, () => true) : []
  const inSecrets = new Map(ofSecrets.map((secret) => [JSON.stringify(secret.path), secret]))
  for (const {path, scalar, ...own} of textScalars(yaml, (key) => TEXTS.includes(key))) {
    const secret = scalar.tag === '!secret' ? inSecrets.get(JSON.stringify([scalar.source])) : undefined
    const {place, source} = secret ?? own
    inFile.set(JSON.stringify(path), {path, place, source, value: undefined})
  }
  const texts = textValues(read).map(([path, value]): TextSetting => {
    const key = JSON.stringify(path)
    const place = places.find(path) ?? {file: yaml.file}
    const found = inFile.get(key)
    inFile.delete(key)
    return place.file === yaml.file && found ? {...found, value} : {path, place, value, source: undefined}
  })
  return [...texts, ...inFile.values()]
}

interface TextScalar extends Omit<TextSetting, 'value'> {
  scalar: Scalar
}

/** Every scalar at a key of a text. Aliases are left out: their text is found at its anchor. */
function textScalars(yaml: YamlFile, isText: (key: string) => boolean): TextScalar[] {
  const walk = (node: unknown, outer: YamlPath): TextScalar[] =>
    (isMap(node) ? node.items : []).flatMap(({key, value: scalar}) => {
      if (!isScalar(key)) return []
      const path = [...outer, key.source ?? '']
      if (isMap(scalar)) return walk(scalar, path)
      if (!isScalar(scalar) || !isText(key.source ?? '')) return []
      // The text of a tag does not come from YAML.
      const source = TAGS.some((tag) => tag === scalar.tag) ? undefined : {scalar, yaml}
      return [{path, place: yaml.place(key.range?.[0] ?? 0), scalar, source}]
    })
  return walk(yaml.document.contents, [])
}

/** Every text that is set, with its path. */
function textValues(value: RawYaml, path: YamlPath = []): [YamlPath, string][] {
  if (!isRawMapping(value)) return []
  return Object.entries(value).flatMap(([key, inside]): [YamlPath, string][] => {
    if (typeof inside === 'object') return textValues(inside, [...path, key])
    return TEXTS.includes(key) ? [[[...path, key], inside]] : []
  })
}

/** A comment for people has a space after its "#". */
function cutByComment({source}: TextSetting): string | undefined {
  if (source?.scalar.type !== 'PLAIN') return undefined
  const after = source.yaml.text.slice(source.scalar.range?.[1])
  if (!/^[ \t]*#(?:[^ \t]|$)/.test(after)) return undefined
  return 'the value ends before " #", which begins a comment: put it in quotes, or write a space after the # of a comment'
}

/** Escapes that are hardly written by accident: of a quote, a backslash or a slash, and of characters by their number. */
const INTENDED_ESCAPES = /\\(?:["\\/]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})/gi

function changedByEscape({source}: TextSetting): string | undefined {
  if (source?.scalar.type !== 'QUOTE_DOUBLE') return undefined
  return sourceText(source).replace(INTENDED_ESCAPES, '').includes('\\')
    ? 'the backslash in double quotes changed the character after it: use single quotes, or write two backslashes'
    : undefined
}

function withLineBreak({value = '', source}: TextSetting): string | undefined {
  if (!/[\n\r]/.test(value)) return undefined
  return source?.scalar.type?.startsWith('BLOCK')
    ? 'the value has a line break in it, which "|" and ">" keep at its end: write it in quotes on one line'
    : 'the value has a line break in it: expected one line'
}

function foldedLines({source}: TextSetting): string | undefined {
  return source && sourceText(source).trimEnd().includes('\n') && !source.scalar.type?.startsWith('BLOCK')
    ? 'the value goes on in the next line, and has a space there: write it in quotes on one line'
    : undefined
}

const QUOTES = DOUBLE_QUOTES + SINGLE_QUOTES
const IN_TYPOGRAPHIC_QUOTES = new RegExp(`^[${QUOTES}].*[${QUOTES}]$`, 's')

function quotesInText({value = '', source}: TextSetting): string | undefined {
  if (IN_TYPOGRAPHIC_QUOTES.test(value))
    return 'quotes of this form are part of the value: write " or \' in their place'
  const isQuoted = source?.scalar.type?.startsWith('QUOTE') ?? false
  return !isQuoted && /^(["']).*\1$/su.test(value)
    ? 'the quotes are a part of the value here: remove them'
    : undefined
}

/** Empty quotes are meant so. An empty file, an empty variable or an empty secret is hardly meant so. */
function emptyText({value, source, path}: TextSetting, read: RawYaml): string | undefined {
  if (value === '' && !source?.scalar.type?.startsWith('QUOTE')) return 'expected text, got an empty one'
  if (value !== undefined || path.at(-1) !== 'password' || source?.scalar.source !== '') return undefined
  return valueAt(read, ['mqtt', 'username']) === undefined
    ? undefined
    : 'expected a password for the username, got nothing; without one, leave out the key'
}

function sourceText({scalar, yaml}: TextSource): string {
  return yaml.text.slice(scalar.range?.[0], scalar.range?.[1])
}

/** Placeholders of examples, shells, Docker and Home Assistant. */
const PLACEHOLDER = /^(?:\$\{\w+[^}]*\}|\$[A-Z][A-Z_]{3,}|\{\{.*\}\}|<[^<>]+>|your[ _-].*|change_?me)$/i

function placeholder({value = ''}: TextSetting): string | undefined {
  if (!PLACEHOLDER.test(value)) return undefined
  return 'a placeholder, which nothing fills in here: write the text, or `!env NAME` for the environment variable NAME'
}

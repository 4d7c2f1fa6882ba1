/**
 * Text that is valid and not what its author meant: YAML took a part of it for a comment or an escape, or what it was read from has
 * more in it than the text. Settings of other kinds cannot be changed so without an error.
 */
import {isMap, isScalar, type Scalar} from 'yaml'
import type {ProblemPlace} from '../config-error.ts'
import type {WarningIssue} from '../validate/warnings.ts'
import {TAGS} from './tags.ts'
import type {RawYaml, YamlFile, YamlPath, YamlPlaces} from './yaml.ts'

/** Settings that take any text, wherever they stand. */
const LOGIN = ['username', 'password']
const TITLES = ['client_id', 'name', 'area']
const TEXTS = [...LOGIN, ...TITLES, 'description']
const ALL: ReadonlySet<string> = new Set(TEXTS)

export interface ChangedText {
  path: YamlPath
  place: ProblemPlace
  /** Nothing where nothing is written. */
  value: string | undefined
  /** How YAML has it. What comes from a file, a variable or an alias has no such form. */
  written: Written | undefined
}

interface Written {
  scalar: Scalar
  yaml: YamlFile
}

interface Rule {
  code: string
  /** Of which settings, by their last key. */
  of: readonly string[]
  /** What is wrong with the text, never with a part of it. */
  fault: (text: ChangedText, read: RawYaml) => string | undefined
}

/** Of each text, the first that finds something counts: it may well be the cause of the others. */
const RULES: readonly Rule[] = [
  {code: 'comment_in_text', of: TEXTS, fault: cutOff},
  {code: 'escape_in_text', of: LOGIN, fault: escaped},
  {code: 'line_break_in_text', of: [...LOGIN, ...TITLES], fault: broken},
  {code: 'line_break_in_text', of: LOGIN, fault: folded},
  {code: 'quotes_in_text', of: [...LOGIN, ...TITLES], fault: quotedTwice},
  {code: 'empty_text', of: LOGIN, fault: emptied},
  {code: 'placeholder', of: [...LOGIN, 'client_id'], fault: notFilledIn},
]

/**
 * @param read what the file and the environment say, with all tags resolved
 * @param secrets secrets.yaml, when something in it was asked for
 */
export function textWarnings(
  yaml: YamlFile,
  read: RawYaml,
  places: YamlPlaces,
  secrets: YamlFile | undefined,
): WarningIssue[] {
  return textsIn(yaml, read, places, secrets).flatMap((text) => {
    const {path, place} = text
    for (const {code, of, fault} of RULES) {
      const message = of.includes(String(path.at(-1))) ? fault(text, read) : undefined
      if (message !== undefined) return [{code, path, place, message}]
    }
    return []
  })
}

/** The texts that count, and those that are written and came to nothing. */
function textsIn(
  yaml: YamlFile,
  read: RawYaml,
  places: YamlPlaces,
  secrets: YamlFile | undefined,
): ChangedText[] {
  const written = new Map<string, ChangedText>()
  const ofSecrets = secrets ? formsIn(secrets) : new Map<string, Form>()
  for (const {path, place, scalar} of scalarsIn(yaml)) {
    const form = scalar.tag === '!secret' ? ofSecrets.get(scalar.source ?? '') : undefined
    written.set(JSON.stringify(path), {
      path,
      value: undefined,
      ...(form ?? {place, written: formOf(scalar, yaml)}),
    })
  }
  const texts = leavesOf(read).map(([path, value]): ChangedText => {
    const key = JSON.stringify(path)
    const place = places.find(path) ?? {file: yaml.file}
    const form = written.get(key)
    written.delete(key)
    return place.file === yaml.file && form ? {...form, value} : {path, place, value, written: undefined}
  })
  return [...texts, ...written.values()]
}

interface Found {
  path: YamlPath
  place: ProblemPlace
  scalar: Scalar
}

/** Every scalar at the key of a text. Aliases are left out: what they stand for is found where it is written. */
function scalarsIn({document, place}: YamlFile): Found[] {
  const found: Found[] = []
  walk(document.contents, [])
  return found

  function walk(node: unknown, path: YamlPath): void {
    if (!isMap(node)) return
    for (const {key, value} of node.items) {
      if (!isScalar(key)) continue
      const name = key.source ?? ''
      if (isMap(value)) walk(value, [...path, name])
      else if (isScalar(value) && ALL.has(name))
        found.push({path: [...path, name], place: place(key.range?.[0] ?? 0), scalar: value})
    }
  }
}

type Form = Pick<ChangedText, 'place' | 'written'>

/** What is in secrets.yaml, by name. */
function formsIn(secrets: YamlFile): Map<string, Form> {
  const {contents} = secrets.document
  const forms = new Map<string, Form>()
  for (const {key, value} of isMap(contents) ? contents.items : [])
    if (isScalar(key) && isScalar(value))
      forms.set(key.source ?? '', {
        place: secrets.place(key.range?.[0] ?? 0),
        written: formOf(value, secrets),
      })
  return forms
}

/** What a tag stands for is written in something that is no YAML. */
function formOf(scalar: Scalar, yaml: YamlFile): Written | undefined {
  return TAGS.some((known) => known === scalar.tag) ? undefined : {scalar, yaml}
}

/** Every text that counts, with its path. */
function leavesOf(read: RawYaml): [YamlPath, string][] {
  const leaves: [YamlPath, string][] = []
  walk(read, [])
  return leaves

  function walk(value: RawYaml, path: YamlPath): void {
    if (typeof value !== 'object' || Array.isArray(value)) return
    for (const [key, inside] of Object.entries(value))
      if (typeof inside === 'object') walk(inside, [...path, key])
      else if (ALL.has(key)) leaves.push([[...path, key], inside])
  }
}

/** A comment for people has a space after its "#". */
function cutOff({written}: ChangedText): string | undefined {
  if (written?.scalar.type !== 'PLAIN') return undefined
  const {scalar, yaml} = written
  const end = scalar.range?.[1] ?? 0
  const [line = ''] = yaml.text.slice(end, end + 2000).split(/\r?\n/, 1)
  if (!/^[ \t]*#(?:[^ \t]|$)/.test(line)) return undefined
  return 'the value ends before " #", which begins a comment: put it in quotes, or write a space after the # of a comment'
}

/** Escapes that nobody writes by accident: of what could not be there otherwise, and characters by their number. */
const MEANT = /\\(?:["\\/]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})/gi

function escaped({written}: ChangedText): string | undefined {
  if (written?.scalar.type !== 'QUOTE_DOUBLE') return undefined
  return sourceOf(written).replace(MEANT, '').includes('\\')
    ? 'the backslash in double quotes changed the character after it: use single quotes, or write two backslashes'
    : undefined
}

function broken({value = '', written}: ChangedText): string | undefined {
  if (!/[\n\r]/.test(value)) return undefined
  return written?.scalar.type?.startsWith('BLOCK')
    ? 'the value has a line break in it, which "|" and ">" keep at its end: write it in quotes on one line'
    : 'the value has a line break in it: expected one line'
}

function folded({written}: ChangedText): string | undefined {
  return written && sourceOf(written).trimEnd().includes('\n') && !written.scalar.type?.startsWith('BLOCK')
    ? 'the value goes on in the next line, and has a space there: write it in quotes on one line'
    : undefined
}

function quotedTwice({value = '', written}: ChangedText): string | undefined {
  if (/^[“”„‟«»‘’‚‛‹›].*[“”„‟«»‘’‚‛‹›]$/su.test(value))
    return 'quotes of this form are part of the value: write " or \' in their place'
  const isQuoted = written?.scalar.type?.startsWith('QUOTE') ?? false
  return !isQuoted && /^(["']).*\1$/su.test(value)
    ? 'the quotes around the value are a part of it here: take them away'
    : undefined
}

/** Nothing between quotes is meant so; in a file, in a variable or after the name of a secret it was forgotten. */
function emptied({value, written, path}: ChangedText, read: RawYaml): string | undefined {
  if (value === '' && !written?.scalar.type?.startsWith('QUOTE')) return 'expected text, got an empty one'
  if (value !== undefined || path.at(-1) !== 'password' || written?.scalar.source !== '') return undefined
  return isThere(read, ['mqtt', 'username'])
    ? 'expected a password for the username, got nothing; without one, leave out the key'
    : undefined
}

function isThere(read: RawYaml | undefined, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return read !== undefined
  return typeof read === 'object' && !Array.isArray(read) && isThere(read[key], rest)
}

function sourceOf({scalar, yaml}: Written): string {
  return yaml.text.slice(scalar.range?.[0], scalar.range?.[1])
}

/** What examples, shells, Docker and Home Assistant have in the place of a value: nothing fills it in here. */
const PLACEHOLDER = /^(?:\$\{\w+[^}]*\}|\$[A-Z][A-Z_]{3,}|\{\{.*\}\}|<[^<>]+>|your[ _-].*|change_?me)$/i

function notFilledIn({value = ''}: ChangedText): string | undefined {
  if (!PLACEHOLDER.test(value)) return undefined
  return 'a placeholder, which nothing fills in here: write the text itself, or `!env NAME` for the environment variable NAME'
}

/**
 * Turns a parsed config.yaml into a valid `Config`, or into all of its problems, each at its line: resolves tags, applies environment
 * variables, checks the schema and the rules, and collects the warnings.
 */
import {dirname, isAbsolute, join, resolve} from 'node:path'
import type * as z from 'zod'
import {Redactor} from '../common/redact.ts'
import {issuePath, parseWithMessages} from '../common/schema-errors.ts'
import {MASK} from '../common/secret.ts'
import {builtIn, Catalogue} from '../models/catalogue.ts'
import {
  ConfigError,
  type ConfigIssue,
  type ConfigWarning,
  type LazyText,
  MAX_PROBLEMS,
  messageText,
  type ProblemPlace,
  redactedKey,
  type ValidationIssue,
  type WarningIssue,
} from './config-error.ts'
import {type DefinitionFile, parseDefinitions} from './definitions/definition-files.ts'
import {stateFolder} from './paths.ts'
import {applyOverride, type Environment, readOverrides} from './read/environment.ts'
import {type ReadFile, TagResolver, UnresolvedTag} from './read/tag-resolver.ts'
import {textWarnings} from './read/text-warnings.ts'
import {
  isRawMapping,
  type RawYaml,
  textAt,
  valueAt,
  type YamlFile,
  type YamlPath,
  YamlPlaces,
} from './read/yaml.ts'
import type {Tag} from './read/yaml-errors.ts'
import {readYaml} from './read/yaml-reader.ts'
import {type Config, configSchema} from './schema/schema.ts'
import {ANY_NAME, isSetting, keysAt} from './schema/settings.ts'
import {hasSettingsOutside, isEmptyMapping, ruleIssues} from './validate/rules.ts'
import {formHint, intendedKeyAt, keyHint, removeMisplacedSections} from './validate/setting-hints.ts'
import {configWarnings} from './validate/warnings.ts'

/** Parses one configuration once. */
export class ConfigParser {
  readonly #yaml: YamlFile
  readonly #env: Environment
  readonly #tags: TagResolver
  readonly #places = new YamlPlaces()
  readonly #problems: ConfigIssue[]
  /** Paths whose value is missing for a reason that is reported: what the schema reports about them is left out. */
  readonly #gaps = new Set<string>()
  /** Paths whose value is the content of a file. */
  readonly #fromFiles = new Set<string>()
  /** Removes texts of `!env`, `!file`, `!secret` and variables from messages: any of them may be secret. */
  readonly #redactor = new Redactor()
  /** The values of the file and the environment, as texts. */
  #values: RawYaml = ''
  #areSettingsOutside: boolean | undefined

  /** @param readFile gives the content of the files that `referencedFiles` lists */
  constructor(yaml: YamlFile, env: Environment, readFile: ReadFile) {
    this.#yaml = yaml
    this.#env = env
    this.#tags = new TagResolver(yaml.file, env, readFile)
    this.#problems = [...yaml.problems]
    if (yaml.readable) this.#values = this.#withEnvironment(this.#readValues())
  }

  /** The folder of the user's own definitions, where one is configured. */
  get modelFolder(): string | undefined {
    const folder = textAt(this.#values, ['models'])
    if (!folder) return undefined
    return isAbsolute(folder) ? folder : join(dirname(this.#yaml.file), folder)
  }

  /** @param definitions the files of `modelFolder`, or why it cannot be read @throws ConfigError with all problems */
  parse(definitions: readonly DefinitionFile[] | {problem: string}): Config {
    if (!this.#yaml.readable) throw new ConfigError(this.#problems)
    const values = this.#values
    for (const {path, message} of removeMisplacedSections(values)) this.#report(path, message)
    const own = parseDefinitions('problem' in definitions ? [] : definitions)
    if ('problem' in definitions) this.#report(['models'], definitions.problem)
    const parsed = parseWithMessages(configSchema, values)
    for (const issue of parsed.error?.issues ?? []) this.#reportIssue(issue)
    const issues = [...ruleIssues(values, own.models), ...this.#passwordIssues()]
    for (const {path, message} of issues) if (!this.#isGap(path)) this.#report(path, message)
    this.#problems.push(...this.#tags.problems, ...own.problems)
    if (!parsed.success || this.#problems.length > 0)
      throw new ConfigError(this.#problems.sort(byPlace(this.#yaml.file)))
    const {state_dir} = parsed.data
    const config = {
      ...parsed.data,
      state_dir:
        state_dir === undefined ? stateFolder(this.#env) : resolve(dirname(this.#yaml.file), state_dir),
      catalogue: own.models.length > 0 ? new Catalogue(own.models) : builtIn,
      warnings: [],
    }
    const texts = textWarnings(this.#yaml, values, this.#places, this.#tags.secretsFile)
    return {...config, warnings: this.placeWarnings([...texts, ...configWarnings(config)])}
  }

  /** The error for a problem at `path` that is found after everything else was valid. */
  errorAt(path: YamlPath, message: string): ConfigError {
    this.#report(path, message)
    return new ConfigError(this.#problems)
  }

  /** Adds their places to warnings, and sorts them like the file: the first hundred, and the number of the others. */
  placeWarnings(issues: readonly WarningIssue[]): ConfigWarning[] {
    const placed = issues.map(({code, path, message, place = this.#placeOf(path)}) => ({
      ...place,
      path: this.#shownPath(path),
      message,
      code,
    }))
    const {file} = this.#yaml
    const shown = placed.sort(byPlace(file)).slice(0, MAX_PROBLEMS)
    const more = placed.length - shown.length
    return [
      ...shown.map((each) => ({...each, message: this.#redactor.scrub(messageText(each.message))})),
      ...(more > 0 ? [{file, path: '', message: `and ${more} more warnings`, code: 'more'}] : []),
    ]
  }

  /**
   * A password may begin with a space or have a tab in it. More likely it was copied so, or has the escapes of double quotes. The
   * content of a file counts as it is.
   */
  #passwordIssues(): ValidationIssue[] {
    const path = ['mqtt', 'password']
    const password = textAt(this.#values, path)
    if (password === undefined || this.#fromFiles.has(JSON.stringify(path))) return []
    const otherwise = 'or read a password that has one with `!file`'
    const hasControl = /[^\P{Cc}\0]/u.test(password.trim())
    const isSpaced = password.trim() !== password && !/[\r\n]$/.test(password)
    if (!hasControl && !isSpaced) return []
    const message = hasControl
      ? `expected no tab or line break in it: in single quotes a backslash is itself, ${otherwise}`
      : `expected no space at the beginning or end: remove it, ${otherwise}`
    return [{path, message}]
  }

  #readValues(): RawYaml {
    const read = readYaml(this.#yaml, {
      places: this.#places,
      resolve: (tag, text, path) => this.#resolveTag(tag, text, path),
      empty: (path, isCommented) => {
        if (isCommented && keysAt(path).length === 0) this.#reportGap(path, COMMENTED)
        // A setting counts as missing; a plug or group has no settings; an unknown key stays, to be reported.
        if (path.length === 2 && (path[0] === 'devices' || path[0] === 'groups')) return Object.create(null)
        return keysAt(path.slice(0, -1)).includes(String(path.at(-1))) ? undefined : ''
      },
      report: (path, message) => this.#reportGap(path, message),
      isAnyText: (path) => path.at(-1) === 'password',
    })
    return read ?? Object.create(null)
  }

  #withEnvironment(values: RawYaml): RawYaml {
    const {overrides, misspelled} = readOverrides(this.#env, values, this.#tags.variables)
    for (const {variable, path, value} of overrides) {
      this.#places.replace(path, {file: `environment ${variable}`})
      if ('file' in value) this.#fromFiles.add(JSON.stringify(path))
      else this.#fromFiles.delete(JSON.stringify(path))
      const content = () => ('text' in value ? value.text : this.#tags.fileContent(value.file))
      if (isRawMapping(values)) applyOverride(values, path, this.#resolve(path, content))
    }
    for (const {variable, message} of misspelled)
      this.#problems.push({file: `environment ${variable}`, path: '', message})
    return values
  }

  #resolveTag(tag: Tag, text: string, path: YamlPath): string {
    if (!isSetting(path)) return ''
    if (tag === '!file') this.#fromFiles.add(JSON.stringify(path))
    if (keysAt(path).length === 0) return this.#resolve(path, () => this.#tags.resolve(tag, text))
    this.#reportGap(path, `expected its settings, got ${tag}, which stands for a single text`)
    return ''
  }

  #resolve(path: YamlPath, source: () => string): string {
    try {
      const text = source()
      this.#redactor.add(text)
      return text
    } catch (error) {
      if (!(error instanceof UnresolvedTag)) throw error
      if (error.reason === undefined) this.#gaps.add(JSON.stringify(path))
      else this.#reportGap(path, error.reason)
      return ''
    }
  }

  #reportIssue(issue: z.core.$ZodIssue): void {
    const path = issuePath(issue)
    // The setting whose absence is the problem.
    const missing: unknown = issue.code === 'custom' ? issue.params?.['missing'] : undefined
    if (this.#isGap(path) || this.#isReportedElsewhere(path)) return
    if (typeof missing === 'string' && this.#isReportedElsewhere([...path.slice(0, -1), missing])) return
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys.filter((each) => !this.#isGap([...path, each])))
        this.#report([...path, key], () => this.#unknownKeyText(key, path))
    } else if (issue.code === 'invalid_type')
      this.#report(path, () => issue.message + formHint(issue.expected, path, valueAt(this.#values, path)))
    else this.#report(path, issue.message)
  }

  #unknownKeyText(key: string, path: YamlPath): string {
    if (this.#mayBeSecret(key, path) && !key.startsWith('//'))
      return 'unknown key, not shown as it may be a part of a password: put a text with "," in quotes, and write ": " behind a key'
    return `unknown key${keyHint(key, path, valueAt(this.#values, [...path, key]))}`
  }

  /**
   * Whether an unknown key may be a part of a secret value: `{password: sec,ret}` has a key `ret` without a value, and
   * `password=secret` is a key as a whole.
   */
  #mayBeSecret(key: string, path: YamlPath): boolean {
    const known = keysAt(path)
    if (known.includes(key) || known.includes(ANY_NAME)) return false
    if (!LIKE_A_KEY.test(key)) return true
    const parent = valueAt(this.#values, path)
    if (parent === undefined) return path[0] === 'mqtt' // while the file is read, the keys beside this one are not known yet
    return valueAt(parent, [key]) === '' && SECRETS.some((each) => valueAt(parent, [each]) !== undefined)
  }

  /** Whether a setting is missing only because its key is misspelled, or because of a reported problem of the mapping around it. */
  #isReportedElsewhere(path: YamlPath): boolean {
    const outer = path.slice(0, -1)
    const [parent, key] = [valueAt(this.#values, outer), path.at(-1)]
    if (!isRawMapping(parent) || typeof key !== 'string' || Object.hasOwn(parent, key)) return false
    if (this.#isGap(outer)) return true
    if (path.length === 3 && path[0] === 'devices' && isEmptyMapping(parent)) {
      this.#areSettingsOutside ??= hasSettingsOutside(valueAt(this.#values, ['devices']))
      if (this.#areSettingsOutside) return true
    }
    const known = keysAt(outer)
    return Object.keys(parent).some((other) => !known.includes(other) && intendedKeyAt(other, outer) === key)
  }

  #isGap(path: YamlPath): boolean {
    return this.#gaps.has(JSON.stringify(this.#writtenPath(path)))
  }

  /** Reports a problem that leaves `path` without a value. */
  #reportGap(path: YamlPath, message: LazyText): void {
    this.#gaps.add(JSON.stringify(path))
    this.#report(path, message)
  }

  #report(path: YamlPath, message: LazyText): void {
    const redacted = () => this.#redactor.scrub(messageText(message))
    this.#problems.push({...this.#placeOf(path), path: this.#shownPath(path), message: redacted})
  }

  #placeOf(path: YamlPath): ProblemPlace {
    return this.#places.find(path) ?? {file: this.#yaml.file}
  }

  #shownPath(path: YamlPath): string {
    return this.#writtenPath(path)
      .map((key, depth) =>
        typeof key === 'string' && this.#mayBeSecret(key, path.slice(0, depth)) ? MASK : redactedKey(key),
      )
      .join('.')
  }

  /** Without the index of a single value that stands for a list of one. */
  #writtenPath(path: YamlPath): YamlPath {
    return typeof path.at(-1) === 'number' && !this.#places.has(path) ? path.slice(0, -1) : path
  }
}

/** Words with spaces, dots and hyphens, as keys of all programs are, in quotes of any kind. */
const LIKE_A_KEY = /^[\p{Pi}\p{Pf}\p{Ps}"']?[\p{L}_<][\p{L}\p{N}_.<> -]{0,39}[\p{Pi}\p{Pf}\p{Ps}"']?$/u
/** Settings whose values may have been cut into keys. */
const SECRETS = ['password', 'username', 'url', 'token']

const COMMENTED = 'nothing is left of it, as "#" begins a comment: put the text in quotes'

/** In the order of the configuration, then of the files that it names. */
function byPlace(file: string): (a: ProblemPlace, b: ProblemPlace) => number {
  return (a, b) => {
    if (a.file !== b.file) return b.file === file || (a.file !== file && a.file > b.file) ? 1 : -1
    return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
  }
}

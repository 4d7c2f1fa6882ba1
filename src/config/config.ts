/** config.yaml to a Config, or to every problem in it at once. */
import {realpath, stat} from 'node:fs/promises'
import {dirname, isAbsolute, join, resolve} from 'node:path'
import {isMap, isNode, isScalar} from 'yaml'
import type {z} from 'zod'
import type {ConfigEdit} from '../bridge/requests/bridge-actions.ts'
import {removeTemporaryFiles, writeFileAtomically} from '../common/atomic-write.ts'
import {type Clock, type Random, randomHex} from '../common/clock.ts'
import {Redactor} from '../common/redact.ts'
import {parseWithMessages} from '../common/schema-errors.ts'
import {MASK} from '../common/secret.ts'
import {builtIn, Catalogue} from '../models/catalogue.ts'
import {
  ConfigError,
  type ConfigIssue,
  type ConfigWarning,
  type LazyText,
  MOST_TOLD,
  messageText,
  type ProblemPlace,
  shownKey,
} from './config-error.ts'
import {
  type DefinitionFile,
  listDefinitionFiles,
  parseDefinitions,
  readDefinitionFolder,
} from './definitions/definition-files.ts'
import {stateFolder, stateFolderProblem} from './paths.ts'
import {changedTexts} from './read/changed-texts.ts'
import {type Environment, override, readOverrides} from './read/environment.ts'
import {fileErrorText, LONGEST_DOCUMENT, readText} from './read/read-file.ts'
import {FileSignatures, settled} from './read/settled-file.ts'
import {filesNamed, type ReadFile, readAhead, TagSources, UnresolvedTag} from './read/tag-sources.ts'
import type {Tag} from './read/tags.ts'
import {
  isNull,
  parseYaml,
  type RawMapping,
  type RawYaml,
  readYaml,
  type YamlFile,
  type YamlPath,
  YamlPlaces,
} from './read/yaml.ts'
import {type Config, configSchema} from './schema/schema.ts'
import {ANY, isSetting, keysAt} from './schema/settings.ts'
import {formAdvice, keyAdvice, meantHere, takeOutSections} from './validate/advice.ts'
import {validateAttributeTopics} from './validate/attribute-topics.ts'
import {validateGroups} from './validate/device-groups.ts'
import {
  hasSettingsOutside,
  isEmptyMapping,
  type ValidationIssue,
  validateDevices,
} from './validate/devices.ts'
import {exposedFiles} from './validate/file-permissions.ts'
import {validateHomeAssistantTopics} from './validate/homeassistant-topics.ts'
import {publicHostIssues} from './validate/hosts.ts'
import {type ConfigCaution, exposedFileWarning, warningsAbout} from './validate/warnings.ts'
import {editConfigText} from './write/edit.ts'

export {ConfigError, type ConfigWarning, describeProblem, type Problem} from './config-error.ts'
export {maskedConfig, secretsOf} from './describe/masked-config.ts'
export {configPath, stateFolder} from './paths.ts'
export type {Environment} from './read/environment.ts'
export type {ReadFile} from './read/tag-sources.ts'
export {parseDuration, parseToken} from './schema/fields.ts'
export {
  type Config,
  type DeviceConfig,
  type GroupConfig,
  type MqttConfig,
  type PollConfig,
  pollOf,
} from './schema/schema.ts'
export {jsonSchema} from './schema/settings.ts'
export {exposedFiles} from './validate/file-permissions.ts'
export {nameProblem} from './validate/names.ts'

export interface ParseOptions {
  /** The name of the file, for errors; paths in it are relative to its folder. */
  file: string
  env: Environment
  /** The content of the files that the text refers to. By default there are none. */
  readFile?: ReadFile
  /** The files in the folder `models`. By default there are none. */
  models?: readonly DefinitionFile[]
}

/**
 * Reads the configuration and all that it refers to. Nothing blocks, so that it can be read again at any time.
 * @throws ConfigError
 */
export async function loadConfig(file: string, env: Environment = process.env): Promise<Config> {
  return understood(parseYaml(await textOf(file), file), env)
}

/** The configuration and every file that it names, whether or not they can be read. Never rejects. */
export async function configFiles(file: string, env: Environment = process.env): Promise<string[]> {
  const text = await readText(file, LONGEST_DOCUMENT).catch(() => '')
  return [file, ...filesNamed(parseYaml(text, file), env)]
}

export interface ReloadOptions {
  /** The configuration in use. */
  running: Config
  clock: Clock
  env?: Environment
}

/**
 * As `loadConfig`, for a bridge that runs. A file that is being saved is read again until it is complete; one without `devices` is
 * refused while plugs are in use, since an empty file and one that was cut off are valid, too.
 * @throws ConfigError
 */
export function reloadConfig(
  file: string,
  {running, clock, env = process.env}: ReloadOptions,
): Promise<Config> {
  return settled(file, clock, async (signatures) => {
    const yaml = parseYaml(await textOf(file, signatures), file)
    mustNameDevices(yaml, running)
    return understood(yaml, env, signatures)
  })
}

/**
 * Changes the configuration file, and nothing in it but what is to change. It is replaced whole, or not at all.
 * @returns what it says then
 * @throws ConfigError when an edit gives a plug an address outside of private networks, or the file would be invalid then, was changed
 * by somebody else meanwhile, or cannot be written: it is as it was
 */
export async function editConfig(
  file: string,
  edits: readonly ConfigEdit[],
  {running, clock, random, env = process.env}: ReloadOptions & {random: Random},
): Promise<Config> {
  const foreign = publicHostIssues(edits, file)
  if (foreign.length > 0) throw new ConfigError(foreign)
  const signatures = new FileSignatures()
  const before = await settled(file, clock, async (seen) => {
    await signatures.note([file])
    return textOf(file, seen)
  })
  mustNameDevices(parseYaml(before, file), running)
  const {text, yaml} = editConfigText(before, file, edits)
  const config = await understood(yaml, env)
  const mustBeUnchanged = async () => {
    if (!(await signatures.areUnchanged()))
      throw new ConfigError([{file, path: '', message: CHANGED_MEANWHILE}])
  }
  try {
    const target = await realpath(file) // a link stays one
    const {mode} = await stat(target)
    await removeTemporaryFiles(target).catch(() => {})
    await writeFileAtomically(target, text, randomHex(random), mode & 0o777, mustBeUnchanged)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const message = `cannot write the configuration: ${fileErrorText(error, 'write')}; the bridge needs to write in its folder`
    throw new ConfigError([{file, path: '', message}])
  }
  return config
}

/** Sweeps away what edits have left that were killed before they were done: copies of the file, with all tokens. Never rejects. */
export async function removeUnfinishedEdits(file: string): Promise<void> {
  await realpath(file)
    .then(removeTemporaryFiles)
    .catch(() => {})
}

const CHANGED_MEANWHILE = 'the file was changed by another program at the same time: send the request again'

/** @throws ConfigError */
function mustNameDevices({file, document, readable}: YamlFile, {devices}: Config): void {
  const inUse = Object.keys(devices).length
  if (inUse === 0 || !readable || isNamed(document, 'devices')) return
  const message =
    `expected \`devices\`, got a file without it while ${inUse} are in use: was it saved in part? ` +
    '`devices: {}` is how to remove them all'
  throw new ConfigError([{file, path: 'devices', message}])
}

/** Whether the key has a value. Text that is cut off behind `devices:` has none. */
function isNamed({contents}: YamlFile['document'], key: string): boolean {
  if (!isMap(contents)) return false
  const value = contents.get(key, true)
  return isNode(value) && !(isScalar(value) && isNull(value))
}

async function textOf(file: string, signatures?: FileSignatures): Promise<string> {
  await signatures?.note([file])
  return readText(file, LONGEST_DOCUMENT).catch((error: unknown) => {
    throw new ConfigError([
      {file, path: '', message: `cannot read the configuration: ${fileErrorText(error)}`},
    ])
  })
}

/** @param signatures noted of every file that is read beside the configuration */
async function understood(yaml: YamlFile, env: Environment, signatures?: FileSignatures): Promise<Config> {
  const named = filesNamed(yaml, env)
  await signatures?.note(named)
  const parsing = new Parsing(yaml, env, await readAhead(named))
  const folder = parsing.modelFolder
  if (folder !== undefined) await signatures?.note(await listDefinitionFiles(folder))
  const config = parsing.run(folder === undefined ? [] : await readDefinitionFolder(folder))
  const problem = await stateFolderProblem(config.state_dir)
  if (problem !== undefined) throw parsing.refusal(['state_dir'], problem)
  const exposures = (await exposedFiles(yaml.file, config)).map(exposedFileWarning)
  return {...config, warnings: [...parsing.warnings(exposures), ...config.warnings]}
}

/**
 * The configuration that `text` describes.
 * @throws ConfigError
 */
export function parseConfig(text: string, {file, env, readFile = noFile, models = []}: ParseOptions): Config {
  return new Parsing(parseYaml(text, file), env, readFile).run(models)
}

/** @throws Error always */
function noFile(): never {
  throw Object.assign(new Error('no files'), {code: 'ENOENT'})
}

/** One reading of one file: what was found, where it was written, and what is wrong with it. */
class Parsing {
  readonly #yaml: YamlFile
  readonly #env: Environment
  readonly #sources: TagSources
  readonly #places = new YamlPlaces()
  readonly #problems: ConfigIssue[]
  /** Paths without a value for a reason that was reported: what the schema says about the gap would only confuse. */
  readonly #gaps = new Set<string>()
  /** Paths of values that are the content of a file. */
  readonly #fromFiles = new Set<string>()
  /** What came from elsewhere may be secret whatever the setting: it is not repeated. */
  readonly #unseen = new Redactor()
  #written: RawYaml | undefined
  #outside: boolean | undefined

  constructor(yaml: YamlFile, env: Environment, readFile: ReadFile) {
    this.#yaml = yaml
    this.#env = env
    this.#sources = new TagSources(yaml.file, env, readFile)
    this.#problems = [...yaml.problems]
  }

  /** Where the user's own definitions are. */
  get modelFolder(): string | undefined {
    const {written} = this
    const folder = isMapping(written) ? written['models'] : undefined
    if (typeof folder !== 'string' || folder === '') return undefined
    return isAbsolute(folder) ? folder : join(dirname(this.#yaml.file), folder)
  }

  /** What the file and the environment say, as text. */
  get written(): RawYaml {
    this.#written ??= this.#yaml.readable ? this.#withEnvironment(this.#read()) : ''
    return this.#written
  }

  /** @param models what is in `modelFolder`, or why it cannot be read. @throws ConfigError */
  run(models: readonly DefinitionFile[] | {problem: string}): Config {
    if (!this.#yaml.readable) throw new ConfigError(this.#problems)
    const {written} = this
    for (const {path, message} of takeOutSections(written)) this.#report(path, message)
    const own = parseDefinitions('problem' in models ? [] : models)
    if ('problem' in models) this.#report(['models'], models.problem)
    const understood = parseWithMessages(configSchema, written)
    for (const issue of understood.error?.issues ?? []) this.#reportIssue(issue)
    const rules = [
      validateDevices(written),
      validateGroups(written),
      validateHomeAssistantTopics(written),
      validateAttributeTopics(written, own.models),
      this.#oddPassword(),
    ]
    for (const {path, message} of rules.flat()) if (!this.#isGap(path)) this.#report(path, message)
    this.#problems.push(...this.#sources.problems, ...own.problems)
    if (understood.success && this.#problems.length === 0)
      return this.#located(understood.data, own.models.length > 0 ? new Catalogue(own.models) : builtIn)
    throw new ConfigError(this.#problems.sort(byPlace(this.#yaml.file)))
  }

  /**
   * A password may have these, but they are likelier to have been copied along, or to be the escapes of double quotes. What a
   * file holds is taken as it is.
   */
  #oddPassword(): ValidationIssue[] {
    const path = ['mqtt', 'password']
    const password = this.#valueAt(path)
    if (typeof password !== 'string' || this.#fromFiles.has(JSON.stringify(path))) return []
    const rest = 'or read a password that has one with `!file`'
    if (/[^\P{Cc}\0]/u.test(password.trim()))
      return [
        {
          path,
          message: `expected no tab or line break in it: in single quotes a backslash is itself, ${rest}`,
        },
      ]
    const isSpaced = password.trim() !== password && !/[\r\n]$/.test(password)
    const message = `expected no space at the beginning or end: take it away, ${rest}`
    return isSpaced ? [{path, message}] : []
  }

  /** What to throw for a problem at `path` that shows after everything was understood. */
  refusal(path: YamlPath, message: string): ConfigError {
    this.#report(path, message)
    return new ConfigError(this.#problems)
  }

  /** What is found, with its places, in the order of the file: the first hundred, and how many more. */
  warnings(found: readonly ConfigCaution[]): ConfigWarning[] {
    const placed = found.map(({code, path, message, place = this.#placeOf(path)}) => ({
      ...place,
      path: this.#shown(path),
      message,
      code,
    }))
    const {file} = this.#yaml
    const told = placed.sort(byPlace(file)).slice(0, MOST_TOLD)
    const more = placed.length - told.length
    return [
      ...told.map((each) => ({...each, message: this.#unseen.scrub(messageText(each.message))})),
      ...(more > 0 ? [{file, path: '', message: `and ${more} more warnings`, code: 'more'}] : []),
    ]
  }

  #warningsAbout(config: Config): ConfigWarning[] {
    const {secretsFile} = this.#sources
    const texts = changedTexts(this.#yaml, this.written, this.#places, secretsFile)
    return this.warnings([...texts, ...warningsAbout(config)])
  }

  #located(settings: z.output<typeof configSchema>, catalogue: Catalogue): Config {
    const {state_dir} = settings
    const folder =
      state_dir === undefined ? stateFolder(this.#env) : resolve(dirname(this.#yaml.file), state_dir)
    const config = {...settings, state_dir: folder, catalogue, warnings: []}
    return {...config, warnings: this.#warningsAbout(config)}
  }

  #read(): RawYaml {
    const read = readYaml(this.#yaml, {
      places: this.#places,
      resolve: (tag, text, path) => this.#resolveTag(tag, text, path),
      empty: (path, isCommented) => {
        if (isCommented && keysAt(path).length === 0) this.#reportGap(path, COMMENTED)
        return emptyValue(path)
      },
      report: (path, message) => this.#reportGap(path, message),
      isAnyText: (path) => path.at(-1) === 'password',
    })
    return read ?? Object.create(null)
  }

  /** Overrides what was read by what the environment says. */
  #withEnvironment(read: RawYaml): RawYaml {
    const {overrides, misspelled} = readOverrides(this.#env, read, this.#sources.variables)
    for (const {variable, path, value} of overrides) {
      this.#places.replace(path, {file: `environment ${variable}`})
      if ('file' in value) this.#fromFiles.add(JSON.stringify(path))
      else this.#fromFiles.delete(JSON.stringify(path))
      const content = () => ('text' in value ? value.text : this.#sources.content(value.file))
      if (isMapping(read)) override(read, path, this.#resolve(path, content))
    }
    for (const {variable, message} of misspelled)
      this.#problems.push({file: `environment ${variable}`, path: '', message})
    return read
  }

  #resolveTag(tag: Tag, text: string, path: YamlPath): string {
    if (!isSetting(path)) return ''
    if (tag === '!file') this.#fromFiles.add(JSON.stringify(path))
    if (keysAt(path).length === 0) return this.#resolve(path, () => this.#sources.resolve(tag, text))
    this.#reportGap(path, `expected its settings, got ${tag}, which stands for a single text`)
    return ''
  }

  #resolve(path: YamlPath, source: () => string): string {
    try {
      const text = source()
      this.#unseen.add(text)
      return text
    } catch (error) {
      if (!(error instanceof UnresolvedTag)) throw error
      if (error.words === undefined) this.#gaps.add(JSON.stringify(path))
      else this.#reportGap(path, error.words)
      return ''
    }
  }

  #reportIssue(issue: z.core.$ZodIssue): void {
    const path = keysOf(issue)
    if (this.#isGap(path) || this.#isMisspelled(path) || this.#isMisspelled(missingIn(issue) ?? [])) return
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys.filter((each) => !this.#isGap([...path, each])))
        this.#report([...path, key], () => this.#unknownKey(key, path))
    } else if (issue.code === 'invalid_type')
      this.#report(path, () => issue.message + formAdvice(issue.expected, path, this.#valueAt(path)))
    else this.#report(path, issue.message)
  }

  #unknownKey(key: string, path: YamlPath): string {
    if (this.#mayBeSecret(key, path) && !key.startsWith('//'))
      return 'unknown key, not shown as it may be a part of a password: put a text with "," in quotes, and write ": " behind a key'
    return `unknown key${keyAdvice(key, path, this.#valueAt([...path, key]))}`
  }

  /**
   * Whether a key that nobody knows may be the rest of a value: `{password: sec,ret}` has a key `ret` without a value, and
   * `password=secret` is one whole.
   */
  #mayBeSecret(key: string, path: YamlPath): boolean {
    const known = keysAt(path)
    if (known.includes(key) || known.includes(ANY)) return false
    if (!LIKE_A_KEY.test(key)) return true
    const around = this.#valueAt(path)
    if (around === undefined) return path[0] === 'mqtt' // the file is being read: what stands beside the key is not known yet
    return childOf(around, key) === '' && SECRETS.some((each) => childOf(around, each) !== undefined)
  }

  /** Whether a setting is missing only because its key is written in another way, or a problem of what is around it was said. */
  #isMisspelled(path: YamlPath): boolean {
    const [around, key] = [this.#valueAt(path.slice(0, -1)), path.at(-1)]
    if (around === undefined || !isMapping(around) || typeof key !== 'string' || Object.hasOwn(around, key))
      return false
    if (this.#isGap(path.slice(0, -1))) return true
    if (path.length === 3 && path[0] === 'devices' && isEmptyMapping(around) && this.#areSettingsOutside)
      return true
    const known = keysAt(path.slice(0, -1))
    return Object.keys(around).some(
      (other) => !known.includes(other) && meantHere(other, path.slice(0, -1)) === key,
    )
  }

  get #areSettingsOutside(): boolean {
    this.#outside ??= hasSettingsOutside(this.#valueAt(['devices']))
    return this.#outside
  }

  #valueAt(path: YamlPath): RawYaml | undefined {
    let value: RawYaml | undefined = this.#written
    for (const key of path) value = childOf(value, key)
    return value
  }

  #isGap(path: YamlPath): boolean {
    return this.#gaps.has(JSON.stringify(this.#asWritten(path)))
  }

  /** Notes a problem after which there is no value at `path`. */
  #reportGap(path: YamlPath, message: LazyText): void {
    this.#gaps.add(JSON.stringify(path))
    this.#report(path, message)
  }

  #report(path: YamlPath, message: LazyText): void {
    const seen = () => this.#unseen.scrub(messageText(message))
    this.#problems.push({...this.#placeOf(path), path: this.#shown(path), message: seen})
  }

  #placeOf(path: YamlPath): ProblemPlace {
    return this.#places.find(path) ?? {file: this.#yaml.file}
  }

  #shown(path: YamlPath): string {
    return this.#asWritten(path)
      .map((key, depth) =>
        typeof key === 'string' && this.#mayBeSecret(key, path.slice(0, depth)) ? MASK : shownKey(key),
      )
      .join('.')
  }

  /** A single value that stands for a list of one has no index. */
  #asWritten(path: YamlPath): YamlPath {
    return typeof path.at(-1) === 'number' && !this.#places.has(path) ? path.slice(0, -1) : path
  }
}

/** Words with spaces, dots and hyphens, as keys of all programs are, in quotes of any kind. */
const LIKE_A_KEY = /^[\p{Pi}\p{Pf}\p{Ps}"']?[\p{L}_<][\p{L}\p{N}_.<> -]{0,39}[\p{Pi}\p{Pf}\p{Ps}"']?$/u
/** Settings whose values may have been cut into keys. */
const SECRETS = ['password', 'username', 'url', 'token']

/** The setting that a rule about several misses, as a path. */
function missingIn(issue: z.core.$ZodIssue): YamlPath | undefined {
  const missing: unknown = issue.code === 'custom' ? issue.params?.['missing'] : undefined
  return typeof missing === 'string' ? [...keysOf(issue).slice(0, -1), missing] : undefined
}

function keysOf({path}: z.core.$ZodIssue): YamlPath {
  return path.map((key) => (typeof key === 'symbol' ? '' : key))
}

const COMMENTED = 'nothing is left of it, as "#" begins a comment: put the text in quotes'

function childOf(value: RawYaml | undefined, key: string | number): RawYaml | undefined {
  if (typeof value !== 'object') return undefined
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined
  return Object.hasOwn(value, key) ? value[key] : undefined
}

/**
 * What a key without a value stands for: nothing, as if the key were not there. But a plug or group is there although
 * nothing is said about it, and a key nobody knows is none of ours even so.
 */
function emptyValue(path: YamlPath): RawYaml | undefined {
  if (path.length === 2 && (path[0] === 'devices' || path[0] === 'groups')) return Object.create(null)
  return keysAt(path.slice(0, -1)).includes(String(path.at(-1))) ? undefined : ''
}

function isMapping(read: RawYaml): read is RawMapping {
  return typeof read === 'object' && !Array.isArray(read)
}

/** In the order of the file, then of what it refers to. */
function byPlace(file: string): (a: ProblemPlace, b: ProblemPlace) => number {
  return (a, b) => {
    if (a.file !== b.file) return b.file === file || (a.file !== file && a.file > b.file) ? 1 : -1
    return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
  }
}

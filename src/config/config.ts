/**
 * Loads, reloads and edits config.yaml. Other folders import the configuration from here. The parts of this folder, in the order in
 * which a file passes them: read (YAML, tags, environment variables), schema (single settings), validate (several settings together),
 * config-parser.ts (all of these). Apart from them: write (edits) and definitions (the user's own models).
 */
import {realpath, stat} from 'node:fs/promises'
import {isNode, isScalar} from 'yaml'
import type {ConfigEdit} from '../bridge/requests/bridge-actions.ts'
import {removeTemporaryFiles, writeFileAtomically} from '../common/atomic-write.ts'
import {type Clock, type Random, randomHex} from '../common/clock.ts'
import {ConfigError} from './config-error.ts'
import {ConfigParser} from './config-parser.ts'
import {
  type DefinitionFile,
  listDefinitionFiles,
  readDefinitionFolder,
} from './definitions/definition-files.ts'
import {exposedFiles, stateFolderProblem} from './paths.ts'
import type {Environment} from './read/environment.ts'
import {FileSignatures, fileErrorText, LONGEST_DOCUMENT, readText, readWhenSettled} from './read/read-file.ts'
import {preloadFiles, type ReadFile, referencedFiles} from './read/tag-resolver.ts'
import {parseYaml, type YamlFile} from './read/yaml.ts'
import {isNull} from './read/yaml-reader.ts'
import type {Config} from './schema/schema.ts'
import {exposedFileWarning} from './validate/warnings.ts'
import {editYaml, publicHostIssues} from './write/edit.ts'

export {ConfigError, type ConfigWarning, describeProblem, type Problem} from './config-error.ts'
export {configPath, exposedFiles, stateFolder} from './paths.ts'
export type {Environment} from './read/environment.ts'
export {parseDuration, parseToken} from './schema/fields.ts'
export type {Config, DeviceConfig} from './schema/schema.ts'
export {jsonSchema, maskedConfig, secretsOf} from './schema/settings.ts'
export {nameProblem} from './validate/names.ts'

/**
 * Reads the configuration and every file that it names. All reading is asynchronous: a running bridge can do it at any time.
 * @throws ConfigError
 */
export async function loadConfig(file: string, env: Environment = process.env): Promise<Config> {
  return parseWithFiles(parseYaml(await readConfigText(file), file), env)
}

/** The configuration and every file that it names, whether or not they can be read. Never rejects. */
export async function configFiles(file: string, env: Environment = process.env): Promise<string[]> {
  const text = await readText(file, LONGEST_DOCUMENT).catch(() => '')
  return [file, ...referencedFiles(parseYaml(text, file), env)]
}

interface ReloadOptions {
  /** The configuration in use. */
  running: Config
  clock: Clock
  env?: Environment
}

/**
 * `loadConfig` for a running bridge. A file that is being saved is read again until it is complete. A file without `devices` is refused
 * while plugs are in use: it would be valid, and so would an empty file or one that was cut off.
 * @throws ConfigError
 */
export function reloadConfig(
  file: string,
  {running, clock, env = process.env}: ReloadOptions,
): Promise<Config> {
  return readWhenSettled(file, clock, async (signatures) => {
    const yaml = parseYaml(await readConfigText(file, signatures), file)
    assertHasDevices(yaml, running)
    return parseWithFiles(yaml, env, signatures)
  })
}

/**
 * Makes `edits` in the configuration file, and changes nothing else in it. The file is replaced as a whole, or not at all.
 * @returns the configuration after the edits
 * @throws ConfigError, and leaves the file as it is, when an edit gives a plug an address outside of private networks, the file would
 * be invalid after the edits, was changed by another program meanwhile, or cannot be written
 */
export async function editConfig(
  file: string,
  edits: readonly ConfigEdit[],
  {running, clock, random, env = process.env}: ReloadOptions & {random: Random},
): Promise<Config> {
  const publicHosts = publicHostIssues(edits, file)
  if (publicHosts.length > 0) throw new ConfigError(publicHosts)
  const signatures = new FileSignatures()
  const before = await readWhenSettled(file, clock, async (current) => {
    await signatures.record([file])
    return readConfigText(file, current)
  })
  assertHasDevices(parseYaml(before, file), running)
  const edited = editYaml(before, file, edits)
  const config = await parseWithFiles(edited, env)
  const assertUnchanged = async () => {
    if (await signatures.areUnchanged()) return
    const message = 'the file was changed by another program at the same time: send the request again'
    throw new ConfigError([{file, path: '', message}])
  }
  try {
    const target = await realpath(file) // a symbolic link stays one
    const {mode} = await stat(target)
    await removeTemporaryFiles(target).catch(() => {})
    await writeFileAtomically(target, edited.text, randomHex(random), mode & 0o777, assertUnchanged)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const message = `cannot write the configuration: ${fileErrorText(error, 'write')}; the bridge needs to write in its folder`
    throw new ConfigError([{file, path: '', message}])
  }
  return config
}

/** Removes the temporary copies of edits whose process was killed: they have all tokens in them. Never rejects. */
export async function removeUnfinishedEdits(file: string): Promise<void> {
  await realpath(file)
    .then(removeTemporaryFiles)
    .catch(() => {})
}

interface ParseOptions {
  /** The name of the file, for errors. Paths in it are relative to its folder. */
  file: string
  env: Environment
  /** The content of the files that the text names. By default there are none. */
  readFile?: ReadFile
  /** The files in the folder `models`. By default there are none. */
  models?: readonly DefinitionFile[]
}

/**
 * The configuration that `text` describes, without any access to files.
 * @throws ConfigError
 */
export function parseConfig(text: string, {file, env, readFile = noFile, models = []}: ParseOptions): Config {
  return new ConfigParser(parseYaml(text, file), env, readFile).parse(models)
}

/** @throws Error always */
function noFile(): never {
  throw Object.assign(new Error('no files'), {code: 'ENOENT'})
}

async function readConfigText(file: string, signatures?: FileSignatures): Promise<string> {
  await signatures?.record([file])
  return readText(file, LONGEST_DOCUMENT).catch((error: unknown) => {
    throw new ConfigError([
      {file, path: '', message: `cannot read the configuration: ${fileErrorText(error)}`},
    ])
  })
}

/** Parses the configuration with the files that it names. @param signatures records every one of these files */
async function parseWithFiles(
  yaml: YamlFile,
  env: Environment,
  signatures?: FileSignatures,
): Promise<Config> {
  const files = referencedFiles(yaml, env)
  await signatures?.record(files)
  const parser = new ConfigParser(yaml, env, await preloadFiles(files))
  const folder = parser.modelFolder
  if (folder !== undefined) await signatures?.record(await listDefinitionFiles(folder))
  const config = parser.parse(folder === undefined ? [] : await readDefinitionFolder(folder))
  const problem = await stateFolderProblem(config.state_dir)
  if (problem !== undefined) throw parser.errorAt(['state_dir'], problem)
  const exposures = (await exposedFiles(yaml.file, config)).map(exposedFileWarning)
  return {...config, warnings: [...parser.placeWarnings(exposures), ...config.warnings]}
}

/** @throws ConfigError when plugs are in use and the file has no `devices` */
function assertHasDevices({file, document, readable}: YamlFile, {devices}: Config): void {
  const inUse = Object.keys(devices).length
  const section = document.get('devices', true)
  // It has no value in a text that is cut off behind `devices:`.
  const hasValue = isNode(section) && !(isScalar(section) && isNull(section))
  if (inUse === 0 || !readable || hasValue) return
  const message =
    `expected \`devices\`, got a file without it while ${inUse} are in use: was it saved in part? ` +
    '`devices: {}` is how to remove them all'
  throw new ConfigError([{file, path: 'devices', message}])
}

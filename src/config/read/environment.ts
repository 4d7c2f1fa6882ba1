/** Settings from environment variables: `MIIO2MQTT_<PATH>` holds a value, `MIIO2MQTT_<PATH>_FILE` names the file that does. */
import {resolve} from 'node:path'
import {ANY_NAME, keysAt, listPaths, listSettings, type Setting, schemaAt} from '../schema/settings.ts'
import {duplicatesBy} from '../validate/rules.ts'
import {intendedSetting} from '../validate/setting-hints.ts'
import {isRawMapping, mappingAt, type RawMapping, type RawYaml, type YamlPath} from './yaml.ts'

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'MIIO2MQTT_'
const FILE_SUFFIX = '_FILE'
/** The path of the configuration itself. Not a setting. */
export const CONFIG = `${PREFIX}CONFIG`

const NAMED_SECTIONS = ['devices', 'groups']

/** A setting that the environment overrides: by a text, or by the content of a file. */
interface EnvironmentOverride {
  variable: string
  path: string[]
  value: {text: string} | {file: string}
}

/** A variable that begins with `MIIO2MQTT_` and names no setting, or too many. */
interface MisspelledVariable {
  variable: string
  message: string
}

/**
 * The settings that the environment overrides. An empty variable counts as one that is not set: container files often produce it.
 * @param read the values of the file, which has the names of plugs and groups
 * @param used variables that the file names with `!env`
 */
export function readOverrides(env: Environment, read: RawYaml | undefined, used: ReadonlySet<string>) {
  const overrides: EnvironmentOverride[] = []
  const misspelled: MisspelledVariable[] = []
  const names = Object.keys(env).filter(
    (name) => name.startsWith(PREFIX) && name !== CONFIG && env[name] && !used.has(name),
  )
  for (const variable of names.sort()) {
    const own = settingsOf(variable, read)
    const ofFile = variable.endsWith(FILE_SUFFIX)
      ? settingsOf(variable.slice(0, -FILE_SUFFIX.length), read)
      : []
    const paths = [...own, ...ofFile]
    const [path] = paths
    const text = env[variable] ?? ''
    if (path === undefined) misspelled.push({variable, message: unknownProblem(variable, read)})
    else if (paths.length === 1)
      overrides.push({variable, path, value: own.length > 0 ? {text} : {file: resolve(text)}})
    else {
      const message = `expected one setting, got ${paths.map((each) => each.join('.')).join(' and ')}`
      misspelled.push({variable, message})
    }
  }
  // Settings with both a variable and one that ends in `_FILE`.
  for (const [first, {variable}] of duplicatesBy(overrides, ({path}) => path.join('\0')))
    misspelled.push({variable, message: `expected this or ${first.variable}, got both`})
  return {overrides, misspelled}
}

/** The files that variables name, whether or not the variables are settings. */
export function filesInEnvironment(env: Environment): string[] {
  const names = Object.keys(env).filter((name) => name.startsWith(PREFIX) && name.endsWith(FILE_SUFFIX))
  return names.flatMap((name) => (env[name] ? [resolve(env[name])] : []))
}

/** Sets `path` to `text`, and makes the mappings around it. A list or single value in their place stays. */
export function applyOverride(read: RawMapping, path: YamlPath, text: string): void {
  const [key = '', ...rest] = path
  if (rest.length === 0) read[key] = text
  else {
    const inside: RawYaml = read[key] ?? Object.create(null)
    read[key] = inside
    if (isRawMapping(inside)) applyOverride(inside, rest, text)
  }
}

/** The settings with one value that `variable` may mean. They are several when the names of two plugs are the same in capitals. */
function settingsOf(variable: string, read: RawYaml | undefined): string[][] {
  const named = namedBefore(variable, read)
  return listSettings()
    .filter(hasOneValue)
    .flatMap(({path}) => withNames(path, named))
    .filter((path) => variableOf(path) === variable)
}

function hasOneValue({schema}: Setting): boolean {
  return [schema.type].flat().some((type) => type !== 'array')
}

/** The path with each of the names in place of `<name>`. @param named the paths of plugs and groups */
function withNames(path: string[], named: readonly [section: string, name: string][]): string[][] {
  if (path[1] !== ANY_NAME) return [path]
  return named.filter(([section]) => section === path[0]).map(([, name]) => path.with(1, name))
}

/** The plugs and groups of the file whose variables begin like `variable`. */
function namedBefore(variable: string, read: RawYaml | undefined): [section: string, name: string][] {
  return NAMED_SECTIONS.flatMap((section) => {
    if (!variable.startsWith(`${variableOf([section])}_`)) return []
    return Object.keys(mappingAt(read, [section]))
      .filter((name) => variable.startsWith(`${variableOf([section, name])}_`))
      .map((name): [string, string] => [section, name])
  })
}

/** `MIIO2MQTT_MQTT_BASE_TOPIC` for `mqtt.base_topic`. */
function variableOf(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.toUpperCase().replace(/[^A-Z0-9]+/g, '_')).join('_')
}

function unknownProblem(variable: string, read: RawYaml | undefined): string {
  const name = variable.endsWith(FILE_SUFFIX) ? variable.slice(0, -FILE_SUFFIX.length) : variable
  const [intended] = mappingsBefore(name, read).flatMap((path) => intendedIn(path, name))
  const message = 'expected the name of a setting that has one value'
  if (intended) return `${message}, did you mean "${variableOf(intended)}"?`
  // A variable of a plug or group that is not in the file.
  const section = NAMED_SECTIONS.find((each) => name.startsWith(`${variableOf([each])}_`))
  return section === undefined
    ? message
    : `${message}: it has none of the names under \`${section}\` in the file, written in capitals and with "_"`
}

/** The mappings whose variables begin like `variable`, the innermost first. */
function mappingsBefore(variable: string, read: RawYaml | undefined): string[][] {
  const named = namedBefore(variable, read)
  const sections = listPaths().filter((path) => keysAt(path).some((key) => key !== ANY_NAME))
  return [[], ...named, ...sections.flatMap((path) => withNames(path, named))]
    .filter((path) => variable.startsWith(path.length > 0 ? `${variableOf(path)}_` : PREFIX))
    .toSorted((a, b) => b.length - a.length)
}

/** The setting with one value, in the mapping at `path`, that the end of `variable` was probably meant for. */
function intendedIn(path: string[], variable: string): string[][] {
  const rest = variable.slice((path.length > 0 ? `${variableOf(path)}_` : PREFIX).length).toLowerCase()
  const found = intendedSetting(rest, path)
  if (found === undefined) return []
  const named = path.length > 1 ? found.with(1, path[1] ?? '') : found
  const [inside] = listSettings(schemaAt(found), named)
  return inside && hasOneValue(inside) && !inside.path.includes(ANY_NAME) ? [inside.path] : []
}

/** Settings from environment variables: `MIIO2MQTT_<PATH>` holds a value, `MIIO2MQTT_<PATH>_FILE` names the file that does. */
import {resolve} from 'node:path'
import {ANY_NAME, keysAt, listPaths, listSettings, type Setting, schemaAt} from '../schema/settings.ts'
import {intendedSetting} from '../validate/setting-hints.ts'
import {isRawMapping, type RawMapping, type RawYaml, valueAt, type YamlPath} from './yaml.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'MIIO2MQTT_'
const FILE_SUFFIX = '_FILE'
/** The path of the configuration itself. Not a setting. */
export const CONFIG = `${PREFIX}CONFIG`

/** A setting that the environment overrides: by a text, or by the content of a file. */
export interface EnvironmentOverride {
  variable: string
  path: string[]
  value: {text: string} | {file: string}
}

/** A variable that begins with `MIIO2MQTT_` and names no setting, or too many. */
export interface MisspelledVariable {
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
  const settingsOf = names.length > 0 ? settingsByVariable(read) : () => []
  for (const variable of names.sort()) {
    const own = settingsOf(variable)
    const ofFile = variable.endsWith(FILE_SUFFIX) ? settingsOf(variable.slice(0, -FILE_SUFFIX.length)) : []
    const [path, ...more] = [...own, ...ofFile]
    const text = env[variable] ?? ''
    if (path && more.length === 0)
      overrides.push({variable, path, value: own.length > 0 ? {text} : {file: resolve(text)}})
    else
      misspelled.push({
        variable,
        message: path ? ambiguousProblem([path, ...more]) : unknownProblem(variable, read),
      })
  }
  return {overrides, misspelled: [...misspelled, ...setTwice(overrides)]}
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

/** Finds the settings that a variable may mean. They are several when the names of two plugs are the same in capitals. */
function settingsByVariable(read: RawYaml | undefined): (variable: string) => string[][] {
  const settings = listSettings().filter(hasOneValue)
  const fixed = new Map(settings.map((setting) => [variableOf(setting.path), setting.path]))
  const ofNamed = settings.filter(({path}) => path[1] === ANY_NAME)
  const named = (section: string) => groupBy(namesIn(read, section), snake)
  const names = new Map(['devices', 'groups'].map((section) => [section, named(section)]))
  return (variable) => {
    const path = fixed.get(variable)
    return path ? [path] : ofNamed.flatMap((setting) => pathsInNamed(setting, variable, names))
  }
}

function hasOneValue({schema}: Setting): boolean {
  return [schema.type].flat().some((type) => type !== 'array')
}

/** The paths of a setting of plugs or groups that `variable` means. @param names by section, then by the name in capitals */
function pathsInNamed(
  {path: [section = '', , ...rest]}: Setting,
  variable: string,
  names: ReadonlyMap<string, ReadonlyMap<string, string[]>>,
): string[][] {
  const start = `${PREFIX}${snake(section)}_`
  const end = `_${rest.map(snake).join('_')}`
  if (!variable.startsWith(start) || !variable.endsWith(end)) return []
  const meant = names.get(section)?.get(variable.slice(start.length, -end.length)) ?? []
  return meant.map((name) => [section, name, ...rest])
}

function namesIn(read: RawYaml | undefined, section: string): string[] {
  const named = valueAt(read, [section])
  return isRawMapping(named) ? Object.keys(named) : []
}

function variableOf(path: string[]): string {
  return PREFIX + path.map(snake).join('_')
}

function snake(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')
}

function unknownProblem(variable: string, read: RawYaml | undefined): string {
  const name = variable.endsWith(FILE_SUFFIX) ? variable.slice(0, -FILE_SUFFIX.length) : variable
  const intended = mappingsBefore(read, name).flatMap((path) => intendedIn(path, name))[0]
  const hint = intended === undefined ? unknownNameHint(name) : `, did you mean "${variableOf(intended)}"?`
  return `expected the name of a setting that has one value${hint}`
}

/** The mappings whose variables begin like `variable`, the innermost first. */
function mappingsBefore(read: RawYaml | undefined, variable: string): string[][] {
  const sections = listPaths().filter((path) => keysAt(path).some((key) => key !== ANY_NAME))
  const ofNames = ['devices', 'groups'].flatMap((section) =>
    namesIn(read, section)
      .filter((name) => variable.startsWith(`${variableOf([section, name])}_`))
      .flatMap((name) => [
        [section, name],
        ...sections
          .filter((path) => path[0] === section && path.length > 2)
          .map((path) => path.with(1, name)),
      ]),
  )
  return [[], ...sections.filter((path) => !path.includes(ANY_NAME)), ...ofNames]
    .filter((path) => variable.startsWith(path.length > 0 ? `${variableOf(path)}_` : PREFIX))
    .toSorted((a, b) => b.length - a.length)
}

/** The setting with one value, in the mapping at `path`, that the end of `variable` was probably meant for. */
function intendedIn(path: string[], variable: string): string[][] {
  const rest = variable.slice((path.length > 0 ? `${variableOf(path)}_` : PREFIX).length).toLowerCase()
  const found = intendedSetting(rest, path)
  if (found === undefined) return []
  const around = path.length > 1 ? found.with(1, path[1] ?? '') : found
  const [inside] = listSettings(schemaAt(found), around)
  return inside && hasOneValue(inside) && !inside.path.includes(ANY_NAME) ? [inside.path] : []
}

/** For a variable of a plug or group that is not in the file. */
function unknownNameHint(variable: string): string {
  const section = ['devices', 'groups'].find((each) => variable.startsWith(`${variableOf([each])}_`))
  return section === undefined
    ? ''
    : `: it has none of the names under \`${section}\` in the file, written in capitals and with "_"`
}

function ambiguousProblem(paths: string[][]): string {
  return `expected one setting, got ${paths.map((path) => path.join('.')).join(' and ')}`
}

/** Settings with both a variable and one that ends in `_FILE`. */
function setTwice(overrides: EnvironmentOverride[]): MisspelledVariable[] {
  const both = groupBy(overrides, ({path}) => path.join('\0'))
  return [...both.values()].flatMap(([first, second]) =>
    first && second
      ? [{variable: second.variable, message: `expected this or ${first.variable}, got both`}]
      : [],
  )
}

function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

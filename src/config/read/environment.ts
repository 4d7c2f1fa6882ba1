/** Settings from environment variables: `MIIO2MQTT_<PATH>` holds a value, `MIIO2MQTT_<PATH>_FILE` names the file that does. */
import {resolve} from 'node:path'
import {ANY_NAME, keysAt, listPaths, listSettings, type Setting, schemaAt} from '../schema/settings.ts'
import {intendedSetting} from '../validate/setting-hints.ts'
import type {RawMapping, RawYaml, YamlPath} from './yaml.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'MIIO2MQTT_'
const FILE_SUFFIX = '_FILE'
/** Where the configuration itself is. */
export const CONFIG = `${PREFIX}CONFIG`

/** A setting that the environment overrides. `file`: its value is what this file holds. */
export interface EnvironmentOverride {
  variable: string
  path: string[]
  value: {text: string} | {file: string}
}

/** A variable that is none of ours, though it looks like it. */
export interface MisspelledVariable {
  variable: string
  message: string
}

/**
 * What the environment overrides. An empty variable counts as one that is not set, as container files often produce it.
 * @param read the file's own values: the names of plugs and groups are in it
 * @param others variables that start like ours and are used by the file itself, with `!env`
 */
export function readOverrides(env: Environment, read: RawYaml | undefined, others: ReadonlySet<string>) {
  const overrides: EnvironmentOverride[] = []
  const misspelled: MisspelledVariable[] = []
  const names = Object.keys(env).filter(
    (name) => name.startsWith(PREFIX) && name !== CONFIG && env[name] && !others.has(name),
  )
  const lookUp = names.length > 0 ? settingsByVariable(read) : () => []
  for (const variable of names.sort()) {
    const own = lookUp(variable)
    const ofFile = variable.endsWith(FILE_SUFFIX) ? lookUp(variable.slice(0, -FILE_SUFFIX.length)) : []
    const [path, ...more] = [...own, ...ofFile]
    const text = env[variable] ?? ''
    if (path && more.length === 0)
      overrides.push({variable, path, value: own.length > 0 ? {text} : {file: resolve(text)}})
    else misspelled.push({variable, message: path ? ambiguous([path, ...more]) : unknown(variable, read)})
  }
  return {overrides, misspelled: [...misspelled, ...twice(overrides)]}
}

/** The files that variables name, whether or not these turn out to be settings. */
export function filesInEnvironment(env: Environment): string[] {
  const names = Object.keys(env).filter((name) => name.startsWith(PREFIX) && name.endsWith(FILE_SUFFIX))
  return names.flatMap((name) => (env[name] ? [resolve(env[name])] : []))
}

/** Puts `text` where a setting belongs, with the mappings around it. Where there is something else, it stays. */
export function applyOverride(read: RawMapping, path: YamlPath, text: string): void {
  const [key = '', ...rest] = path
  if (rest.length === 0) read[key] = text
  else {
    const inside: RawYaml = read[key] ?? Object.create(null)
    read[key] = inside
    if (typeof inside === 'object' && !Array.isArray(inside)) applyOverride(inside, rest, text)
  }
}

/** From the name of a variable to the settings it may mean: two plugs' names may look alike in capitals. */
function settingsByVariable(read: RawYaml | undefined): (variable: string) => string[][] {
  const settings = singleValues()
  const fixed = new Map(settings.map((setting) => [variableOf(setting.path), setting.path]))
  const ofNamed = settings.filter(({path}) => path[1] === ANY_NAME)
  const named = (section: string) => groupBy(namesIn(read, section), snake)
  const names = new Map(['devices', 'groups'].map((section) => [section, named(section)]))
  return (variable) => {
    const path = fixed.get(variable)
    return path ? [path] : ofNamed.flatMap((setting) => ofOne(setting, variable, names))
  }
}

function singleValues(): Setting[] {
  return listSettings().filter(hasOneValue)
}

function hasOneValue({schema}: Setting): boolean {
  return [schema.type].flat().some((type) => type !== 'array')
}

/** The setting as that of one plug or group. @param names those in use, by section and by how they look in capitals */
function ofOne(
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
  const named = typeof read === 'object' && !Array.isArray(read) ? read[section] : undefined
  return typeof named === 'object' && !Array.isArray(named) ? Object.keys(named) : []
}

function variableOf(path: string[]): string {
  return PREFIX + path.map(snake).join('_')
}

function snake(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')
}

function unknown(variable: string, read: RawYaml | undefined): string {
  const name = variable.endsWith(FILE_SUFFIX) ? variable.slice(0, -FILE_SUFFIX.length) : variable
  const meant = mappingsIn(read, name).flatMap((path) => meantIn(path, name))[0]
  const hint = meant === undefined ? ofNobody(name) : `, did you mean "${variableOf(meant)}"?`
  return `expected the name of a setting that has one value${hint}`
}

/** The mappings whose variables begin as `variable` does, the innermost first. */
function mappingsIn(read: RawYaml | undefined, variable: string): string[][] {
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

/** The setting, of those with one value, that the end of `variable` was meant for in the mapping at `path`, if any. */
function meantIn(path: string[], variable: string): string[][] {
  const rest = variable.slice((path.length > 0 ? `${variableOf(path)}_` : PREFIX).length).toLowerCase()
  const found = intendedSetting(rest, path)
  if (found === undefined) return []
  const around = path.length > 1 ? found.with(1, path[1] ?? '') : found
  const [inside] = listSettings(schemaAt(found), around)
  return inside && hasOneValue(inside) && !inside.path.includes(ANY_NAME) ? [inside.path] : []
}

/** What to say of a setting of a plug or group that is not in the file. */
function ofNobody(variable: string): string {
  const section = ['devices', 'groups'].find((each) => variable.startsWith(`${variableOf([each])}_`))
  return section === undefined
    ? ''
    : `: it has none of the names under \`${section}\` in the file, written in capitals and with "_"`
}

function ambiguous(paths: string[][]): string {
  return `expected one setting, got ${paths.map((path) => path.join('.')).join(' and ')}`
}

function twice(overrides: EnvironmentOverride[]): MisspelledVariable[] {
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

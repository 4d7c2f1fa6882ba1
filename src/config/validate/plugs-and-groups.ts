/**
 * Rules about plugs and groups as a whole: their names, addresses and members, and what no two of them may share. The rules read the
 * values as they were written, and not the result of the schema: so a mistake elsewhere hides none of these problems.
 */
import {z} from 'zod'
import {MIIO_PORT} from '../../miio/packet.ts'
import {type LazyText, quoted, suggestion, type ValidationIssue} from '../config-error.ts'
import {duplicatesBy} from '../duplicates.ts'
import {isRawMapping, mappingAt, type RawYaml, textAt, valueAt} from '../read/yaml.ts'
import {host} from '../schema/address-fields.ts'
import * as field from '../schema/fields.ts'
import {ANY_NAME, keysAt} from '../schema/settings.ts'
import {nameProblem, normalizedName} from './names.ts'
import {intendedKeyAt} from './setting-hints.ts'

/** What a plug is found by. `null` stands for an invalid value, which the schema reports. */
const identity = z
  .object({
    host: host().nullish().catch(null),
    port: field.withDefault(field.integer(1, 65_535), MIIO_PORT).catch(MIIO_PORT),
    id: field.did().nullish().catch(null),
  })
  .catch({port: MIIO_PORT})
type PlugIdentity = [name: string, z.output<typeof identity>]

/** What no two plugs may share: its key (none for the name itself), its value to compare, and the message. */
const UNIQUE: {
  key: string[]
  comparedBy: (plug: PlugIdentity) => string | null | undefined
  clash: (first: string, second: string) => string
}[] = [
  {key: [], comparedBy: ([name]) => normalizedName(name), clash: nameClash},
  {key: ['id'], comparedBy: ([, {id}]) => id?.toString(), clash: () => 'the same id as'},
  {
    key: ['host'],
    comparedBy: ([, {host, port}]) => host && `${host}:${port}`,
    clash: () => 'the same host and port as',
  },
]

/** Problems of the names, ids and addresses of plugs, and of names in Home Assistant. */
export function validatePlugs(read: RawYaml | undefined): ValidationIssue[] {
  const plugs = Object.entries(mappingAt(read, ['devices'])).map(
    ([name, plug]): PlugIdentity => [name, identity.parse(plug)],
  )
  const clashes = UNIQUE.flatMap(({key, comparedBy, clash}) =>
    duplicatesBy(plugs, comparedBy).map(([[first], [later]]) => ({
      path: ['devices', later, ...key],
      message: `${clash(first, later)} "${first}"`,
    })),
  )
  const names = plugs.map(([name]) => name)
  return [
    ...badNames('devices', 'plug', names),
    ...withoutAddress(plugs, read),
    ...clashes,
    ...repeatedNames(read),
  ]
}

/** Problems of the names and members of groups. */
export function validateGroups(read: RawYaml | undefined): ValidationIssue[] {
  const groups = mappingAt(read, ['groups'])
  const plugs = new Set(Object.keys(mappingAt(read, ['devices'])))
  const names = new Set(Object.keys(groups))
  return [
    ...badNames('groups', 'group', [...names]),
    ...takenNames(plugs, names),
    ...Object.entries(groups).flatMap(([name, group]) => badMembers(name, group, plugs, names)),
  ]
}

function badNames(section: string, kind: string, names: readonly string[]): ValidationIssue[] {
  return names.flatMap((name) => {
    const problem = nameProblem(name)
    return problem ? [{path: [section, name], message: `a ${kind} cannot have this name: ${problem}`}] : []
  })
}

function nameClash(one: string, other: string): string {
  const letters = (name: string) => name.normalize('NFC').toLowerCase()
  return letters(one) === letters(other)
    ? 'the name differs in case alone from that of'
    : 'the name looks like that of'
}

/** Plugs with neither a host nor an id. */
function withoutAddress(plugs: PlugIdentity[], read: RawYaml | undefined): ValidationIssue[] {
  const devices = valueAt(read, ['devices'])
  const isOutside = hasSettingsOutside(devices)
  const unreachable = plugs.filter(([name, {host, id}]) => {
    if (host !== undefined || id !== undefined) return false
    const plug = valueAt(devices, [name])
    return !isReportedElsewhere(plug, name) && !(isOutside && isEmptyMapping(plug))
  })
  const message = 'expected host or id, got neither: there is no way to find this plug'
  return unreachable.map(([name]) => ({path: ['devices', name], message}))
}

/** Whether a plug has no address only because it is no mapping, or has a misspelled key: the schema reports these. */
function isReportedElsewhere(plug: RawYaml | undefined, name: string): boolean {
  if (!isRawMapping(plug)) return true
  const intended = Object.keys(plug).map((key) => intendedKeyAt(key, ['devices', name]))
  return intended.includes('host') || intended.includes('id')
}

/** Whether settings of a plug stand beside the names of plugs: then an empty plug has its settings there. */
export function hasSettingsOutside(devices: RawYaml | undefined): boolean {
  if (typeof devices !== 'object') return false
  const settings = new Set(keysAt(['devices', ANY_NAME]))
  return Object.entries(devices).some(([key, value]) => settings.has(key) && typeof value === 'string')
}

/** Whether the value is a mapping or a list without anything in it. */
export function isEmptyMapping(read: RawYaml | undefined): boolean {
  return typeof read === 'object' && Object.keys(read).length === 0
}

/** Home Assistant puts the name of the plug before that of an entity. A name that begins so already is cut, with a complaint in its log. */
function repeatedNames(read: RawYaml | undefined): ValidationIssue[] {
  return Object.entries(mappingAt(read, ['devices'])).flatMap(([plug, settings]) => {
    const name = textAt(settings, ['homeassistant', 'name']) ?? plug.replaceAll('/', ' ')
    const repeating = Object.entries(mappingAt(settings, ['homeassistant', 'entities'])).filter(
      ([, entity]) => (textAt(entity, ['name']) ?? '').toLowerCase().startsWith(name.toLowerCase()),
    )
    const message = `expected a name that does not begin with ${quoted(name)}: Home Assistant puts that in front by itself`
    return repeating.map(([property]) => ({
      path: ['devices', plug, 'homeassistant', 'entities', property, 'name'],
      message,
    }))
  })
}

/** Plugs and groups share their topics, and Home Assistant takes no notice of the case of a name. */
function takenNames(plugs: ReadonlySet<string>, groups: ReadonlySet<string>): ValidationIssue[] {
  const taken = new Map([...plugs].map((name) => [normalizedName(name), `the plug "${name}"`]))
  return [...groups].flatMap((name) => {
    const owner = taken.get(normalizedName(name))
    if (owner === undefined) taken.set(normalizedName(name), `the group "${name}"`)
    const message = `expected a name of its own, got that of ${owner} (case does not count)`
    return owner === undefined ? [] : [{path: ['groups', name], message}]
  })
}

function badMembers(
  name: string,
  group: RawYaml,
  plugs: ReadonlySet<string>,
  groups: ReadonlySet<string>,
): ValidationIssue[] {
  const members = valueAt(group, ['members'])
  const before = new Set<string>()
  return (Array.isArray(members) ? members : []).flatMap((each, index) => {
    const member = typeof each === 'string' ? each : ''
    const message = memberProblem(member, before.has(member), plugs, groups)
    before.add(member)
    return message === undefined ? [] : [{path: ['groups', name, 'members', index], message}]
  })
}

function memberProblem(
  member: string,
  isRepeated: boolean,
  plugs: ReadonlySet<string>,
  groups: ReadonlySet<string>,
): LazyText | undefined {
  if (isRepeated) return `expected each plug once, got ${quoted(member)} again`
  if (plugs.has(member)) return undefined
  if (groups.has(member)) return `expected a plug, got the group ${quoted(member)}: list its plugs instead`
  return () =>
    `expected the name of a plug under devices, got ${quoted(member)}${suggestion(member, [...plugs])}`
}

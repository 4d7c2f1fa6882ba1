/**
 * Rules about several settings: names, addresses and members of plugs and groups, what no two plugs may share, and topics that are in
 * use already. The rules read the values as they were written, and not the result of the schema: so a mistake elsewhere hides none of
 * these problems.
 */
import * as z from 'zod'
import {quoted} from '../../common/schema-errors.ts'
import {suggestion} from '../../common/suggestion.ts'
import {MIIO_PORT} from '../../miio/packet.ts'
import {isKnownPropertyName} from '../../models/builder-table.ts'
import type {Model} from '../../models/model.ts'
import {TOPIC_WORDS} from '../../mqtt/topics.ts'
import type {LazyText, ValidationIssue} from '../config-error.ts'
import {isRawMapping, mappingAt, type RawMapping, type RawYaml, textAt, valueAt} from '../read/yaml.ts'
import {host} from '../schema/address-fields.ts'
import * as field from '../schema/fields.ts'
import {ANY_NAME, keysAt, schemaAt} from '../schema/settings.ts'
import {nameProblem, normalizedName} from './names.ts'
import {intendedKeyAt} from './setting-hints.ts'

/**
 * Every problem that the rules find.
 * @param ownModels the user's own definitions, which may have properties that no built-in model has
 */
export function ruleIssues(values: RawYaml, ownModels: readonly Model[]): ValidationIssue[] {
  const named = {devices: mappingAt(values, ['devices']), groups: mappingAt(values, ['groups'])}
  const {devices, groups} = named
  return [
    ...plugIssues(devices),
    ...badNames('groups', 'group', groups),
    ...takenNames(named),
    ...Object.entries(groups).flatMap(([name, group]) => badMembers(name, group, named)),
    ...homeAssistantTopicIssues(values, named),
    ...attributeTopicIssues(values, named, ownModels),
  ]
}

/** Plugs and groups by name. */
type Named = Record<'devices' | 'groups', RawMapping>

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
function plugIssues(devices: RawMapping): ValidationIssue[] {
  const plugs = Object.entries(devices).map(([name, plug]): PlugIdentity => [name, identity.parse(plug)])
  const clashes = UNIQUE.flatMap(({key, comparedBy, clash}) =>
    duplicatesBy(plugs, comparedBy).map(([[first], [later]]) => ({
      path: ['devices', later, ...key],
      message: `${clash(first, later)} "${first}"`,
    })),
  )
  return [
    ...badNames('devices', 'plug', devices),
    ...withoutAddress(plugs, devices),
    ...clashes,
    ...repeatedNames(devices),
  ]
}

function badNames(section: string, kind: string, named: RawMapping): ValidationIssue[] {
  return Object.keys(named).flatMap((name) => {
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
function withoutAddress(plugs: readonly PlugIdentity[], devices: RawMapping): ValidationIssue[] {
  const isOutside = hasSettingsOutside(devices)
  const message = 'expected host or id, got neither: there is no way to find this plug'
  return plugs.flatMap(([name, {host, id}]) => {
    const plug = devices[name]
    const hasAddress = host !== undefined || id !== undefined
    if (hasAddress || isReportedElsewhere(plug, name) || (isOutside && isEmptyMapping(plug))) return []
    return [{path: ['devices', name], message}]
  })
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
export function isEmptyMapping(value: RawYaml | undefined): boolean {
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** Home Assistant puts the name of the plug before that of an entity. A name that begins so already is cut, with a complaint in its log. */
function repeatedNames(devices: RawMapping): ValidationIssue[] {
  return Object.entries(devices).flatMap(([plug, settings]) => {
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
function takenNames({devices, groups}: Named): ValidationIssue[] {
  const taken = new Map(Object.keys(devices).map((name) => [normalizedName(name), `the plug "${name}"`]))
  return Object.keys(groups).flatMap((name) => {
    const owner = taken.get(normalizedName(name))
    if (owner === undefined) taken.set(normalizedName(name), `the group "${name}"`)
    const message = `expected a name of its own, got that of ${owner} (case does not count)`
    return owner === undefined ? [] : [{path: ['groups', name], message}]
  })
}

function badMembers(name: string, group: RawYaml, {devices, groups}: Named): ValidationIssue[] {
  const members = valueAt(group, ['members'])
  const before = new Set<string>()
  const problemOf = (member: string): LazyText | undefined => {
    if (before.has(member)) return `expected each plug once, got ${quoted(member)} again`
    if (Object.hasOwn(devices, member)) return undefined
    if (Object.hasOwn(groups, member))
      return `expected a plug, got the group ${quoted(member)}: list its plugs instead`
    return () =>
      `expected the name of a plug under devices, got ${quoted(member)}${suggestion(member, Object.keys(devices))}`
  }
  return (Array.isArray(members) ? members : []).flatMap((each, index): ValidationIssue[] => {
    const member = typeof each === 'string' ? each : ''
    const message = problemOf(member)
    before.add(member)
    return message === undefined ? [] : [{path: ['groups', name, 'members', index], message}]
  })
}

/** @returns the value that counts: the default in place of an invalid value, which the schema reports */
function setting(values: RawYaml, ...path: string[]): string {
  return textAt(values, path) ?? String(schemaAt(path)?.default)
}

/** The topics of Home Assistant may not be topics of the bridge. */
function homeAssistantTopicIssues(values: RawYaml, {devices, groups}: Named): ValidationIssue[] {
  const named = new Set([...Object.keys(devices), ...Object.keys(groups)])
  const prefix = setting(values, 'homeassistant', 'discovery_prefix')
  const base = setting(values, 'mqtt', 'base_topic')
  return ['discovery_prefix', 'status_topic'].flatMap((key) => {
    const topic = setting(values, 'homeassistant', key)
    const isStatus = key === 'status_topic'
    const isDiscovery = topic.startsWith(`${prefix}/device/`) && topic.endsWith('/config')
    const owner =
      isStatus && isDiscovery ? 'where devices are announced' : topicOwner(topic, base, named, isStatus)
    const message = `expected a topic of Home Assistant, got ${quoted(topic)}, which is ${owner}`
    return owner === undefined ? [] : [{path: ['homeassistant', key], message}]
  })
}

/**
 * The use of a topic on which the bridge publishes or takes commands; `undefined` for any other.
 * @param named the names of plugs and groups
 * @param isWhole whether `topic` is a topic itself, and not only the beginning of topics
 */
function topicOwner(
  topic: string,
  base: string,
  named: ReadonlySet<string>,
  isWhole: boolean,
): string | undefined {
  if (topic === base && isWhole) return 'where all topics of the bridge begin (mqtt.base_topic)'
  if (!topic.startsWith(`${base}/`)) return undefined
  const levels = topic.slice(base.length + 1).split('/')
  if (levels[0] === 'bridge') return 'a topic of the bridge itself'
  const name = levels.map((_, index) => levels.slice(0, index + 1).join('/')).find((each) => named.has(each))
  if (name !== undefined) return `a topic of ${quoted(name)}`
  return levels.slice(1).some((level) => TOPIC_WORDS.has(level))
    ? 'where plugs take commands and answer'
    : undefined
}

/** With `output: attribute_and_json`, `desk/led` is the topic of a value of the plug `desk`, and cannot be the name of a plug or group. */
function attributeTopicIssues(values: RawYaml, named: Named, ownModels: readonly Model[]): ValidationIssue[] {
  if (setting(values, 'mqtt', 'output') !== 'attribute_and_json') return []
  const ownProperties = new Set(ownModels.flatMap(({properties}) => Object.keys(properties)))
  const isProperty = (level: string) => isKnownPropertyName(level) || ownProperties.has(level)
  return Object.entries(named).flatMap(([section, members]) =>
    Object.keys(members).flatMap((name) => {
      const [, plug = '', property = ''] = /^(.+)\/([^/]+)$/.exec(name) ?? []
      if (!Object.hasOwn(named.devices, plug) || !isProperty(property)) return []
      const message = `expected another name: with mqtt.output: attribute_and_json this is the topic of ${property} of the plug ${quoted(plug)}`
      return [{path: [section, name], message}]
    }),
  )
}

/** Each item whose key an earlier item has, together with the first that has it. Items without a key are left out. */
export function duplicatesBy<T>(
  items: Iterable<T>,
  keyOf: (item: T) => string | null | undefined,
): [first: T, later: T][] {
  const firsts = new Map<string, T>()
  const pairs: [T, T][] = []
  for (const item of items) {
    const key = keyOf(item)
    if (!key) continue
    const first = firsts.get(key)
    if (first === undefined) firsts.set(key, item)
    else pairs.push([first, item])
  }
  return pairs
}

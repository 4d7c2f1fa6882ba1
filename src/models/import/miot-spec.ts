/**
 * From a MIoT specification instance, as Xiaomi publishes them, to a definition. What the specification leaves open (scales
 * above all) is left out and said, not guessed: a wrong kWh stays in somebody's statistics for ever.
 */

import * as say from '../builders.ts'
import type {Model, Property} from '../model.ts'
import {type CountdownPiece, countdownFrom} from './miot-countdown.ts'
import {hyphened, isSwitchService, standardName} from './miot-names.ts'
import {
  isAccessible,
  type MiotMatch,
  type MiotMeaning,
  type MiotProperty,
  type MiotRule,
  miotRules,
} from './miot-rules.ts'

export interface MiotSpec {
  /** `urn:miot-spec-v2:device:outlet:0000A002:cuco-v3:2` */
  type: string
  description: string
  services: readonly MiotService[]
}

export interface MiotService {
  iid: number
  type: string
  description: string
  properties: readonly MiotProperty[]
}

export interface ImportedDefinition {
  model: Model
  /** What is left out and why, a sentence each. */
  notes: readonly string[]
}

/** A specification that does not describe a plug. */
export class NoPlugError extends Error {}

/**
 * The definition of the plug that `spec` describes.
 * @param id its model, as `miIO.info` tells it; guessed from the urn unless given
 * @throws NoPlug when nothing in it switches
 */
export function definitionFrom(spec: MiotSpec, id?: string): ImportedDefinition {
  const all = foundIn(spec)
  const switches = switchesIn(all)
  const properties: Record<string, Property> = Object.fromEntries(
    switches.flatMap(({as}) => (as ? [[as.name, as.property]] : [])),
  )
  if (!properties['state'])
    throw new NoPlugError('expected a service "switch" with a property "on" that can be set, got none')
  const notes: string[] = id === undefined ? [GUESSED] : []
  const unknown: MiotMatch[] = []
  const parts: CountdownPiece[] = []
  for (const found of all.filter((each) => !switches.some(({as, found: own}) => as && own === each))) {
    const rule = miotRules.find((each) => fits(each, found))
    if (!rule) unknown.push(found)
    else if (rule.part) parts.push({name: rule.part, found, meant: meaningOf(found, rule, switches)})
    else notes.push(...add(properties, meaningOf(found, rule, switches), found))
  }
  const countdown = countdownFrom(parts)
  notes.push(...countdown.notes)
  const rest = unknown.map(({at, description}) => `${at} ${description}`).join(', ')
  if (rest) notes.push(`left out, since nothing of ours is known to mean it: ${rest}`)
  return {model: modelOf(spec, id, {...properties, ...countdown.properties}), notes}
}

const GUESSED =
  'the specification does not tell the model: `ids` is what its urn suggests, to be compared with `miio2mqtt info`'

/** As many as have a name of their own (models/names.ts). */
const MOST_SOCKETS = 99

/** Standard services first: one of the vendor's own may have the same name and mean something else (v3's light). */
function foundIn({services}: MiotSpec): MiotMatch[] {
  const ranked = [...services].sort((a, b) => Number(isOwn(a)) - Number(isOwn(b)) || byIid(a, b))
  return ranked.flatMap(({iid: siid, type, description, properties}) => {
    const service = hyphened(nameIn(type))
    if (service === 'device-information') return []
    return [...properties].sort(byIid).map((about) => ({
      siid,
      service,
      isSwitch: isSwitchService(service, description),
      property: standardName(nameIn(about.type), about.format),
      called: nameIn(about.type),
      at: `${siid}.${about.iid}`,
      address: say.miot(siid, about.iid),
      about: {...about, list: about.list && [...about.list].sort((a, b) => a.value - b.value)},
      description: [description || nameIn(type), about.description || nameIn(about.type)].join(': '),
    }))
  })
}

/** A switch of the plug, and what it is here: nothing when no name is left for it. */
interface Switch {
  found: MiotMatch
  as?: {name: string; property: Property}
}

/** The first switch is that in front of all others, wherever strips are described; USB ports say so in their description. */
function switchesIn(all: readonly MiotMatch[]): Switch[] {
  const switching = all.filter(
    (found) => isOn(found, all) && isAccessible(found, 'read') && isAccessible(found, 'write'),
  )
  const [main, ...sockets] = switching.filter((found) => !isUsb(found))
  const [ports, ...otherPorts] = switching.filter(isUsb)
  return [
    ...(main ? [{found: main, as: {name: 'state', property: say.relay(main.address)}}] : []),
    ...sockets.map((found, index) =>
      index < MOST_SOCKETS
        ? {found, as: {name: `state_${index + 1}`, property: say.socket(index + 1, found.address)}}
        : {found},
    ),
    ...(ports ? [{found: ports, as: {name: 'usb', property: say.usb(ports.address)}}] : []),
    ...otherPorts.map((found) => ({found})),
  ]
}

/** A service may tell the same twice, as `on` and in a spelling of its vendor: then the standard's counts, else the first. */
function isOn(found: MiotMatch, all: readonly MiotMatch[]): boolean {
  if (!found.isSwitch) return false
  if (found.property !== 'on') return found.property === 'usb-on'
  const same = all.filter(({siid, property}) => siid === found.siid && property === 'on')
  return found.called === 'on' || (same[0] === found && same.every(({called}) => called !== 'on'))
}

function isUsb({service, called, description}: MiotMatch): boolean {
  return [service, called, description].some((text) => /usb|type-?c\b/i.test(text))
}

/** What a property means of that which it belongs to. Sockets and USB ports may have a mode, a fault or a meter of their own. */
function meaningOf(found: MiotMatch, rule: MiotRule, switches: readonly Switch[]): MiotMeaning {
  const owner = ownerOf(found, switches)
  const meaning = owner === 'state' ? rule.meaning : owner === 'usb' ? rule.ofUsb : undefined
  return (
    accessProblem(found, rule) ?? meaning?.(found) ?? `it belongs to ${inWords(owner)}, not to the whole plug`
  )
}

/** The name of the switch in whose service it is, `state` when it is in none's; `undefined` for a switch without a name. */
function ownerOf(found: MiotMatch, switches: readonly Switch[]): string | undefined {
  const own = switches.find(({found: {siid}}) => siid === found.siid)
  if (isUsb(found) && !(own && isUsb(own.found))) return 'usb'
  return own ? own.as?.name : 'state'
}

function inWords(owner: string | undefined): string {
  if (owner === 'usb') return 'the USB ports'
  return owner === undefined ? 'another switch' : owner.replace('state_', 'socket ')
}

function accessProblem(found: MiotMatch, {set}: MiotRule): string | undefined {
  if (!isAccessible(found, 'read')) return 'it cannot be read'
  return set && !isAccessible(found, 'write') ? 'it cannot be written' : undefined
}

/** @returns what is to be said of what is not taken */
function add(properties: Record<string, Property>, meant: MiotMeaning, {at, called}: MiotMatch): string[] {
  if (typeof meant === 'string') return [`${at} ${called} is left out: ${meant}`]
  return Object.entries(meant).flatMap(([name, property]) => {
    const {address} = properties[name] ?? {}
    properties[name] ??= property
    return address?.via === 'miot'
      ? [`${at} ${called} is left out: ${name} is ${address.siid}.${address.piid} already`]
      : []
  })
}

function fits({service, property}: MiotRule, found: MiotMatch): boolean {
  const isThere = service === 'switch' ? found.isSwitch : (service?.test(found.service) ?? true)
  return isThere && property.test(found.property)
}

function modelOf(spec: MiotSpec, id: string | undefined, properties: Record<string, Property>): Model {
  const known = id ?? idIn(spec.type)
  return {
    ids: [known],
    name: known,
    vendor: known.split('.')[0] ?? known,
    confidence: 'vendor',
    evidence: `MIoT specification ${spec.type}`,
    properties,
  }
}

/** `cuco-v3`, its sixth part, is `cuco.plug.v3` where it is a plug at all. */
function idIn(urn: string): string {
  const [vendor = 'unknown', ...rest] = (urn.split(':')[5] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '')
    .split('-')
  return `${vendor || 'unknown'}.plug.${rest.join('-') || 'unknown'}`
}

/** The name in `urn:miot-spec-v2:property:electric-power:00000066:cuco-v3:1`. */
function nameIn(urn: string): string {
  return urn.split(':')[3] ?? ''
}

function isOwn({type}: MiotService): boolean {
  return !type.startsWith('urn:miot-spec-v2:')
}

function byIid(a: {iid: number}, b: {iid: number}): number {
  return a.iid - b.iid
}

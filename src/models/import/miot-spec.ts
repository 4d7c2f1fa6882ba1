/**
 * MIoT import: makes a definition of a specification as Xiaomi publishes it. What the specification leaves open, above all scales, is
 * not guessed but left out with a note: wrong kWh stay in the statistics of Home Assistant for ever.
 */
import * as builders from '../builders.ts'
import type {Model, Property} from '../model.ts'
import {
  type CountdownPart,
  hyphened,
  isSwitchService,
  type MiotMatch,
  type MiotMeaning,
  type MiotProperty,
  type MiotRule,
  miotRules,
  standardName,
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
  /** The properties that are left out, and why: a sentence each. */
  notes: readonly string[]
}

/** A specification that does not describe a plug. */
export class NoPlugError extends Error {}

/**
 * Makes the definition of the plug that `spec` describes.
 * @param id the model, as `miIO.info` reports it; by default derived from the urn
 * @throws NoPlugError when the specification has no switch
 */
export function definitionFrom(spec: MiotSpec, id?: string): ImportedDefinition {
  const all = propertiesIn(spec)
  const switches = switchesIn(all)
  const properties: Record<string, Property> = Object.fromEntries(
    switches.flatMap(({as}) => (as ? [[as.name, as.property]] : [])),
  )
  if (!properties['state'])
    throw new NoPlugError('expected a service "switch" with a property "on" that can be set, got none')
  const notes: string[] = id === undefined ? [DERIVED_ID] : []
  const unknown: MiotMatch[] = []
  const parts: CountdownPiece[] = []
  for (const found of all.filter((each) => !switches.some(({as, found: own}) => as && own === each))) {
    const rule = miotRules.find((each) => fits(each, found))
    if (!rule) unknown.push(found)
    else if (rule.part) parts.push({name: rule.part, found, meaning: meaningOf(found, rule, switches)})
    else notes.push(...add(properties, meaningOf(found, rule, switches), found))
  }
  const countdown = countdownFrom(parts)
  notes.push(...countdown.notes)
  const rest = unknown.map(({at, description}) => `${at} ${description}`).join(', ')
  if (rest) notes.push(`left out, since no known property matches: ${rest}`)
  return {model: modelOf(spec, id, {...properties, ...countdown.properties}), notes}
}

const DERIVED_ID =
  'the specification does not contain the model: `ids` is guessed from its urn, compare it with `miio2mqtt info`'

/** As many as have a name (builder-table.ts). */
const MAX_SOCKETS = 99

/**
 * All properties. Those of standard services come first: a service of the vendor may have the same name and another meaning (the light
 * of the v3).
 */
function propertiesIn({services}: MiotSpec): MiotMatch[] {
  const rank = ({type}: MiotService) => (type.startsWith('urn:miot-spec-v2:') ? 0 : 1)
  const ranked = [...services].sort((a, b) => rank(a) - rank(b) || byIid(a, b))
  return ranked.flatMap(({iid: siid, type, description, properties}) => {
    const service = hyphened(nameIn(type))
    if (service === 'device-information') return []
    return [...properties].sort(byIid).map((spec) => ({
      siid,
      service,
      isSwitch: isSwitchService(service, description),
      property: standardName(nameIn(spec.type), spec.format),
      originalName: nameIn(spec.type),
      at: `${siid}.${spec.iid}`,
      address: builders.miot(siid, spec.iid),
      spec: {...spec, list: spec.list && [...spec.list].sort((a, b) => a.value - b.value)},
      description: [description || nameIn(type), spec.description || nameIn(spec.type)].join(': '),
    }))
  })
}

/** A switch of the plug, with its name and property; without them when no name is left. */
interface Switch {
  found: MiotMatch
  as?: {name: string; property: Property}
}

/**
 * The first switch is the one in front of all others, in every known specification of a strip. USB ports are recognised by their
 * description.
 */
function switchesIn(all: readonly MiotMatch[]): Switch[] {
  const switching = all.filter(
    (found) => isOn(found, all) && ['read', 'write'].every((access) => found.spec.access.includes(access)),
  )
  const [main, ...sockets] = switching.filter((found) => !isUsb(found))
  const [ports, ...otherPorts] = switching.filter(isUsb)
  return [
    ...(main ? [{found: main, as: {name: 'state', property: builders.relay(main.address)}}] : []),
    ...sockets.map((found, index) =>
      index < MAX_SOCKETS
        ? {found, as: {name: `state_${index + 1}`, property: builders.socket(index + 1, found.address)}}
        : {found},
    ),
    ...(ports ? [{found: ports, as: {name: 'usb', property: builders.usb(ports.address)}}] : []),
    ...otherPorts.map((found) => ({found})),
  ]
}

/**
 * Whether this is the switch of its service. A service may have it twice, as `on` and in a vendor spelling: then `on` counts, else the
 * first.
 */
function isOn(found: MiotMatch, all: readonly MiotMatch[]): boolean {
  if (!found.isSwitch) return false
  if (found.property !== 'on') return found.property === 'usb-on'
  const same = all.filter(({siid, property}) => siid === found.siid && property === 'on')
  return (
    found.originalName === 'on' ||
    (same[0] === found && same.every(({originalName}) => originalName !== 'on'))
  )
}

function isUsb({service, originalName, description}: MiotMatch): boolean {
  return [service, originalName, description].some((text) => /usb|type-?c\b/i.test(text))
}

/** The meaning of a property. Sockets and USB ports may have a mode, a fault or a meter of their own, which is not that of the plug. */
function meaningOf(found: MiotMatch, rule: MiotRule, switches: readonly Switch[]): MiotMeaning {
  const {access} = found.spec
  if (!access.includes('read')) return 'it cannot be read'
  if (rule.set && !access.includes('write')) return 'it cannot be written'
  const owner = ownerOf(found, switches)
  const meaning = owner === 'state' ? rule.meaning : owner === 'usb' ? rule.ofUsb : undefined
  return meaning?.(found) ?? `it belongs to ${ownerText(owner)}, not to the whole plug`
}

/** The name of the switch that has the same service; `state` without one; `undefined` for a switch without a name. */
function ownerOf(found: MiotMatch, switches: readonly Switch[]): string | undefined {
  const own = switches.find(({found: {siid}}) => siid === found.siid)
  if (isUsb(found) && !(own && isUsb(own.found))) return 'usb'
  return own ? own.as?.name : 'state'
}

function ownerText(owner: string | undefined): string {
  if (owner === 'usb') return 'the USB ports'
  return owner === undefined ? 'another switch' : owner.replace('state_', 'socket ')
}

/** Adds properties that are not there yet. @returns a note on each that is left out */
function add(properties: Record<string, Property>, meaning: MiotMeaning, found: MiotMatch): string[] {
  if (typeof meaning === 'string') return [leftOut(found, meaning)]
  return Object.entries(meaning).flatMap(([name, property]) => {
    const {address} = properties[name] ?? {}
    properties[name] ??= property
    return address?.via === 'miot'
      ? [leftOut(found, `${name} is ${address.siid}.${address.piid} already`)]
      : []
  })
}

function leftOut({at, originalName}: MiotMatch, reason: string): string {
  return `${at} ${originalName} is left out: ${reason}`
}

/** A property that may be a part of the countdown. */
interface CountdownPiece {
  name: CountdownPart
  found: MiotMatch
  /** The property, or the reason why there is none. */
  meaning: MiotMeaning
}

/**
 * Finds the countdown. A countdown time without a start property has no effect, and the start needs a time: both are taken from one
 * service, or neither. The time that is left is taken from the same service. A specification may have several countdowns, each with parts
 * of its own.
 * @returns the properties that are taken, and a note on each part that is left out
 */
function countdownFrom(parts: readonly CountdownPiece[]): {
  properties: Model['properties']
  notes: string[]
} {
  const chosen = partsOfCountdown(parts)
  const properties = Object.assign({}, ...chosen.map(({meaning}) => meaning))
  const notes = parts.flatMap((part) => {
    const {name, found, meaning} = part
    const taken = chosen.find((each) => each.name === name)
    if (taken === part) return []
    if (typeof meaning === 'string') return [leftOut(found, meaning)]
    return [leftOut(found, taken ? `${name} is ${taken.found.at} already` : incomplete[name])]
  })
  return {properties, notes}
}

function partsOfCountdown(all: readonly CountdownPiece[]): CountdownPiece[] {
  const usable = all.filter(({meaning}) => typeof meaning !== 'string')
  const partsNamed = (wanted: CountdownPart) => usable.filter(({name}) => name === wanted)
  const [pair] = partsNamed('countdown').flatMap((time) =>
    partsNamed('countdown_active').flatMap((start) => (isPair(time, start, all) ? [[time, start]] : [])),
  )
  if (!pair) return []
  const left = partsNamed('countdown_left').find(({found}) =>
    pair.some((part) => part.found.siid === found.siid),
  )
  return left ? [...pair, left] : pair
}

/** Whether both are of one service; or the time is in the service of the relay, and the start in a service without a time of its own. */
function isPair(
  {found: time}: CountdownPiece,
  {found: start}: CountdownPiece,
  all: readonly CountdownPiece[],
): boolean {
  if (time.siid === start.siid) return true
  const hasTime = all.some(({name, found}) => name === 'countdown' && found.siid === start.siid)
  return time.isSwitch && !hasTime
}

/** Why a part is of no use without the others. */
const incomplete: Record<CountdownPart, string> = {
  countdown: 'no other property starts or stops this countdown, so its effect must be tested',
  countdown_active: 'no time of this countdown is known',
  countdown_left: 'the countdown to which it may belong is unknown',
}

function fits({service, property}: MiotRule, found: MiotMatch): boolean {
  const isInService = service === 'switch' ? found.isSwitch : (service?.test(found.service) ?? true)
  return isInService && property.test(found.property)
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

/** Derives the model from a urn: its sixth part `cuco-v3` gives `cuco.plug.v3`. */
function idIn(urn: string): string {
  const [vendor = 'unknown', ...rest] = (urn.split(':')[5] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '')
    .split('-')
  return `${vendor || 'unknown'}.plug.${rest.join('-') || 'unknown'}`
}

/** `electric-power` of `urn:miot-spec-v2:property:electric-power:00000066:cuco-v3:1`. */
function nameIn(urn: string): string {
  return urn.split(':')[3] ?? ''
}

function byIid(a: {iid: number}, b: {iid: number}): number {
  return a.iid - b.iid
}

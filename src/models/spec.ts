/**
 * From a MIoT specification instance, as Xiaomi publishes them, to a definition. What the specification leaves open (scales
 * above all) is left out and said, not guessed: a wrong kWh stays in somebody's statistics for ever.
 */
import type {Address, Model, Property} from './model.ts'
import {can, type Found, type Meant, type Rule, rules, type SpecProperty} from './spec-rules.ts'
import * as say from './vocabulary.ts'

export interface Spec {
  /** `urn:miot-spec-v2:device:outlet:0000A002:cuco-v3:2` */
  type: string
  description: string
  services: readonly SpecService[]
}

export interface SpecService {
  iid: number
  type: string
  description: string
  properties: readonly SpecProperty[]
}

export interface Imported {
  model: Model
  /** What is left out and why, a sentence each. */
  notes: readonly string[]
}

/** A specification that does not describe a plug. */
export class NoPlug extends Error {}

/**
 * The definition of the plug that `spec` describes.
 * @param id its model, as `miIO.info` tells it; guessed from the urn unless given
 * @throws NoPlug when nothing in it switches
 */
export function definitionFrom(spec: Spec, id?: string): Imported {
  const all = foundIn(spec)
  const relays = relaysIn(all)
  if (!relays['state'])
    throw new NoPlug('expected a service "switch" with a property "on" that can be set, got none')
  const properties: Record<string, Property> = {...relays}
  const notes: string[] = id === undefined ? [GUESSED] : []
  const unknown: Found[] = []
  for (const found of all.filter(({address}) => !isAmong(relays, address))) {
    const rule = rules.find((each) => fits(each, found))
    if (rule) notes.push(...add(properties, accessProblem(found, rule) ?? rule.meaning(found), found))
    else unknown.push(found)
  }
  const rest = unknown.map(({at, description}) => `${at} ${description}`).join(', ')
  if (rest) notes.push(`left out, since nothing of ours is known to mean it: ${rest}`)
  return {model: modelOf(spec, id, properties), notes}
}

const GUESSED =
  'the specification does not tell the model: `ids` is what its urn suggests, to be compared with `miio2mqtt info`'

/** As many as have a name of their own (models/names.ts). */
const MOST_SOCKETS = 99

/** Standard services first: one of the vendor's own may have the same name and mean something else (v3's light). */
function foundIn({services}: Spec): Found[] {
  const ranked = [...services].sort((a, b) => Number(isOwn(a)) - Number(isOwn(b)) || byIid(a, b))
  return ranked.flatMap((service) => {
    const name = nameIn(service.type)
    if (name === 'device-information') return []
    return [...service.properties].sort(byIid).map((about) => ({
      service: name,
      property: nameIn(about.type),
      at: `${service.iid}.${about.iid}`,
      address: say.miot(service.iid, about.iid),
      about: {...about, list: about.list && [...about.list].sort((a, b) => a.value - b.value)},
      description: [service.description || name, about.description || nameIn(about.type)].join(': '),
    }))
  })
}

/** The first switch is that in front of all others, wherever strips are described; USB ports say so in their description. */
function relaysIn(all: readonly Found[]): Record<string, Property> {
  const switches = all.filter(
    (found) => isSwitch(found) && found.property === 'on' && can(found, 'read') && can(found, 'write'),
  )
  const [main, ...sockets] = switches.filter((found) => !isUsb(found))
  const ports = switches.find(isUsb)
  return {
    ...(main ? {state: say.relay(main.address)} : {}),
    ...Object.fromEntries(
      sockets
        .slice(0, MOST_SOCKETS)
        .map(({address}, index) => [`state_${index + 1}`, say.socket(index + 1, address)]),
    ),
    ...(ports ? {usb: say.usb(ports.address)} : {}),
  }
}

function isSwitch({service}: Found): boolean {
  return /(^|-)(switch|outlet)$/.test(service)
}

function isUsb({service, description}: Found): boolean {
  return /usb/i.test(service) || /usb/i.test(description)
}

function accessProblem(found: Found, {set}: Rule): string | undefined {
  if (!can(found, 'read')) return 'it cannot be read'
  return set && !can(found, 'write') ? 'it cannot be written' : undefined
}

/** @returns what is to be said of what is not taken */
function add(properties: Record<string, Property>, meant: Meant, {at, property: called}: Found): string[] {
  if (typeof meant === 'string') return [`${at} ${called} is left out: ${meant}`]
  return Object.entries(meant).flatMap(([name, property]) => {
    const {address} = properties[name] ?? {}
    properties[name] ??= property
    return address?.via === 'miot'
      ? [`${at} ${called} is left out: ${name} is ${address.siid}.${address.piid} already`]
      : []
  })
}

function fits({service, property}: Rule, found: Found): boolean {
  return property.test(found.property) && (service?.test(found.service) ?? true)
}

function isAmong(properties: Record<string, Property>, address: Address): boolean {
  return Object.values(properties).some((property) => property.address === address)
}

function modelOf(spec: Spec, id: string | undefined, properties: Record<string, Property>): Model {
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

function isOwn({type}: SpecService): boolean {
  return !type.startsWith('urn:miot-spec-v2:')
}

function byIid(a: {iid: number}, b: {iid: number}): number {
  return a.iid - b.iid
}

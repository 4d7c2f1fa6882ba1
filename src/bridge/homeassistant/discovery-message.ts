/**
 * The common parts of MQTT discovery messages for Home Assistant: ids, topics, components, availability (docs/home-assistant.md). There is
 * one device message for each plug, each group and the bridge. Home Assistant's rules are strict and mostly silent: an unknown key at the
 * root, or `null` in `device`, loses the whole device. So every object here is closed and complete; what is undefined is not sent.
 */
import {createHash} from 'node:crypto'
import type {Topics} from '../../mqtt/topics.ts'

export interface DiscoveryContext {
  topics: Topics
  /** Of this program. */
  version: string
  /** Which device has which MAC address; when missing, every device may have any. */
  macs?: MacOwners
}

/**
 * Home Assistant merges all devices that have the same MAC address in `connections`. Firmware that reports zeros, a clone, or a plug that
 * reports the address of another plug would merge unrelated plugs into one device. So an address belongs to the device that reported it first.
 */
export class MacOwners {
  readonly #didByMac = new Map<string, number>()
  readonly #macByDid = new Map<number, string>()

  /** @param mac as in `28:6c:07:ed:48:a1`. @returns whether the address belongs to this device */
  claim(mac: string, did: number): boolean {
    if (!isUnicastMac(mac)) return false
    const owner = this.#didByMac.get(mac)
    if (owner !== undefined) return owner === did
    this.forget(did)
    this.#didByMac.set(mac, did)
    this.#macByDid.set(did, mac)
    return true
  }

  forget(did: number): void {
    const mac = this.#macByDid.get(did)
    if (mac !== undefined) this.#didByMac.delete(mac)
    this.#macByDid.delete(did)
  }
}

/** Whether it is a MAC address other than null, broadcast and multicast, which have the lowest bit of their first byte set (IEEE 802). */
function isUnicastMac(mac: string): boolean {
  const isMac = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)
  return isMac && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && !/^[0:]*$/.test(mac)
}

export type DiscoveryPayload = Readonly<Record<string, unknown>>

export interface DiscoveryComponent extends DiscoveryPayload {
  platform: string
}

/** A device message with its components, which are the entities in Home Assistant. */
export interface DeviceDiscovery extends DiscoveryPayload {
  components: Readonly<Record<string, DiscoveryComponent>>
}

/** The platform (`switch`, `sensor` …) by the key of a component. */
export type Platforms = Readonly<Record<string, string>>

/** @param id of the device, as HA uses it in topics: `[a-zA-Z0-9_-]+` */
export function discoveryTopic(prefix: string, id: string): string {
  return `${prefix}/device/${id}/config`
}

/** Home Assistant keeps ids for ever. So the id of a plug is made of its miIO device id, and not of its name or address, which change. */
export function deviceId(did: number): string {
  return `miio2mqtt_${did}`
}

/** Several bridges may share a broker, each with its own base topic: the id is made of that. */
export function bridgeId(base: string): string {
  const plain = slug(base)
  return plain === base
    ? `miio2mqtt_bridge_${plain}`
    : `miio2mqtt_bridge_${plain}_${digest(base).slice(0, 8)}`
}

/** The part of a message that is remembered, to find out later which components are missing. */
export function platformsOf({components}: DeviceDiscovery): Platforms {
  return Object.fromEntries(Object.entries(components).map(([key, {platform}]) => [key, platform]))
}

/**
 * The message to send 2 s before `message` when that lacks components of an earlier message: it has those components with nothing but
 * their platform, by which Home Assistant removes them. Components that are merely left out stay there as orphans (docs/promises.md, 50).
 * @param before the components of the earlier message
 * @returns `undefined` when no component is missing
 */
export function withRemovedComponents(
  before: Platforms,
  message: DeviceDiscovery,
): DeviceDiscovery | undefined {
  const now = platformsOf(message)
  const missing = Object.entries(before).filter(([key, platform]) => now[key] !== platform)
  if (missing.length === 0) return undefined
  const removed = missing.map(([key, platform]) => [key, {platform}])
  return {...message, components: {...message.components, ...Object.fromEntries(removed)}}
}

/** The availability of a plug or group, as discovery messages refer to it. */
export function availabilityOf(name: string, topics: Topics) {
  return {topic: topics.availability(name), value_template: '{{ value_json.state }}'}
}

/** The availability of the bridge, as discovery messages refer to it. */
export function bridgeAvailability(topics: Topics) {
  return {topic: topics.bridge('state'), value_template: '{{ value_json.state }}'}
}

/** The program that publishes a discovery message, as Home Assistant shows it. */
export function origin(version: string) {
  return {name: 'miio2mqtt', sw_version: version}
}

/** `kitchen/kettle` becomes `kitchen kettle`: the name on cards, and one that a voice assistant understands. */
export function displayName(name: string): string {
  return name.replaceAll('/', ' ')
}

/** `Küche/Kessel 2` becomes `kuche_kessel_2`, as Home Assistant itself would slugify it. */
export function slug(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '')
}

/** SHA-1 in hex: not for secrets, only to compare texts. */
export function digest(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

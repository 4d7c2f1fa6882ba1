/**
 * What Home Assistant is told of plugs, groups and the bridge: one device message each (contract §7). Its rules are strict and mostly
 * silent: an unknown key at the root, or `null` in `device`, loses the whole device, so every object here is closed and complete.
 */
import {createHash} from 'node:crypto'
import type {Topics} from '../../mqtt/topics.ts'

export interface DiscoveryContext {
  topics: Topics
  /** Of the bridge itself. */
  version: string
  /** Who has which MAC address; every device its own where nobody keeps that. */
  macs?: MacOwners
}

/**
 * Home Assistant makes one device of all that tell the same connection: firmware that tells zeros, a clone, or a plug that tells
 * another's would swallow its neighbours. So an address belongs to the device that told it first.
 */
export class MacOwners {
  readonly #didByMac = new Map<string, number>()
  readonly #macByDid = new Map<number, string>()

  /** @param mac as in `28:6c:07:ed:48:a1`. @returns whether it is that of this device alone */
  claim(mac: string, did: number): boolean {
    if (!isOfOneDevice(mac)) return false
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

/** Not null, and neither broadcast nor multicast: those have the lowest bit of their first byte set (IEEE 802). */
function isOfOneDevice(mac: string): boolean {
  const isMac = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)
  return isMac && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && !/^[0:]*$/.test(mac)
}

export type DiscoveryPayload = Readonly<Record<string, unknown>>

export interface Component extends DiscoveryPayload {
  platform: string
}

/** A device with the entities it has. */
export interface DeviceDiscovery extends DiscoveryPayload {
  components: Readonly<Record<string, Component>>
}

/** By the key of a component. */
export type Platforms = Readonly<Record<string, string>>

/** @param id of the device, as HA uses it in topics: `[a-zA-Z0-9_-]+` */
export function discoveryTopic(prefix: string, id: string): string {
  return `${prefix}/device/${id}/config`
}

/** What lies elsewhere under a prefix of Home Assistant is other software's. */
const OWN_DISCOVERY = /^.+\/device\/miio2mqtt_[a-zA-Z0-9_-]+\/config$/

/** Whether it is a topic for a plug, group or bridge of this program, under any prefix. */
export function isDiscoveryTopic(topic: string): boolean {
  return OWN_DISCOVERY.test(topic)
}

/** A plug is its did: neither name nor address may appear in what Home Assistant keeps for ever. */
export function deviceId(did: number): string {
  return `miio2mqtt_${did}`
}

/** Several bridges may share a broker, each with its own base topic. */
export function bridgeId(base: string): string {
  const plain = slug(base)
  return plain === base
    ? `miio2mqtt_bridge_${plain}`
    : `miio2mqtt_bridge_${plain}_${digest(base).slice(0, 8)}`
}

/** The platform of every component, by its key: what has to be remembered of a message to know later what vanished. */
export function platformsOf({components}: DeviceDiscovery): Platforms {
  return Object.fromEntries(Object.entries(components).map(([key, {platform}]) => [key, platform]))
}

/**
 * What is to be sent before `message`, 2 s ahead, when components of an earlier one are not in it any more: those with nothing
 * but their platform, by which Home Assistant removes them. What is merely left out stays there as an orphan (contract §7).
 * @returns `undefined` when nothing vanished
 */
export function withRemovedComponents(
  before: Platforms,
  message: DeviceDiscovery,
): DeviceDiscovery | undefined {
  const now = platformsOf(message)
  const vanished = Object.entries(before).filter(([key, platform]) => now[key] !== platform)
  if (vanished.length === 0) return undefined
  const removed = vanished.map(([key, platform]) => [key, {platform}])
  return {...message, components: {...message.components, ...Object.fromEntries(removed)}}
}

export function availabilityOf(name: string, topics: Topics) {
  return {topic: topics.availability(name), value_template: '{{ value_json.state }}'}
}

export function bridgeAvailability(topics: Topics) {
  return {topic: topics.bridge('state'), value_template: '{{ value_json.state }}'}
}

export function origin(version: string) {
  return {name: 'miio2mqtt', sw_version: version}
}

/** `kitchen/kettle` is `kitchen kettle`: what stands on cards, and what a voice assistant can be told. */
export function displayName(name: string): string {
  return name.replaceAll('/', ' ')
}

/** `Küche/Kessel 2` is `kuche_kessel_2`: what Home Assistant itself would make of it. */
export function slug(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '')
}

/** Short, and the same for the same text. */
export function digest(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

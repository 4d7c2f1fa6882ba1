/** The context of the bridge's parts on virtual time: plugs that are scripted, and a publisher that records. */
import {type BridgeContext, type Component, messageWarnings} from '../../../src/bridge/component.ts'
import {Group, type GroupSettings} from '../../../src/bridge/group.ts'
import {NameDirectory} from '../../../src/bridge/name-directory.ts'
import type {DisplayOptions, Plug} from '../../../src/bridge/plug.ts'
import type {Publisher} from '../../../src/bridge/publisher.ts'
import {Device} from '../../../src/device/device.ts'
import {Poller} from '../../../src/device/polling/poller.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import type {OutgoingMessage} from '../../../src/mqtt/outgoing-message.ts'
import {assertTopic, Topics} from '../../../src/mqtt/topics.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {ScriptedPlug} from '../../support/scripted-plug.ts'
import {seeded, type VirtualClock} from '../../support/virtual-clock.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

export const topics = new Topics('miio2mqtt', 'homeassistant/status')

/** Keeps what is published, and refuses invalid topics like the real one. */
export class RememberingPublisher implements Publisher {
  readonly messages: (OutgoingMessage & {at: number})[] = []
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  publish(message: OutgoingMessage): void {
    assertTopic(message.topic)
    this.messages.push({...message, at: this.#clock.now()})
  }

  on(topic: string): (OutgoingMessage & {at: number})[] {
    return this.messages.filter((message) => message.topic === topic)
  }

  get topics(): string[] {
    return this.messages.map(({topic}) => topic)
  }
}

/** A context in which everything that a test does not give is new: a connected broker, no plugs, no groups. */
export function testContext(clock: VirtualClock, choice: Partial<BridgeContext> = {}): BridgeContext {
  const {plugs = new Map(), groups = new Map(), log = new RememberingLog()} = choice
  return {
    clock,
    random: seeded(1),
    log,
    messageWarnings: messageWarnings({clock, log}),
    topics,
    publisher: new RememberingPublisher(clock),
    connection: {connected: true, resubscribe: () => Promise.resolve()},
    plugs,
    groups,
    names: new NameDirectory(plugs, groups),
    stopping: new AbortController().signal,
    ...choice,
  }
}

/** Fills the map of groups, as the registry does when the configuration changes. */
export function replaceGroups(
  groups: Map<string, Group>,
  settings: Readonly<Record<string, GroupSettings>>,
  plugs: ReadonlyMap<string, Plug>,
): void {
  groups.clear()
  for (const [name, own] of Object.entries(settings)) groups.set(name, new Group(name, own, plugs))
}

interface Choice {
  name?: string
  /** `null`: it never responded. */
  did?: number | null
  disabled?: boolean
  seed?: number
  firstDelay?: number
  appearance?: DisplayOptions
}

/** A configured plug with a real device and a real poller in front of a scripted one. */
export class StagedPlug implements Plug {
  readonly name: string
  readonly did: number | undefined
  readonly disabled: boolean
  readonly address = '192.168.1.40'
  readonly description = 'beside the window'
  readonly area = 'Study'
  readonly icon = 'mdi:desk-lamp'
  readonly display: DisplayOptions
  readonly commandTimeout = 10 * SECOND
  readonly scripted: ScriptedPlug
  readonly device: Device
  readonly poller: Poller
  readonly #components: Component[] = []

  constructor(
    clock: VirtualClock,
    {name = 'desk', did = 4711, disabled = false, seed = 1, firstDelay = 0, appearance = {}}: Choice = {},
  ) {
    this.name = name
    this.display = appearance
    this.did = did ?? undefined
    this.disabled = disabled
    this.scripted = new ScriptedPlug(clock)
    const identity = {model: 'chuangmi.plug.m1'}
    this.device = new Device({
      name,
      transport: this.scripted,
      clock,
      identity,
      findModel: (id) => builtIn.find(id),
    })
    const settings = {interval: 15 * SECOND, slow_interval: MINUTE}
    this.poller = new Poller({device: this.device, clock, random: seeded(seed), settings, firstDelay})
    const each = (call: (component: Component) => void) => {
      for (const component of this.#components) call(component)
    }
    this.device.listener = {
      stateChanged: () => each((component) => component.stateChanged?.(this)),
      availabilityChanged: (availability) =>
        each((component) => component.availabilityChanged?.(this, availability)),
      pollFailed: (error) => each((component) => component.pollFailed?.(this, error)),
      identified: () => each((component) => component.identified?.(this)),
      metadataChanged: () => each((component) => component.metadataChanged?.(this)),
      answeredWhileAway: () => this.poller.pollNow(),
    }
  }

  /** Adds the plug to these parts of a bridge, which get its events from now on. */
  addTo(...components: readonly Component[]): void {
    this.#components.push(...components)
    for (const component of components) component.plugAdded?.(this)
  }

  get lastResponseAt(): number | undefined {
    return this.device.tracker.lastResponseAt
  }

  get isFailing(): boolean {
    return this.device.tracker.isFailing
  }

  statistics() {
    return {requests: 7, timeouts: 1, retries: 1, latency_p50: 2.5, latency_p95: null}
  }
}

/** So many plugs, `desk 0` and on, that poll independently of each other. */
export function stagedPlugs(clock: VirtualClock, count: number, seed = 1): Map<string, StagedPlug> {
  const plugs = Array.from({length: count}, (_, index) => {
    const name = `desk ${index}`
    return new StagedPlug(clock, {name, did: 4711 + index, seed: seed * 100 + index, firstDelay: 5 * index})
  })
  return new Map(plugs.map((plug) => [plug.name, plug]))
}

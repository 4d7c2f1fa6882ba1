/**
 * What every part of the bridge has in common: the hooks that a part may implement, and the context that all parts share.
 * `src/app/bridge.ts` has the ordered list of the parts, and calls each hook for all of them in that order.
 */
import type {Clock, Random} from '../common/clock.ts'
import {WarningLimiter} from '../common/warning-limiter.ts'
import type {Availability} from '../device/polling/availability.ts'
import type {Log} from '../log/logger.ts'
import type {IncomingMessage} from '../mqtt/connection.ts'
import type {ParsedTopic, Topics} from '../mqtt/topics.ts'
import type {Group} from './group.ts'
import type {NameDirectory} from './name-directory.ts'
import type {Plug} from './plug.ts'
import type {Publisher} from './publisher.ts'

/** Events of the device of a plug (src/device/device.ts), from when the plug is started until it is stopped. */
export interface PlugEvents {
  /** The state is another than before, or known for the first time. */
  stateChanged(plug: Plug): void
  availabilityChanged(plug: Plug, availability: Availability): void
  /** A poll or a command got no response, or a poll was refused. */
  pollFailed(plug: Plug, error: unknown): void
  /** The plug reported its model and firmware: for the first time since the start, or others than before. */
  identified(plug: Plug): void
  /** Something about the properties changed beside their values: the energy source, implausible values, properties left out. */
  metadataChanged(plug: Plug): void
}

/** A part of the bridge. It implements the hooks that it needs. */
export interface Component extends Partial<PlugEvents> {
  /**
   * The plugs and groups exist, and the broker has not been tried yet.
   * @param spread milliseconds within which the first poll of every plug begins
   */
  start?(spread: number): void
  /** A plug was made and is about to start. */
  plugAdded?(plug: Plug): void
  /**
   * A plug has stopped, and is configured differently now or not at all. `BridgeContext.plugs` is up to date already: of a plug that was
   * changed, the new one was added before.
   */
  plugRemoved?(plug: Plug): void
  /** The broker is connected, perhaps not for the first time, and may have lost everything that was retained. */
  connected?(): void
  disconnected?(): void
  /** A new configuration is in force, and the subscriptions are those of its names. @param plugs those that were added or changed */
  reloaded?(plugs: readonly Plug[]): void
  /** Home Assistant has restarted, and has subscribed to the topics in the discovery messages. */
  homeAssistantStarted?(): void
  /** Topic filters of messages that this part handles, beside those of commands and requests. */
  subscriptions?(): readonly string[]
  /**
   * @param topic what the topic of the message stands for; `undefined` for no topic of the bridge
   * @returns whether the message is handled, so that no later part gets it
   */
  handle?(message: IncomingMessage, topic: ParsedTopic | undefined): boolean
  /** The bridge stops: starts nothing new, and cancels timers. Called in reverse order. Resolves when what was under way is done. */
  stop?(): void | Promise<void>
  /** All parts have stopped, and the state files are written: the time for a last message. Called in reverse order. */
  stopped?(): void
}

/** A part of the bridge that publishes retained messages. */
export interface RetainedSource {
  /** Every topic on which this part has a retained message now. Recorded topics that no part lists are stale. */
  retainedTopics(): readonly string[]
}

/** What all parts of the bridge share. */
export interface BridgeContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly messageWarnings: ReturnType<typeof messageWarnings>
  readonly topics: Topics
  readonly publisher: Publisher
  readonly connection: BrokerConnection
  /** By name, in the order of the configuration. The same map as long as the bridge runs. */
  readonly plugs: ReadonlyMap<string, Plug>
  /** By name, in the order of the configuration. The same map as long as the bridge runs. */
  readonly groups: ReadonlyMap<string, Group>
  readonly names: NameDirectory
  /** Aborted as soon as the bridge is to stop: commands are not carried out any more. */
  readonly stopping: AbortSignal
}

/** Warnings about messages of other clients, with one limit for each kind of mistake. */
export function messageWarnings(source: {clock: Clock; log: Log}) {
  return {
    /** Retained commands. */
    retained: new WarningLimiter(source),
    /** Commands to unknown names, and on wrong topics. */
    misplaced: new WarningLimiter(source),
    /** Commands and requests that are refused. */
    refused: new WarningLimiter(source),
    /** Response topics that are not allowed: any client can make up more of them, and must not hide the refusals of others. */
    responseTopics: new WarningLimiter(source),
  }
}

/** What parts of the bridge need of the connection to the broker, beside publishing. */
interface BrokerConnection {
  readonly connected: boolean
  /** Brings the subscriptions in line with `Component.subscriptions` and the names of plugs and groups. */
  resubscribe(): Promise<void>
}

/** Who is there, and where: hellos by broadcast, and what answers them (docs/protocol.md §1.2, §1.10). */
import {type Clock, type Random, sleep, type Timer} from '../common/clock.ts'
import {broadcastAddresses, isUnicast} from './broadcast.ts'
import {CandidateAddresses, type TryAddress} from './candidate-addresses.ts'
import {MiioError} from './miio-error.ts'
import {HELLO, MalformedPacket, MIIO_PORT, parsePacket} from './packet.ts'
import type {Endpoint, UdpTransport} from './socket.ts'

export {broadcastAddresses}

/** A hello reply in words. Nothing proves it: whoever is told must ask there under the plug's token. */
export interface DiscoveredDevice extends Endpoint {
  did: number
  /** Seconds since the plug's boot. */
  uptime: number
  /** The plug is not set up yet, and shows its token to everybody. */
  revealsToken: boolean
}

export interface DiscoveryScanOptions {
  /** Milliseconds to wait for replies. */
  timeout: number
  /** Ends the scan early, with what was found so far. */
  signal?: AbortSignal | undefined
  onFound?: ((found: DiscoveredDevice) => void) | undefined
  /** Called once when more devices answer than are taken. */
  onTooMany?: (() => void) | undefined
  /** Greet this one address instead of broadcasting; its first reply ends the scan. */
  only?: Endpoint | undefined
  /** Look for this device alone, wherever it is. */
  did?: number | undefined
}

/** More devices in one scan are no home's: somebody makes them up. */
const MOST_FOUND = 1000

/** A lost plug has mostly just got a new address, and is back within seconds; a broken one is not worth much noise. */
const FIRST_INTERVAL_MS = 5_000
const LONGEST_INTERVAL_MS = 60_000
/** Plugs answer a broadcast within this time. */
const ANSWER_MS = 2000

export class NetworkDiscovery {
  readonly #socket: UdpTransport
  readonly #clock: Clock
  readonly #broadcast: readonly string[] | undefined
  readonly #log: (message: string) => void
  readonly #random: Random
  readonly #wanted = new Map<number, CandidateAddresses>()
  #stopListening: (() => void) | undefined
  #timer: Timer | undefined
  #lastBroadcast = Number.NEGATIVE_INFINITY
  #interval = FIRST_INTERVAL_MS

  /**
   * @param broadcast where hellos go; by default every interface's broadcast address, `[]` is nowhere.
   * @param log told, in words, why a hello could not leave, and of replies that are too many
   * @param random which of too many sightings are tried; without it, the newest
   */
  constructor({
    socket,
    clock,
    broadcast,
    log = () => {},
    random = () => 0,
  }: {
    socket: UdpTransport
    clock: Clock
    broadcast: readonly string[] | undefined
    log?: ((message: string) => void) | undefined
    random?: Random | undefined
  }) {
    this.#socket = socket
    this.#clock = clock
    this.#broadcast = broadcast
    this.#log = log
    this.#random = random
  }

  /**
   * Greets everybody, twice since UDP loses packets, and collects who answers: each device once, 1,000 at most.
   * @throws MiioError `unreachable` when not one hello could leave, or nobody knows where to
   */
  async scan({
    timeout,
    signal,
    onFound,
    onTooMany,
    only,
    did,
  }: DiscoveryScanOptions): Promise<DiscoveredDevice[]> {
    const targets = only ? [only] : this.#everywhere()
    if (targets.length === 0) return []
    const found = new Map<number, DiscoveredDevice>()
    const done = new AbortController()
    const stop = () => done.abort()
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()
    let isFull = false
    const unsubscribe = this.#onHelloReply((one) => {
      if (only && (one.host !== only.host || one.port !== only.port)) return
      if (did !== undefined && one.did !== did) return
      if (found.has(one.did)) return
      if (found.size === MOST_FOUND) {
        if (isFull) return
        isFull = true
        this.#log(TOO_MANY)
        return onTooMany?.()
      }
      found.set(one.did, one)
      onFound?.(one)
      if (only) stop()
    })
    try {
      await this.#greet(targets)
      await sleep(this.#clock, timeout / 3, done.signal)
      if (!done.signal.aborted) await this.#greetIfPossible(() => targets)
      await sleep(this.#clock, timeout - timeout / 3, done.signal)
    } finally {
      unsubscribe()
      signal?.removeEventListener('abort', stop)
    }
    return [...found.values()]
  }

  /**
   * Looks for a plug until `forget`: at once, then at growing intervals, in broadcasts shared with everybody else's search.
   * `onFound` may be told of an address more than once, and of a wrong one: a hello reply can be forged. It is told of the next
   * one when the promise it returned has resolved.
   */
  find(did: number, onFound: TryAddress): void {
    if (this.#wanted.has(did)) return
    this.#wanted.set(did, new CandidateAddresses(onFound, this.#random))
    this.#stopListening ??= this.#onHelloReply((found) => this.#report(found))
    this.#interval = FIRST_INTERVAL_MS
    this.#schedule(this.#lastBroadcast + FIRST_INTERVAL_MS)
  }

  forget(did: number): void {
    this.#wanted.get(did)?.stop()
    this.#wanted.delete(did)
    if (this.#wanted.size === 0) this.stop()
  }

  /** Ends every search started by `find`. */
  stop(): void {
    for (const sightings of this.#wanted.values()) sightings.stop()
    this.#wanted.clear()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#stopListening?.()
    this.#stopListening = undefined
  }

  #schedule(at: number): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => void this.#seek())
  }

  async #seek(): Promise<void> {
    this.#lastBroadcast = this.#clock.now()
    this.#schedule(this.#lastBroadcast + this.#interval)
    this.#interval = Math.min(2 * this.#interval, LONGEST_INTERVAL_MS)
    for (const sightings of this.#wanted.values()) sightings.renew()
    await this.#greetIfPossible(() => this.#everywhere())
  }

  #report({did, host, port}: DiscoveredDevice): void {
    const isAnswer = this.#clock.now() - this.#lastBroadcast <= ANSWER_MS
    this.#wanted.get(did)?.add({host, port}, isAnswer)
  }

  /** @throws MiioError when the system does not say where that is */
  #everywhere(): Endpoint[] {
    return (this.#broadcast ?? broadcastAddresses()).map((host) => ({host, port: MIIO_PORT}))
  }

  /** Once more, where an earlier greeting has left or a later one will: no network now is no reason to stop. */
  async #greetIfPossible(targets: () => readonly Endpoint[]): Promise<void> {
    try {
      await this.#greet(targets())
    } catch (error) {
      if (!(error instanceof MiioError)) throw error
      this.#log(error.message)
    }
  }

  /** @throws MiioError when no hello could leave: the first one's reason */
  async #greet(targets: readonly Endpoint[]): Promise<void> {
    const sent = await Promise.allSettled(targets.map(({host, port}) => this.#socket.send(HELLO, host, port)))
    const failed = sent.filter((outcome) => outcome.status === 'rejected').map(({reason}) => reason)
    const [first] = failed
    if (first instanceof MiioError && failed.length === sent.length) throw first
    for (const reason of failed) this.#log(String(reason))
  }

  #onHelloReply(handler: (found: DiscoveredDevice) => void): () => void {
    return this.#socket.onUnsolicited((datagram, from) => {
      const found = toFound(datagram, from)
      if (found) handler(found)
    })
  }
}

const TOO_MANY = `more than ${MOST_FOUND} devices answer a hello: the first ${MOST_FOUND} are taken, the others left out`

function toFound(datagram: Buffer, from: Endpoint): DiscoveredDevice | undefined {
  try {
    const packet = parsePacket(datagram)
    if (packet.kind !== 'hello_reply' || !isUnicast(from.host) || from.port === 0) return undefined
    return {did: packet.did, ...from, uptime: packet.stamp, revealsToken: packet.revealsToken}
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined
    throw error
  }
}

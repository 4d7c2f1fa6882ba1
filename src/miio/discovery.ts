/** Network discovery: finds plugs by hello broadcasts and their replies (docs/protocol.md §1.2, §1.10). */
import {type Clock, type Random, sleep, type Timer} from '../common/clock.ts'
import {broadcastAddress, interfaceAddresses, isUnicast} from '../common/ipv4.ts'
import {errorMessage} from '../common/text.ts'
import {MiioError} from './miio-error.ts'
import {HELLO, MalformedPacket, MIIO_PORT, parsePacket} from './packet.ts'
import {type Endpoint, sendDatagram, type UdpTransport} from './socket.ts'

/** A decoded hello reply. Nothing proves it: only a response from that address under the plug's token does. */
export interface DiscoveredPlug extends Endpoint {
  did: number
  /** Seconds since the plug's boot. */
  uptime: number
  /** The plug is not set up yet, and shows its token to everyone. */
  revealsToken: boolean
}

export interface DiscoveryScanOptions {
  /** Milliseconds to wait for replies. */
  timeout: number
  /** Ends the scan early, with what was found so far. */
  signal?: AbortSignal | undefined
  onFound?: ((found: DiscoveredPlug) => void) | undefined
  /** Called once when more plugs reply than are taken. */
  onTooMany?: (() => void) | undefined
  /** Send hellos to this one address instead of broadcasting; its first reply ends the scan. */
  only?: Endpoint | undefined
  /** Look for the plug with this device id alone, wherever it is. */
  did?: number | undefined
}

/** Requests something of the plug at an address. The promise it returns is awaited before the next address is tried. */
type TryAddress = (at: Endpoint) => unknown

/** No home has more plugs: further replies in one scan are forged. */
const MOST_FOUND = 1000

/** A lost plug has mostly just got a new address, and replies within seconds. A broken plug is not worth much traffic. */
const FIRST_INTERVAL_MS = 5_000
const LONGEST_INTERVAL_MS = 60_000
/** Plugs reply to a broadcast within this time. */
const REPLY_MS = 2000
/** Kept between two broadcasts. Upper bound against forged hello replies: for memory, and for the hellos that they cause. */
const MAX_CANDIDATES = 8

interface DiscoveryOptions {
  socket: UdpTransport
  clock: Clock
  /** Where hellos are sent: by default to every interface's broadcast address, `[]` for nowhere. */
  broadcast: readonly string[] | undefined
  /** Called with a sentence when a hello could not be sent, or when too many plugs reply. */
  log?: ((message: string) => void) | undefined
  /** Decides which of too many candidate addresses are tried; without it, the newest. */
  random?: Random | undefined
}

/** Finds plugs in the network: all of them with `scan`, one that moved with `find`. */
export class NetworkDiscovery {
  readonly #options: DiscoveryOptions
  /** The searches begun by `find`, by device id. */
  readonly #searches = new Map<number, CandidateAddresses>()
  #stopListening: (() => void) | undefined
  #timer: Timer | undefined
  #lastBroadcast = Number.NEGATIVE_INFINITY
  #interval = FIRST_INTERVAL_MS

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  /**
   * Broadcasts two hellos, since UDP loses packets, and collects the plugs that reply: each once, 1,000 at most.
   * @throws MiioError `unreachable` when no hello could be sent, or the networks of this machine cannot be listed
   */
  async scan({
    timeout,
    signal,
    onFound,
    onTooMany,
    only,
    did,
  }: DiscoveryScanOptions): Promise<DiscoveredPlug[]> {
    const targets = only ? [only] : this.#everywhere()
    if (targets.length === 0) return []
    const found = new Map<number, DiscoveredPlug>()
    const onlyFound = new AbortController()
    const ended = AbortSignal.any([onlyFound.signal, ...(signal ? [signal] : [])])
    let isFull = false
    const unsubscribe = this.#onHelloReply((plug) => {
      if (only && (plug.host !== only.host || plug.port !== only.port)) return
      if (did !== undefined && plug.did !== did) return
      if (found.has(plug.did)) return
      if (found.size === MOST_FOUND) {
        if (isFull) return
        isFull = true
        this.#options.log?.(TOO_MANY)
        return onTooMany?.()
      }
      found.set(plug.did, plug)
      onFound?.(plug)
      if (only) onlyFound.abort()
    })
    try {
      await this.#sendHellos(targets)
      await sleep(this.#options.clock, timeout / 3, ended)
      if (!ended.aborted) await this.#sendHellosIfPossible(() => targets)
      await sleep(this.#options.clock, timeout - timeout / 3, ended)
      // When this process was busy or suspended, replies may have arrived before the timer fired.
      if (!ended.aborted) await new Promise<void>((resolve) => this.#options.socket.afterArrived(resolve))
    } finally {
      unsubscribe()
    }
    return [...found.values()]
  }

  /**
   * Looks for a plug until `cancelSearch`: at once, then at growing intervals, by broadcasts that all searches share.
   * `onFound` may get an address more than once, and a wrong one: a hello reply can be forged. It gets the next address when the
   * promise it returned has resolved.
   */
  find(did: number, onFound: TryAddress): void {
    if (this.#searches.has(did)) return
    this.#searches.set(did, new CandidateAddresses(onFound, this.#options.random ?? (() => 0)))
    this.#stopListening ??= this.#onHelloReply((found) => this.#report(found))
    this.#interval = FIRST_INTERVAL_MS
    this.#schedule(this.#lastBroadcast + FIRST_INTERVAL_MS)
  }

  cancelSearch(did: number): void {
    this.#searches.get(did)?.reset()
    this.#searches.delete(did)
    if (this.#searches.size === 0) this.stop()
  }

  /** Ends every search started by `find`. */
  stop(): void {
    for (const candidates of this.#searches.values()) candidates.reset()
    this.#searches.clear()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#stopListening?.()
    this.#stopListening = undefined
  }

  #schedule(at: number): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(
      Math.max(0, at - this.#options.clock.now()),
      () => void this.#search(),
    )
  }

  async #search(): Promise<void> {
    this.#lastBroadcast = this.#options.clock.now()
    this.#schedule(this.#lastBroadcast + this.#interval)
    this.#interval = Math.min(2 * this.#interval, LONGEST_INTERVAL_MS)
    for (const candidates of this.#searches.values()) candidates.reset()
    await this.#sendHellosIfPossible(() => this.#everywhere())
  }

  #report({did, host, port}: DiscoveredPlug): void {
    const isReply = this.#options.clock.now() - this.#lastBroadcast <= REPLY_MS
    this.#searches.get(did)?.add({host, port}, isReply)
  }

  /** The broadcast addresses. @throws MiioError when the networks of this machine cannot be listed */
  #everywhere(): Endpoint[] {
    return (this.#options.broadcast ?? broadcastAddresses()).map((host) => ({host, port: MIIO_PORT}))
  }

  /** Sends hellos, and logs why none could be sent: a later broadcast may do better, so a missing network is no reason to stop. */
  async #sendHellosIfPossible(targets: () => readonly Endpoint[]): Promise<void> {
    try {
      await this.#sendHellos(targets())
    } catch (error) {
      if (!(error instanceof MiioError)) throw error
      this.#options.log?.(error.message)
    }
  }

  /** @throws MiioError when no hello could be sent: the reason of the first */
  async #sendHellos(targets: readonly Endpoint[]): Promise<void> {
    const sent = await Promise.allSettled(
      targets.map((target) => sendDatagram(this.#options.socket, HELLO, target)),
    )
    const failed = sent.filter((outcome) => outcome.status === 'rejected').map(({reason}) => reason)
    const [first] = failed
    if (first instanceof MiioError && failed.length === sent.length) throw first
    for (const reason of failed) this.#options.log?.(String(reason))
  }

  #onHelloReply(handler: (found: DiscoveredPlug) => void): () => void {
    return this.#options.socket.onUnsolicited((datagram, from) => {
      const found = parseHelloReply(datagram, from)
      if (found) handler(found)
    })
  }
}

const TOO_MANY = `more than ${MOST_FOUND} devices answer a hello: the first ${MOST_FOUND} are used, the others ignored`

function parseHelloReply(datagram: Buffer, from: Endpoint): DiscoveredPlug | undefined {
  try {
    const packet = parsePacket(datagram)
    if (packet.kind !== 'hello_reply' || !isUnicast(from.host) || from.port === 0) return undefined
    return {did: packet.did, ...from, uptime: packet.stamp, revealsToken: packet.revealsToken}
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined
    throw error
  }
}

/**
 * The directed broadcast address of every IPv4 network this machine is in, by its real netmask; loopback is left out.
 * 255.255.255.255 would leave through one interface only.
 * @throws MiioError `unreachable` at stage `send` when the networks of this machine cannot be listed
 */
export function broadcastAddresses(addresses = listedAddresses()): string[] {
  const own = new Set(addresses.map(({address}) => address))
  const outward = addresses.filter(({family, internal}) => family === 'IPv4' && !internal)
  const broadcasts = new Set(outward.map(broadcastAddress))
  return [...broadcasts].filter((address) => !own.has(address)) // a network of one host, a VPN, has no broadcast
}

function listedAddresses(): ReturnType<typeof interfaceAddresses> {
  try {
    return interfaceAddresses()
  } catch (error) {
    const reason = errorMessage(error)
    throw new MiioError('unreachable', 'send', `cannot list the networks of this machine: ${reason}`)
  }
}

/** The addresses where one lost plug may be, from unproven hello replies: at most eight between two broadcasts, tried one after the other. */
class CandidateAddresses {
  readonly #tryAddress: TryAddress
  readonly #random: Random
  readonly #untried: Endpoint[] = []
  /** Addresses tried since the last broadcast: several networks may bring the same reply. */
  readonly #tried: Endpoint[] = []
  /** How many addresses came since the last broadcast. */
  #count = 0
  #isTrying = false

  constructor(tryAddress: TryAddress, random: Random) {
    this.#tryAddress = tryAddress
    this.#random = random
  }

  /** After a broadcast every address is worth a new try. At the end of the search no further address is tried. */
  reset(): void {
    this.#untried.length = 0
    this.#tried.length = 0
    this.#count = 0
  }

  /**
   * A hello reply in the plug's name came from `at`.
   * @param isReply whether it may be the reply to our broadcast. When there are too many, each of those has the same chance to
   *   be tried, so that the true one is found sooner or later. A reply at any other time takes only a free place.
   */
  add(at: Endpoint, isReply: boolean): void {
    if ([...this.#untried, ...this.#tried].some(({host, port}) => host === at.host && port === at.port))
      return
    this.#count++
    if (this.#untried.length + this.#tried.length < MAX_CANDIDATES) this.#untried.push(at)
    else if (isReply) this.#replaceOne(at)
    if (!this.#isTrying) void this.#tryAll()
  }

  /** Reservoir sampling: the n-th address takes a place with the chance places/n. */
  #replaceOne(at: Endpoint): void {
    const {length} = this.#untried
    if (this.#random() < length / (this.#count - this.#tried.length)) this.#untried[this.#anyIndex()] = at
  }

  async #tryAll(): Promise<void> {
    this.#isTrying = true
    try {
      while (this.#untried.length > 0) {
        const [at] = this.#untried.splice(this.#anyIndex(), 1)
        if (!at) return
        this.#tried.push(at)
        await this.#tryAddress(at)
      }
    } finally {
      this.#isTrying = false
    }
  }

  #anyIndex(): number {
    return Math.floor(this.#random() * this.#untried.length)
  }
}

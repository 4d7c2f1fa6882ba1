/** Processes a datagram inside the simulated plug, in the order of the firmware (docs/protocol.md §1.6; all § below are of that file). */
import type {RemoteInfo} from 'node:dgram'
import type {Clock, Random, Timer} from '../common/clock.ts'
import {
  type Cipher,
  HEADER_BYTES,
  HELLO,
  LONGEST_CIPHERTEXT,
  MalformedPacket,
  nak,
  parsePacket,
  TOKEN_BYTES,
} from '../miio/packet.ts'
import {drawFault, type Faults, garbageDatagram, type InjectedFault} from './faults.ts'
import type {Firmware} from './firmware/firmware.ts'
import {
  type FirmwareRequest,
  formatResponse,
  parseFirmwareRequest,
  tailOf,
} from './firmware/firmware-messages.ts'
import {ACK_TIMEOUT, type FirmwareContext} from './firmware/firmware-profile.ts'

/** The plug that the receiver belongs to. */
export interface ReceiverHost extends FirmwareContext {
  readonly clock: Clock
  readonly random: Random
  readonly firmware: Firmware
  readonly cipher: Cipher
  readonly faults: Faults
  /** How many requests `Receiver.received` keeps. */
  readonly remember: number
  send(packet: Buffer, to: RemoteInfo): void
  /** Called when a request, or the number of requests, was more than the firmware survives. */
  rebootFromOverload(): void
}

/** A request that was executed, or refused by an injected fault. */
export interface ReceivedRequest {
  method: string
  params: readonly unknown[]
  id: number
  /** `clock.now()` at its arrival. */
  at: number
}

/** Milliseconds until the Wi-Fi half of a plug gives up waiting for the other half: up to four seconds were observed (python-miio). */
const ACK_TIMEOUT_MS = 1000
const CACHED_MS = 2000
const MAX_CACHED = 6
/** `exe_time` of a response without any delay. */
const UNDELAYED_MS = 20

const HIDDEN_TOKEN = {ff: Buffer.alloc(16, 0xff), '00': Buffer.alloc(16)}

/** Decides what a simulated plug does with a datagram. */
export class Receiver {
  readonly received: ReceivedRequest[] = []
  /** Faults of the next requests, in order. Where one is given, none is drawn by chance. */
  readonly scripted: InjectedFault[] = []
  maxInFlight = 0

  readonly #plug: ReceiverHost
  /** The latest responses. An m1 caches six of them for two seconds by id alone: two clients with the same id get each other's (§1.7). */
  #recent: {id: number; text: string; until: number}[] = []
  /** Times of the latest requests, for `overPolled`. */
  #requestTimes: number[] = []
  readonly #pendingResponses = new Set<Timer>()
  readonly #pendingHellos = new Set<Timer>()

  constructor(plug: ReceiverHost) {
    this.#plug = plug
  }

  /** Responses that wait for their delay to pass. */
  get inFlight(): number {
    return this.#pendingResponses.size
  }

  receive(datagram: Buffer, from: RemoteInfo): void {
    const packet = declaredPart(datagram)
    if (!packet) return
    if (packet.length === HEADER_BYTES) this.#replyToHello(packet, from)
    else this.#receiveMessage(packet, from)
  }

  /** A loss of power: pending responses and the cache of recent ones are gone. */
  reset(): void {
    this.#recent = []
    this.#requestTimes = []
    for (const pending of [this.#pendingResponses, this.#pendingHellos]) {
      for (const timer of pending) timer.cancel()
      pending.clear()
    }
  }

  #replyToHello(hello: Buffer, from: RemoteInfo): void {
    const {did, uptimeS, token, profile, faults, random} = this.#plug
    const fault = drawFault(faults, random)
    if (fault.loseRequest) return
    const slot = profile.helloShows === 'token' ? token : HIDDEN_TOKEN[profile.helloShows]
    const reply = replyToHello(hello, did, uptimeS, slot)
    if (!reply || fault.loseResponse) return
    this.#afterDelay(fault, this.#pendingHellos, () => this.#send(reply, fault, from))
  }

  /** The order matters: a stale stamp gets no response even when the token is wrong, too (§1.6 steps 5 to 9). */
  #receiveMessage(packet: Buffer, from: RemoteInfo): void {
    const {did, uptimeS, cipher, profile, faults, random} = this.#plug
    const fault = this.scripted.shift() ?? drawFault(faults, random)
    if (fault.loseRequest) return
    const message = undefinedIfMalformed(() => parsePacket(packet))
    if (message?.kind !== 'message' || message.did !== did) return
    if (Math.abs(message.stamp - uptimeS) > profile.stampWindowS) return
    // An m1 treats wrong padding like a wrong token.
    const payload = faults.wrongToken ? undefined : undefinedIfMalformed(() => cipher.open(message))
    const request = payload && parseFirmwareRequest(payload)
    if (request) this.#dispatch(request, fault, from)
    else if (!payload && profile.wrongToken === 'nak') this.#plug.send(nak(packet), from)
  }

  #dispatch(request: FirmwareRequest, fault: InjectedFault, from: RemoteInfo): void {
    const repeated = this.#repeatedResponse(request.id)
    if (repeated !== undefined) this.#respond(request.id, repeated, fault, from)
    else if (this.#isOverPolled()) this.#plug.rebootFromOverload()
    else this.#execute(request, fault, from)
  }

  /** Counts this request. @returns whether it is one more than the firmware survives within its time */
  #isOverPolled(): boolean {
    const {overPolled} = this.#plug.profile
    if (!overPolled) return false
    const now = this.#plug.clock.now()
    this.#requestTimes = this.#requestTimes.filter((at) => now - at < overPolled.withinMs)
    this.#requestTimes.push(now)
    return this.#requestTimes.length > overPolled.most
  }

  /** The response to a request whose id was used a moment ago, `''` for none. @returns `undefined` for a new id */
  #repeatedResponse(id: number): string | undefined {
    const now = this.#plug.clock.now()
    const earlier =
      id === 0 ? undefined : this.#recent.find((each) => each.id === id && now < each.until)?.text
    if (earlier === undefined) return undefined
    switch (this.#plug.profile.repeats) {
      case 'cached':
        return earlier
      case 'dropped':
        return ''
      case 'ok':
        return JSON.stringify({id, result: ['ok']})
    }
  }

  /** A request with the id 0 is executed and gets no response. */
  #execute(request: FirmwareRequest, fault: InjectedFault, from: RemoteInfo): void {
    const {id, method, params} = request
    this.received.push({
      method,
      params: Array.isArray(params) ? params : [params],
      id,
      at: this.#plug.clock.now(),
    })
    if (this.received.length > this.#plug.remember) this.received.shift()
    const response = fault.refuse ? {error: fault.refuse} : this.#plug.firmware.respond(request, this.#plug)
    if (!response && this.#plug.firmware.isFatal(request, this.#plug)) this.#plug.rebootFromOverload()
    if (id === 0 || !response) return
    const isAckTimeout = 'error' in response && response.error === ACK_TIMEOUT
    const delayMs = isAckTimeout ? ACK_TIMEOUT_MS : (fault.delayMs ?? 0)
    const text = formatResponse(id, response, this.#plug.profile, delayMs || UNDELAYED_MS)
    if (this.#recent.length === MAX_CACHED) this.#recent.shift()
    this.#recent.push({id, text, until: this.#plug.clock.now() + CACHED_MS})
    this.#respond(id, text, {...fault, delayMs}, from)
  }

  #respond(id: number, text: string, fault: InjectedFault, from: RemoteInfo): void {
    if (text === '') return
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight + 1)
    this.#afterDelay(fault, this.#pendingResponses, () => {
      if (!fault.loseResponse) this.#send(this.#encrypt(id, text, fault), fault, from)
    })
  }

  /** Encrypts a response at the moment of sending, so that it carries the stamp of that moment. */
  #encrypt(id: number, text: string, {garble, wrongId}: InjectedFault): Buffer {
    const {cipher, did, uptimeS, profile} = this.#plug
    const seal = (payload: string) => cipher.seal(did, uptimeS, Buffer.from(payload + tailOf(profile)))
    if (garble) return garbageDatagram(garble, text, id, seal, this.#plug.random)
    return seal(wrongId ? text.replace(`"id":${id}`, `"id":${id + 1}`) : text)
  }

  #afterDelay({delayMs}: InjectedFault, pending: Set<Timer>, run: () => void): void {
    if (!delayMs) {
      run()
      return
    }
    const timer = this.#plug.clock.after(delayMs, () => {
      pending.delete(timer)
      run()
    })
    pending.add(timer)
  }

  #send(packet: Buffer, {copies = 1}: InjectedFault, to: RemoteInfo): void {
    for (let copy = 0; copy < copies; copy++) this.#plug.send(packet, to)
  }
}

const MAGIC = HELLO.readUInt16BE(0)
const BLANK = 0xffffffff

/** The part of a datagram that its length field declares. @returns `undefined` for a datagram that the plug drops (§1.6 steps 1 and 2) */
function declaredPart(datagram: Buffer): Buffer | undefined {
  if (datagram.length < HEADER_BYTES || datagram.readUInt16BE(0) !== MAGIC) return undefined
  const length = datagram.readUInt16BE(2)
  if (length > datagram.length || length < HEADER_BYTES) return undefined
  if (length - HEADER_BYTES > LONGEST_CIPHERTEXT) return undefined
  return datagram.subarray(0, length)
}

/**
 * The reply to a hello: the hello itself with its blanks (FF) filled in. A stamp or a checksum that is not blank comes back as it was sent.
 * @param slot 16 bytes: the token, or the bytes that hide it
 * @returns `undefined` when the id is not blank: such a packet is no hello (§1.2)
 */
function replyToHello(hello: Buffer, did: number, uptimeS: number, slot: Buffer): Buffer | undefined {
  if (hello.readUInt32BE(4) !== BLANK || hello.readUInt32BE(8) !== BLANK) return undefined
  const reply = Buffer.from(hello)
  reply.writeBigUInt64BE(BigInt(did), 4)
  if (hello.readUInt32BE(12) === BLANK) reply.writeUInt32BE(uptimeS >>> 0, 12)
  if (hello.subarray(HEADER_BYTES - TOKEN_BYTES).every((byte) => byte === 0xff))
    slot.copy(reply, HEADER_BYTES - TOKEN_BYTES)
  return reply
}

function undefinedIfMalformed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined
    throw error
  }
}

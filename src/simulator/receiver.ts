/** What happens to a datagram inside the plug, in the firmware's order (docs/protocol.md §1.6). */
import type {RemoteInfo} from 'node:dgram'
import type {Clock, Random, Timer} from '../common/clock.ts'
import {type Cipher, HEADER_BYTES, MalformedPacket, nak, type Packet, parsePacket} from '../miio/packet.ts'
import {drawFault, drawHelloFault, type Faults, type InjectedFault} from './faults/faults.ts'
import {garbageDatagram} from './faults/garbage.ts'
import {type Firmware, type FirmwareContext, readRequest} from './firmware/firmware.ts'
import {ACK_TIMEOUT, type FirmwareRequest} from './firmware/firmware-messages.ts'
import {formatResponse, tailOf} from './firmware/json-format.ts'
import {answerHello, declaredPart} from './hello-rules.ts'
import {RecentResponses} from './recent-responses.ts'

/** The plug around it. */
export interface ReceiverHost extends FirmwareContext {
  readonly cipher: Cipher
  readonly faults: Faults
  send(packet: Buffer, to: RemoteInfo): void
  /** It was asked more than it can take. */
  collapse(): void
}

/** A request that was executed, or refused by a mishap. */
export interface ReceivedRequest {
  method: string
  params: readonly unknown[]
  id: number
  /** `clock.now()` when it came. */
  at: number
}

type Message = Packet & {kind: 'message'}

/** How long the Wi-Fi half of a plug waits for the other before it says so: up to four seconds were seen (python-miio). */
const ACK_TIMEOUT_MS = 1000
/** What a plug takes for an answer when nothing keeps it. */
const QUICK_MS = 20

const HIDDEN = {ff: Buffer.alloc(16, 0xff), '00': Buffer.alloc(16)}

export class Receiver {
  readonly received: ReceivedRequest[] = []
  /** What befalls the next requests, or hellos, in place of what chance would bring. */
  readonly scripted: InjectedFault[] = []
  readonly scriptedHellos: InjectedFault[] = []
  maxInFlight = 0

  readonly #plug: ReceiverHost
  readonly #firmware: Firmware
  readonly #clock: Clock
  readonly #random: Random
  readonly #remember: number
  readonly #recent = new RecentResponses()
  /** When the requests came that it still suffers from. */
  #lately: number[] = []
  readonly #working = new Set<Timer>()
  readonly #delayedHellos = new Set<Timer>()

  constructor(plug: ReceiverHost, firmware: Firmware, clock: Clock, random: Random, remember: number) {
    this.#plug = plug
    this.#firmware = firmware
    this.#clock = clock
    this.#random = random
    this.#remember = remember
  }

  get inFlight(): number {
    return this.#working.size
  }

  hear(datagram: Buffer, from: RemoteInfo): void {
    const packet = declaredPart(datagram)
    if (!packet) return
    if (packet.length === HEADER_BYTES) this.#greet(packet, from)
    else this.#receive(packet, from)
  }

  /** Everything it was working on is gone, and so is its memory of recent answers. */
  reset(): void {
    this.#recent.forget()
    this.#lately = []
    for (const waiting of [this.#working, this.#delayedHellos]) {
      for (const timer of waiting) timer.cancel()
      waiting.clear()
    }
  }

  #greet(hello: Buffer, from: RemoteInfo): void {
    const mishap = this.scriptedHellos.shift() ?? drawHelloFault(this.#plug.faults, this.#random)
    if (mishap.loseRequest) return
    const {did, uptimeS, token, habits} = this.#plug
    const slot = habits.helloShows === 'token' ? token : HIDDEN[habits.helloShows]
    const reply = answerHello(hello, did, uptimeS, slot)
    if (!reply || mishap.loseReply) return
    this.#afterDelay(mishap, this.#delayedHellos, () => this.#send(reply, mishap, from))
  }

  /** The order matters: a stale stamp is met with silence even when the token is wrong too (§1.6 steps 5 to 9). */
  #receive(packet: Buffer, from: RemoteInfo): void {
    const mishap = this.scripted.shift() ?? drawFault(this.#plug.faults, this.#random)
    if (mishap.loseRequest) return
    const message = asMessage(packet)
    if (message?.did !== this.#plug.did || !this.#isTimely(message)) return
    const payload = this.#open(message)
    const request = payload && readRequest(payload)
    if (request) this.#dispatch(request, mishap, from)
    else if (!payload) this.#answerWrongToken(packet, from)
  }

  #isTimely({stamp}: Message): boolean {
    return Math.abs(stamp - this.#plug.uptimeS) <= this.#plug.habits.stampWindowS
  }

  /** `undefined`: the token does not fit, or the padding is none; an m1 answers both alike. */
  #open(message: Message): Buffer | undefined {
    if (this.#plug.faults.wrongToken) return undefined
    return orUndefined(() => this.#plug.cipher.open(message))
  }

  #answerWrongToken(packet: Buffer, from: RemoteInfo): void {
    const manner = this.#plug.faults.wrongToken ?? this.#plug.habits.wrongToken
    if (manner === 'nak') this.#plug.send(nak(packet), from)
  }

  #dispatch(request: FirmwareRequest, mishap: InjectedFault, from: RemoteInfo): void {
    const repeated = this.#repeated(request.id)
    if (repeated !== undefined) this.#answer(request.id, repeated, mishap, from)
    else if (this.#isTooMuch()) this.#plug.collapse()
    else this.#execute(request, mishap, from)
  }

  /** Whether this request is one more than the firmware can take in such a time. */
  #isTooMuch(): boolean {
    const {overPolled} = this.#plug.habits
    if (!overPolled) return false
    const now = this.#clock.now()
    this.#lately = this.#lately.filter((at) => now - at < overPolled.withinMs)
    this.#lately.push(now)
    return this.#lately.length > overPolled.most
  }

  /** What a request gets whose id was used a moment ago, `''` for silence; `undefined` when the id is a new one. */
  #repeated(id: number): string | undefined {
    const earlier = id === 0 ? undefined : this.#recent.find(id, this.#clock.now())
    if (earlier === undefined) return undefined
    switch (this.#plug.habits.repeats) {
      case 'cached':
        return earlier
      case 'dropped':
        return ''
      case 'ok':
        return JSON.stringify({id, result: ['ok']})
    }
  }

  /** The id 0 is executed and not answered. */
  #execute(request: FirmwareRequest, mishap: InjectedFault, from: RemoteInfo): void {
    const {id} = request
    this.#note(request)
    const answer = mishap.refuse ? {error: mishap.refuse} : this.#firmware.answer(request, this.#plug)
    if (id === 0 || !answer) return
    const isLate = 'error' in answer && answer.error === ACK_TIMEOUT
    const delayMs = isLate ? ACK_TIMEOUT_MS : (mishap.delayMs ?? 0)
    const reply = formatResponse(id, answer, this.#plug.habits, delayMs || QUICK_MS)
    this.#recent.keep(id, reply, this.#clock.now())
    this.#answer(id, reply, {...mishap, delayMs}, from)
  }

  #answer(id: number, reply: string, mishap: InjectedFault, from: RemoteInfo): void {
    if (reply === '') return
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight + 1)
    this.#afterDelay(mishap, this.#working, () => {
      if (!mishap.loseReply) this.#send(this.#packet(id, reply, mishap), mishap, from)
    })
  }

  /** Sealed only when it is sent, with the clock of that moment. */
  #packet(id: number, reply: string, {garble, wrongId}: InjectedFault): Buffer {
    const {cipher, did, uptimeS, habits} = this.#plug
    const seal = (payload: string) => cipher.seal(did, uptimeS, Buffer.from(payload + tailOf(habits)))
    if (garble) return garbageDatagram(garble, reply, id, seal, this.#random)
    return seal(wrongId ? reply.replace(`"id":${id}`, `"id":${id + 1}`) : reply)
  }

  #afterDelay({delayMs}: InjectedFault, waiting: Set<Timer>, run: () => void): void {
    if (!delayMs) {
      run()
      return
    }
    const timer = this.#clock.after(delayMs, () => {
      waiting.delete(timer)
      run()
    })
    waiting.add(timer)
  }

  #send(packet: Buffer, {copies = 1}: InjectedFault, to: RemoteInfo): void {
    for (let copy = 0; copy < copies; copy++) this.#plug.send(packet, to)
  }

  #note({method, params, id}: FirmwareRequest): void {
    const list = Array.isArray(params) ? params : [params]
    this.received.push({method, params: list, id, at: this.#clock.now()})
    if (this.received.length > this.#remember) this.received.shift()
  }
}

function asMessage(packet: Buffer): Message | undefined {
  const parsed = orUndefined(() => parsePacket(packet))
  return parsed?.kind === 'message' ? parsed : undefined
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined
    throw error
  }
}

/** All that a plug is told to do: once, in its turn, by its deadline; and whether it then did it. */
import type {Timer} from '../common/clock.ts'
import type {Value} from '../models/model.ts'
import {buildRead, buildWrite, decodeResponse, expectOk, propertyOf} from './codec/property-codec.ts'
import {asWritten, type CommandValue} from './codec/values.ts'
import {CommandError} from './command-error.ts'
import type {DeviceParts} from './polling/property-reader.ts'
import {expired} from './request-queue.ts'

/** The relay has settled by then, and a person still looks at the switch. The contract (§3) allows 2 s. */
const READ_BACK_MS = 500
/** A command is tried for as long as it lives: its deadline ends it. */
const COMMAND_TRIES = Number.POSITIVE_INFINITY

export class CommandWriter {
  readonly #parts: DeviceParts
  readonly #readBack: () => void
  #readingBack: Timer | undefined

  /** @param readBack asks the plug whether it did what it said */
  constructor(parts: DeviceParts, readBack: () => void) {
    this.#parts = parts
    this.#readBack = readBack
  }

  /** Brings a property to a value, and resolves with the one that was written once the plug said `ok`. @throws CommandError, or the transport's error */
  set(name: string, wanted: CommandValue, deadline: number): Promise<Value> {
    return this.#parts.queue.command(name, isAbsolute(wanted), deadline, async () => {
      const value = wanted === 'TOGGLE' ? await this.#opposite(name, deadline) : wanted
      return this.#write(name, value, deadline)
    })
  }

  /** A call that nobody described, sent once: nobody knows whether it may be repeated. @throws as `set` */
  async call(method: string, params: unknown, deadline: number): Promise<unknown> {
    const {queue, transport} = this.#parts
    let answer: unknown
    await queue.command(`call ${method}`, false, deadline, async () => {
      answer = await transport.call(method, params, {deadline, tries: 1})
      return null
    })
    return answer
  }

  stop(): void {
    this.#readingBack?.cancel()
  }

  /** A TOGGLE is made absolute once, from what the plug says now: a retry then repeats that value (contract §4). */
  async #opposite(name: string, deadline: number): Promise<Value> {
    const {transport, recognition} = this.#parts
    const model = recognition.describedModel()
    const read = buildRead(model, name)
    const answer = await transport.call(read.method, read.params, {deadline, tries: COMMAND_TRIES})
    const now = decodeResponse(answer, read, model).values[name]
    if (now === 'ON') return 'OFF'
    if (now === 'OFF') return 'ON'
    throw new CommandError('refused', `cannot toggle: the plug does not say whether ${name} is on or off`)
  }

  /** @returns what the plug has been told, in the words and steps of its firmware: that is shown, and compared when it is read back */
  async #write(name: string, value: Value, deadline: number): Promise<Value> {
    const {transport, clock, recognition, perception, tell} = this.#parts
    if (deadline <= clock.now()) throw expired() // a TOGGLE asked first, and the process may have been paused since
    const wanted = propertyOf(recognition.describedModel(), name)
    const write = buildWrite(name, wanted, value)
    perception.beginWrite(name)
    const tries = write.once ? 1 : COMMAND_TRIES
    expectOk(await transport.call(write.method, write.params, {deadline, tries}), write)
    const written = asWritten(wanted, value)
    if (wanted.kind !== 'button') tell(perception.confirmWrite(name, written))
    this.#readingBack?.cancel()
    this.#readingBack = clock.after(READ_BACK_MS, this.#readBack)
    return written
  }
}

/** What is wanted whatever was before: a newer wish takes its place. */
function isAbsolute(wanted: CommandValue): boolean {
  return wanted !== 'TOGGLE' && wanted !== null
}

/** Executes commands: writes one property of a plug, and reads it back to see whether the plug took it over. */
import type {Timer} from '../common/clock.ts'
import type {Value} from '../models/model.ts'
import {
  buildRead,
  buildWrite,
  decodeResponse,
  expectOk,
  propertiesInTier,
  propertyOf,
} from './codec/property-codec.ts'
import {type CommandValue, roundTrip} from './codec/values.ts'
import {CommandError, isExpectedFailure} from './command-error.ts'
import {type DeviceParts, readProperties} from './polling/property-reader.ts'
import {expired} from './request-queue.ts'
import {ONCE, UNTIL_DEADLINE} from './transport.ts'

/** The relay has settled by then, and the user still looks at the switch. 2 s are promised (docs/promises.md 26). */
const READ_BACK_MS = 500

/** Writes properties of one plug and reads them back. */
export class CommandWriter {
  readonly #parts: DeviceParts
  #timer: Timer | undefined
  #readingBack: Promise<void> | undefined
  /** Whether a command was executed since the last read-back began. */
  #isReadBackDue = false

  constructor(parts: DeviceParts) {
    this.#parts = parts
  }

  /**
   * Writes a property when its turn in the queue has come, and schedules the read-back.
   * @param deadline in ms of the clock
   * @returns the written value in the units and steps of the firmware: it is shown, and compared with the value that is read back
   * @throws CommandError, or the transport's error
   */
  async write(name: string, wanted: CommandValue, deadline: number): Promise<Value> {
    const {clock, transport, resolver, state, availability} = this.#parts
    const value = wanted === 'TOGGLE' ? await this.#opposite(name, deadline) : wanted
    if (deadline <= clock.now()) throw expired() // a TOGGLE has read first, and the process may have been paused since
    const property = propertyOf(resolver.requireModel(), name)
    const request = buildWrite(name, property, value)
    state.beginWrite(name)
    const options = {deadline, tries: request.once ? ONCE : UNTIL_DEADLINE}
    const call = transport.call(request.method, request.params, options)
    expectOk(await availability.track(call, deadline), request)
    const written = roundTrip(property, value)
    if (property.kind !== 'button') state.confirmWrite(name, written)
    this.#timer?.cancel()
    this.#timer = clock.after(READ_BACK_MS, () => this.#readBack())
    return written
  }

  /** Cancels the read-back. */
  stop(): void {
    this.#timer?.cancel()
  }

  /** A TOGGLE is made absolute once, by the current value: a retry then repeats that value (docs/promises.md 20). */
  async #opposite(name: string, deadline: number): Promise<Value> {
    const {transport, resolver, availability} = this.#parts
    const model = resolver.requireModel()
    const read = buildRead(model, name)
    const options = {deadline, tries: UNTIL_DEADLINE}
    const response = await availability.track(transport.call(read.method, read.params, options), deadline)
    const current = decodeResponse(response, read, model).values[name]
    if (current === 'ON') return 'OFF'
    if (current === 'OFF') return 'ON'
    throw new CommandError('refused', `cannot toggle: the plug does not report whether ${name} is on or off`)
  }

  /**
   * Some firmware answers ok and does nothing (docs/protocol.md §1.7). Watts follow the relay, so they are read again too. While
   * one read-back waits for its turn, all commands executed meanwhile share the next.
   */
  #readBack(): void {
    this.#isReadBackDue = true
    this.#readingBack ??= this.#readBackAll().finally(() => {
      this.#readingBack = undefined
    })
  }

  async #readBackAll(): Promise<void> {
    const {resolver, state, failures} = this.#parts
    while (this.#isReadBackDue) {
      this.#isReadBackDue = false
      const fast = failures.without(propertiesInTier(resolver.requireModel(), 'fast'))
      try {
        await readProperties(this.#parts, [...new Set([...fast, ...state.unconfirmed])])
      } catch (error) {
        if (!isExpectedFailure(error)) throw error // the next poll reads it
      }
    }
  }
}

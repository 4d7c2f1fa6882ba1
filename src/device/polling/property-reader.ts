/** All that is asked of a plug, and what becomes of the answers. */
import {type Clock, sleep, type Timer} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import {type DecodedResponse, decodeResponse, type ReadRequest} from '../codec/property-codec.ts'
import type {ModelResolver} from '../model/model-resolver.ts'
import type {RequestQueue} from '../request-queue.ts'
import type {DeviceState, StateUpdate} from '../state/device-state.ts'
import type {ReadResult} from '../state/known-values.ts'
import {READ_TRIES, type Transport} from '../transport.ts'
import {BatchReader} from './batch-reader.ts'
import type {FailureTracker} from './failure-tracker.ts'

/** What the parts of a device share. */
export interface DeviceParts {
  transport: Transport
  clock: Clock
  queue: RequestQueue<Value>
  perception: DeviceState
  recognition: ModelResolver
  suspicion: FailureTracker
  /** Passes on what is new. */
  tell: (news: StateUpdate) => void
}

export interface ReadOptions {
  /** Once aborted, nothing further is asked. */
  signal?: AbortSignal
  /** When to give up, on the clock: asked whenever the turn of a request has come. */
  deadline?: () => number
}

/** What the others want to hear of at once. */
export interface ReaderEvents {
  /** Whether the plug is not known to be there, so that its first sign of life is news. */
  isAwaited: () => boolean
  /** A poll under way got an answer about the relay of such a plug. */
  onReached: () => void
  /** A property will not be asked any more. */
  onLeftOut: (name: string) => void
}

/** A poll that is not through by then, because of pauses or of something it has to find out, is a long one. */
const EARLY_MS = 1000

export class PropertyReader {
  readonly #parts: DeviceParts
  readonly #listener: ReaderEvents
  /** Shows what is known of a plug whose first poll takes long. */
  #early: Timer | undefined

  constructor(parts: DeviceParts, listener: ReaderEvents) {
    this.#parts = parts
    this.#listener = listener
  }

  /**
   * Asks for `names`, a poll's after everybody else's, and shows what is known then.
   * @throws the transport's error when not even the relay could be read
   */
  async ask(names: readonly string[], priority: 'poll' | 'read', options: ReadOptions): Promise<void> {
    const {recognition, perception, suspicion, tell} = this.#parts
    const model = recognition.describedModel()
    const reader = new BatchReader({
      model,
      tolerance: recognition.tolerance,
      suspicion,
      ask: (read, tries = READ_TRIES) => this.#put(read, model, priority, {...options, tries}),
      gaveWay: () => options.signal?.aborted ?? false,
      onLeftOut: (name) => this.#listener.onLeftOut(name),
    })
    try {
      const answers = await reader.read(names)
      const unknown = options.signal?.aborted ? [] : [perception.missingValues(names, answers)]
      tell(perception.applyReadings([...answers, ...unknown], priority === 'poll'))
    } finally {
      if (priority === 'poll') this.#settle()
    }
  }

  async #put(
    read: ReadRequest,
    model: Model,
    priority: 'poll' | 'read',
    {tries, signal, deadline: giveUpAt}: ReadOptions & {tries: number},
  ): Promise<ReadResult & DecodedResponse> {
    const {queue, transport, perception, recognition, clock} = this.#parts
    const answer = await queue[priority](async () => {
      const deadline = giveUpAt?.()
      const asked = perception.nextRequest()
      const answer = await transport.call(read.method, read.params, {
        tries,
        ...(signal && {signal}),
        ...(deadline !== undefined && {deadline}),
      })
      if (read.method === 'miIO.info') recognition.learn(answer)
      return {asked, ...decodeResponse(answer, read, model)}
    })
    perception.markSeen()
    if (priority === 'poll') this.#reached(answer, model)
    if (model.pause !== undefined) await sleep(clock, model.pause, signal)
    return answer
  }

  /** A plug that tells its relay is there. When the rest of the poll takes long, nobody waits for it to hear that. */
  #reached(answer: ReadResult & DecodedResponse, model: Model): void {
    const {clock, perception, tell} = this.#parts
    const [relay = ''] = Object.keys(model.properties)
    if (!this.#listener.isAwaited() || !(relay in answer.raw)) return
    this.#early ??= clock.after(EARLY_MS, () => {
      tell(perception.applyReadings([answer], false))
      this.#listener.onReached()
    })
  }

  #settle(): void {
    this.#early?.cancel()
    this.#early = undefined
  }
}

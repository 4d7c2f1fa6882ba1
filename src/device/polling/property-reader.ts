/** All that is asked of a plug, and what becomes of the answers. */
import {type Clock, sleep, type Timer} from '../../common/clock.ts'
import type {Model, Value} from '../../models/model.ts'
import {type Answered, type Read, valuesIn} from '../codec/property-codec.ts'
import type {Recognition} from '../model/model-resolver.ts'
import type {PlugQueue} from '../request-queue.ts'
import type {News, Perception} from '../state/device-state.ts'
import type {Answer} from '../state/known-values.ts'
import {READ_TRIES, type Transport} from '../transport.ts'
import {Reader} from './batch-reader.ts'
import type {Suspicion} from './failure-tracker.ts'

/** What the parts of a device share. */
export interface Parts {
  transport: Transport
  clock: Clock
  queue: PlugQueue<Value>
  perception: Perception
  recognition: Recognition
  suspicion: Suspicion
  /** Passes on what is new. */
  tell: (news: News) => void
}

export interface Asking {
  /** Once aborted, nothing further is asked. */
  signal?: AbortSignal
  /** When to give up, on the clock: asked whenever the turn of a request has come. */
  deadline?: () => number
}

/** What the others want to hear of at once. */
export interface Listener {
  /** Whether the plug is not known to be there, so that its first sign of life is news. */
  isAwaited: () => boolean
  /** A poll under way got an answer about the relay of such a plug. */
  onReached: () => void
  /** A property will not be asked any more. */
  onLeftOut: (name: string) => void
}

/** A poll that is not through by then, because of pauses or of something it has to find out, is a long one. */
const EARLY_MS = 1000

export class Questions {
  readonly #parts: Parts
  readonly #listener: Listener
  /** Shows what is known of a plug whose first poll takes long. */
  #early: Timer | undefined

  constructor(parts: Parts, listener: Listener) {
    this.#parts = parts
    this.#listener = listener
  }

  /**
   * Asks for `names`, a poll's after everybody else's, and shows what is known then.
   * @throws the transport's error when not even the relay could be read
   */
  async ask(names: readonly string[], priority: 'poll' | 'read', options: Asking): Promise<void> {
    const {recognition, perception, suspicion, tell} = this.#parts
    const model = recognition.describedModel()
    const reader = new Reader({
      model,
      tolerance: recognition.tolerance,
      suspicion,
      ask: (read, tries = READ_TRIES) => this.#put(read, model, priority, {...options, tries}),
      gaveWay: () => options.signal?.aborted ?? false,
      onLeftOut: (name) => this.#listener.onLeftOut(name),
    })
    try {
      const answers = await reader.read(names)
      const unknown = options.signal?.aborted ? [] : [perception.unanswered(names, answers)]
      tell(perception.learn([...answers, ...unknown], priority === 'poll'))
    } finally {
      if (priority === 'poll') this.#settle()
    }
  }

  async #put(
    read: Read,
    model: Model,
    priority: 'poll' | 'read',
    {tries, signal, deadline: giveUpAt}: Asking & {tries: number},
  ): Promise<Answer & Answered> {
    const {queue, transport, perception, recognition, clock} = this.#parts
    const answer = await queue[priority](async () => {
      const deadline = giveUpAt?.()
      const asked = perception.asking()
      const answer = await transport.call(read.method, read.params, {
        tries,
        ...(signal && {signal}),
        ...(deadline !== undefined && {deadline}),
      })
      if (read.method === 'miIO.info') recognition.learn(answer)
      return {asked, ...valuesIn(answer, read, model)}
    })
    perception.heard()
    if (priority === 'poll') this.#reached(answer, model)
    if (model.pause !== undefined) await sleep(clock, model.pause, signal)
    return answer
  }

  /** A plug that tells its relay is there. When the rest of the poll takes long, nobody waits for it to hear that. */
  #reached(answer: Answer & Answered, model: Model): void {
    const {clock, perception, tell} = this.#parts
    const [relay = ''] = Object.keys(model.properties)
    if (!this.#listener.isAwaited() || !(relay in answer.raw)) return
    this.#early ??= clock.after(EARLY_MS, () => {
      tell(perception.learn([answer], false))
      this.#listener.onReached()
    })
  }

  #settle(): void {
    this.#early?.cancel()
    this.#early = undefined
  }
}

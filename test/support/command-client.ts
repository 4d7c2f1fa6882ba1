import type {IClientPublishOptions} from 'mqtt'
import type {ReceivedRequest} from '../../src/simulator/receiver.ts'
import type {Mosquitto} from './mosquitto.ts'
import {mosquittoPub, type Watcher} from './mqtt-user.ts'
import {until} from './wait.ts'

/** The result of a command, as the bridge publishes it. */
export interface Result {
  status: 'ok' | 'error'
  request: Record<string, unknown>
  data?: Record<string, unknown>
  error?: {code: string; message: string; device_code?: number}
  transaction?: unknown
  elapsed_ms: number
}

/** Sends commands to a bridge and reads what it publishes. It counts commands and results: each command must have exactly one. */
export class CommandClient {
  readonly broker: Mosquitto
  readonly user: Watcher
  readonly base: string
  readonly #asked = new Map<string, number>()

  constructor(broker: Mosquitto, user: Watcher, base = 'miio2mqtt') {
    this.broker = broker
    this.user = user
    this.base = base
  }

  /** Sends a command to the plug `name` with the program mosquitto_pub (`to` is `set`, `set/usb`, `get` …), and waits for the result. */
  async mosquittoPub(name: string, to: string, payload: string, ...args: string[]): Promise<Result> {
    const turn = this.#takeTurn(name)
    const content = payload === '' ? ['-n'] : ['-m', payload]
    await mosquittoPub(this.broker, '-t', `${this.base}/${name}/${to}`, ...content, ...args)
    return this.#result(name, turn)
  }

  /** The same over a connection that is open already, with any bytes as the payload. */
  async publish(
    name: string,
    to: string,
    payload: string | Buffer,
    options: IClientPublishOptions = {},
  ): Promise<Result> {
    const turn = this.#takeTurn(name)
    await this.user.publish(`${this.base}/${name}/${to}`, payload, options)
    return this.#result(name, turn)
  }

  /** All results so far, in the order of their arrival. */
  results(name: string): Result[] {
    return this.#on(`${name}/response`).map((payload) => JSON.parse(payload))
  }

  /** All states published so far. */
  states(name: string): Record<string, unknown>[] {
    return this.#on(name).map((payload) => JSON.parse(payload))
  }

  /** The first state from the `from`th on that matches. */
  waitForState(name: string, fits: (state: Record<string, unknown>) => boolean, from = 0) {
    return until(() => this.states(name).slice(from).find(fits), {
      what: () => `a matching state of ${name}; the last were ${this.#excerpt(this.states(name))}`,
    })
  }

  /** All availabilities published so far, as `online` or the reason for being offline. */
  availabilities(name: string): string[] {
    return this.#on(`${name}/availability`).map((payload) => {
      const {state, reason}: {state: string; reason?: string} = JSON.parse(payload)
      return reason ?? state
    })
  }

  /** Waits until the newest availability is `wanted`: `online`, or the reason for being offline. */
  waitForAvailability(name: string, wanted: string) {
    return until(() => this.availabilities(name).at(-1) === wanted, {
      what: () => `${name} is ${wanted}; it was ${this.availabilities(name).join(', ') || 'nothing'}`,
    })
  }

  /** Events of the bridge so far. */
  events(type: string): Record<string, unknown>[] {
    return this.#on('bridge/event')
      .map((payload): {type: string; data: Record<string, unknown>} => JSON.parse(payload))
      .filter((event) => event.type === type)
      .map(({data}) => data)
  }

  /** The warnings on `bridge/logging` so far. */
  warnings(): string[] {
    return this.#on('bridge/logging').map((payload) => JSON.parse(payload).message)
  }

  /** How many commands each plug was sent, and how many results came. */
  balance(): {name: string; commands: number; results: number}[] {
    return Array.from(this.#asked, ([name, commands]) => ({
      name,
      commands,
      results: this.results(name).length,
    }))
  }

  #takeTurn(name: string): number {
    const turn = this.#asked.get(name) ?? 0
    this.#asked.set(name, turn + 1)
    return turn
  }

  /** Each command has exactly one result: the first command to end has the first. */
  #result(name: string, turn: number): Promise<Result> {
    return until(() => this.results(name)[turn], {
      what: () => `result ${turn + 1} of ${name}; the last were ${this.#excerpt(this.results(name))}`,
    })
  }

  #excerpt(list: unknown[]): string {
    return JSON.stringify(list.slice(-5)).slice(0, 2000)
  }

  #on(leaf: string): string[] {
    const topic = `${this.base}/${leaf}`
    return this.user.messages
      .filter((message) => message.topic === topic && !message.retain)
      .map(({payload}) => payload)
  }
}

/** The commands among what a plug received: `set_power on`. */
export function commandsIn(received: readonly ReceivedRequest[]): string[] {
  return received
    .filter(({method}) => method.startsWith('set_'))
    .map(({method, params}) => [method, ...params].join(' '))
}

/** A state without the members that change by themselves: the time of the last response, and the Wi-Fi signal. */
export function withoutSignal(state: unknown): Record<string, unknown> {
  const changing = new Set(['rssi', 'last_seen'])
  return Object.fromEntries(Object.entries(Object(state)).filter(([name]) => !changing.has(name)))
}

/** An MQTT client that subscribes to everything the bridge publishes, and counts. */
import {randomUUID} from 'node:crypto'
import {connectAsync, type MqttClient} from 'mqtt'
import {pause} from './program.ts'

/** The parts of `bridge/health` that a measurement needs. */
export interface Health {
  memory: {rss: number}
  poll_factor: number
  event_loop_delay_ms: {p99: number; max: number}
  devices: Record<string, {requests: number; timeouts: number; last_seen: string | null}>
}

/** A command has its result after 10 s at the latest, unless the bridge is away. */
const LONGEST_COMMAND_MS = 15_000

export class Observer {
  /** The texts of the warnings on `bridge/logging`. */
  readonly warnings: string[] = []
  /** Plugs for which `online` was published. */
  readonly online = new Set<string>()
  /** Every `offline` that was published for a plug: name and payload. */
  readonly offline: string[] = []
  /** Plugs whose state was published. */
  readonly states = new Set<string>()
  /** State messages seen, repeated ones included. */
  stateMessages = 0
  bridge: string | undefined
  /** The newest factor of poll intervals: the bridge publishes it whenever it becomes more than 1, and 1 again. */
  pollFactor = 1
  /** The largest that was published. */
  mostPollFactor = 1
  /** The event loop's delays in `health` since the last `forgetDelays()`. */
  delays: Health['event_loop_delay_ms'][] = []
  readonly #client: MqttClient
  readonly #names: ReadonlySet<string>
  readonly #results = new Map<string, (result: {status: string}) => void>()
  readonly #answers = new Map<string, (data: Health) => void>()

  private constructor(client: MqttClient, names: ReadonlySet<string>) {
    this.#client = client
    this.#names = names
    client.on('message', (topic, payload) => this.#see(topic.slice('miio2mqtt/'.length), payload))
  }

  /** Has subscribed when the promise resolves. */
  static async open(url: string, names: Iterable<string>): Promise<Observer> {
    const client = await connectAsync(url, {protocolVersion: 5})
    const observer = new Observer(client, new Set(names))
    await client.subscribeAsync('miio2mqtt/#')
    return observer
  }

  /** @param within milliseconds. @throws Error that names what was awaited */
  async until(what: string, condition: () => boolean, within: number): Promise<void> {
    const deadline = performance.now() + within
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`not within ${within / 1000} s: ${what}`)
      await pause(50)
    }
  }

  /** The bridge's health now. The event loop's delays are counted anew from here on. */
  async health(): Promise<Health> {
    const transaction = randomUUID()
    const answer = new Promise<Health>((resolve) => this.#answers.set(transaction, resolve))
    await this.#client.publishAsync('miio2mqtt/bridge/request/health_check', JSON.stringify({transaction}), {
      qos: 1,
    })
    const health = await answer
    this.#answers.delete(transaction)
    return health
  }

  /** Sends a command. @returns whether it was carried out; `false` also when no result comes */
  async command(name: string, value: string): Promise<boolean> {
    const response = new Promise<{status: string}>((resolve) => this.#results.set(name, resolve))
    this.#client.publish(`miio2mqtt/${name}/set`, value, {qos: 1})
    const result = await Promise.race([response, pause(LONGEST_COMMAND_MS)])
    this.#results.delete(name)
    return result?.status === 'ok'
  }

  /** Clears the retained state of an earlier bridge. */
  async clear(): Promise<void> {
    await this.#client.publishAsync('miio2mqtt/bridge/state', '', {qos: 1, retain: true})
    this.bridge = undefined
  }

  forgetDelays(): void {
    this.delays = []
  }

  async stop(): Promise<void> {
    await this.#client.endAsync(true)
  }

  #see(topic: string, payload: Buffer): void {
    const name = topic.endsWith('/availability') ? topic.slice(0, -'/availability'.length) : topic
    if (payload.length === 0) return
    if (topic === 'bridge/state') this.bridge = JSON.parse(payload.toString()).state
    else if (topic === 'bridge/health') this.#took(JSON.parse(payload.toString()))
    else if (topic === 'bridge/response/health_check') this.#answered(JSON.parse(payload.toString()))
    else if (topic === 'bridge/logging') this.warnings.push(JSON.parse(payload.toString()).message)
    else if (topic.endsWith('/response'))
      this.#results.get(topic.slice(0, -'/response'.length))?.(JSON.parse(payload.toString()))
    else if (!this.#names.has(name)) return
    else if (name !== topic) this.#available(name, payload.toString())
    else {
      this.states.add(name)
      this.stateMessages++
    }
  }

  #took({event_loop_delay_ms: delay, poll_factor}: Health): void {
    this.delays.push(delay)
    this.pollFactor = poll_factor
    this.mostPollFactor = Math.max(this.mostPollFactor, poll_factor)
  }

  #answered({data, transaction}: {data: Health; transaction: string}): void {
    this.#took(data)
    this.#answers.get(transaction)?.(data)
  }

  #available(name: string, payload: string): void {
    if (JSON.parse(payload).state === 'online') this.online.add(name)
    else this.offline.push(`${name} ${payload}`)
  }
}

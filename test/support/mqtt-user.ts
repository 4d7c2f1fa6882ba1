import {type ChildProcess, execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {promisify} from 'node:util'
import {connectAsync, type IClientPublishOptions, type MqttClient} from 'mqtt'
import {afterAll} from 'vitest'
import type {Mosquitto} from './mosquitto.ts'
import {PATIENCE_MS, until} from './wait.ts'

export interface ReceivedMessage {
  topic: string
  payload: string
  retain: boolean
}

type Predicate = (message: ReceivedMessage) => boolean

const run = promisify(execFile)

const present = new Set<Subscriber | Watcher>()
/** Makes client ids and topics unique. */
let names = 0

afterAll(() => Promise.all([...present].map((user) => user.stop())))

/**
 * Runs `mosquitto_pub` with these arguments, and with host and port.
 * @throws Error with its output, when its exit code is not 0
 */
export async function mosquittoPub(broker: Mosquitto, ...args: string[]): Promise<void> {
  await run('mosquitto_pub', [...address(broker), ...args], {timeout: PATIENCE_MS})
}

/**
 * `mosquitto_sub` on `topic`; it has subscribed when the promise resolves, and ends with the test file.
 * @throws Error with its output, when the broker rejects the subscription
 */
export async function mosquittoSub(broker: Mosquitto, topic: string, ...args: string[]): Promise<Subscriber> {
  const id = `sub-${++names}`
  const subscriber = new Subscriber([...address(broker), '-i', id, '-t', topic, '-F', '%j', ...args])
  present.add(subscriber)
  // By the log of the broker, since the program buffers its own "Subscribed".
  await until(() => subscriber.isOver || broker.log.includes(`Sending SUBACK to ${id}`), {
    what: () => `mosquitto_sub subscribes; its errors: ${subscriber.errors}`,
  })
  if (subscriber.isOver) throw new Error(`mosquitto_sub ended at once; its errors: ${subscriber.errors}`)
  return subscriber
}

export class Subscriber {
  /** In the order of their arrival. */
  readonly messages: ReceivedMessage[] = []
  /** Its output on standard error. */
  errors = ''
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>
  #unfinished = ''
  #next = 0

  constructor(args: readonly string[]) {
    const child = spawn('mosquitto_sub', args, {stdio: ['ignore', 'pipe', 'pipe']})
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.#process = child
    this.#ended = once(child, 'close')
  }

  get isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /**
   * The next message that `predicate` accepts, received already or in time.
   * @param within milliseconds
   * @throws Error that lists the received messages
   */
  async next(predicate: Predicate = () => true, within = PATIENCE_MS): Promise<ReceivedMessage> {
    const from = this.#next
    const found = await until(() => this.messages.slice(from).find(predicate), {
      within,
      what: () => `a matching message; received:\n${table(this.messages.slice(from))}`,
    })
    this.#next = this.messages.indexOf(found, from) + 1
    return found
  }

  async stop(): Promise<void> {
    present.delete(this)
    this.#process.kill('SIGTERM')
    await this.#ended
  }

  #read(text: string): void {
    const lines = (this.#unfinished + text).split('\n')
    this.#unfinished = lines.pop() ?? ''
    this.messages.push(...lines.map(parse))
  }
}

/** A client that receives all messages of the broker, and keeps them in the order of their arrival. */
export class Watcher {
  readonly messages: ReceivedMessage[] = []
  readonly #broker: Mosquitto
  readonly #filters: readonly string[]
  readonly #client: MqttClient
  #from = 0

  private constructor(broker: Mosquitto, filters: readonly string[], client: MqttClient) {
    this.#broker = broker
    this.#filters = filters
    this.#client = client
  }

  /** Has subscribed when the promise resolves; reconnects when the broker is available again; ends with the test file. */
  static async open(broker: Mosquitto, filters: readonly string[] = ['#']): Promise<Watcher> {
    const client = await connect(broker, 100)
    const watcher = new Watcher(broker, filters, client)
    present.add(watcher)
    remember(client, watcher.messages)
    await client.subscribeAsync([...filters])
    return watcher
  }

  /** `waitFor` ignores the messages received so far. */
  forget(): void {
    this.#from = this.messages.length
  }

  /** All messages on `topic` since the last `forget()`. */
  on(topic: string): readonly ReceivedMessage[] {
    return this.messages.slice(this.#from).filter((message) => message.topic === topic)
  }

  /**
   * The first message on `topic` since the last `forget()` that `predicate` accepts.
   * @param within milliseconds
   * @throws Error that lists the received messages
   */
  waitFor(topic: string, predicate: Predicate = () => true, within = PATIENCE_MS): Promise<ReceivedMessage> {
    return until(() => this.on(topic).find(predicate), {
      within,
      what: () => `a matching message on ${topic}; received:\n${table(this.messages.slice(this.#from))}`,
    })
  }

  /** The retained messages that a new client gets: topic to payload. */
  async retained(): Promise<Map<string, string>> {
    const client = await connect(this.#broker, 0)
    try {
      return await retainedFor(client, this.#filters)
    } finally {
      await client.endAsync(true)
    }
  }

  publish(topic: string, payload: string | Buffer, options: IClientPublishOptions = {}): Promise<unknown> {
    return this.#client.publishAsync(topic, payload, options)
  }

  async stop(): Promise<void> {
    present.delete(this)
    await this.#client.endAsync(true)
  }
}

async function retainedFor(client: MqttClient, filters: readonly string[]): Promise<Map<string, string>> {
  const messages: ReceivedMessage[] = []
  remember(client, messages)
  // At QoS 0 a broker keeps the order, so that this message comes after the last retained one. `#` does not match `$`.
  const end = `$end-of-retained/${++names}`
  await client.subscribeAsync([...filters, end])
  await client.publishAsync(end, '')
  await until(() => messages.some(({topic}) => topic === end), {what: 'the end of the retained messages'})
  const retained = messages.filter(({retain}) => retain)
  return new Map(retained.map(({topic, payload}) => [topic, payload]))
}

function connect(broker: Mosquitto, reconnectPeriod: number): Promise<MqttClient> {
  return connectAsync({
    protocol: 'mqtt',
    host: broker.host,
    port: broker.port,
    reconnectPeriod,
    protocolVersion: 5,
  })
}

function remember(client: MqttClient, messages: ReceivedMessage[]): void {
  client.on('error', () => {}) // Many tests stop the broker.
  client.on('message', (topic, payload, {retain}) => {
    messages.push({topic, payload: payload.toString('utf8'), retain})
  })
}

function address({host, port}: Mosquitto): string[] {
  return ['-h', host, '-p', String(port)]
}

/** One line of `mosquitto_sub -F %j`: `{"topic":"a","retain":0,"payload":"…",…}`; an empty payload is left out. */
function parse(line: string): ReceivedMessage {
  const message: {topic: string; retain: number; payload?: string} = JSON.parse(line)
  return {topic: message.topic, payload: message.payload ?? '', retain: message.retain === 1}
}

function table(messages: readonly ReceivedMessage[]): string {
  if (messages.length === 0) return '  (nothing)'
  return messages
    .map(({topic, payload, retain}) => `  ${retain ? 'retained ' : ''}${topic} ${payload}`)
    .join('\n')
}

/** Sends the operations of `operations.ts` to a bridge, and matches each response with its operation. */
import {connectAsync, type IPublishPacket, type MqttClient} from 'mqtt'
import {afterAll} from 'vitest'
import type {Mosquitto} from './mosquitto.ts'
import {type Operation, UNDER_WAY} from './operations.ts'
import {PATIENCE_MS} from './wait.ts'

/** A response to one operation. */
interface Response {
  topic: string
  status: unknown
  code: unknown
  text: string
}

interface SentOperation {
  operation: Operation
  responses: Response[]
  /** Resolves `settled`. */
  settle: () => void
  settled: Promise<void>
}

const BASE = 'miio2mqtt'
const ELSEWHERE = 'flows/answers'
/** Error codes that a command may end with when another one, or a reload, runs beside it, or when the model does not have the property. */
const EXCUSES = new Set<unknown>([
  'superseded',
  'disabled',
  'expired',
  'queue_full',
  'refused',
  'unknown_property',
])

const present = new Set<OperationRunner>()
afterAll(() => Promise.all([...present].map((operationRunner) => operationRunner.stop())))

/** Sends one operation after the other, up to `UNDER_WAY` of them at a time, and keeps the responses to each. */
export class OperationRunner {
  /** Messages that must not occur: a response without a request, a secret. */
  readonly problems: string[] = []
  /** The number of responses of each kind: `device/add ok`. */
  readonly tally = new Map<string, number>()
  /** Warnings that a retained message was ignored. */
  ignored = 0
  /** Operations sent that have a response. */
  count = 0
  /** How often the bridge published that it is online. */
  onlines = 0
  readonly #client: MqttClient
  readonly #secrets: readonly string[]
  readonly #sent: SentOperation[] = []
  /** By topic, the operations without a transaction that still wait for their response, oldest first. */
  readonly #withoutTransaction = new Map<string, SentOperation[]>()

  private constructor(client: MqttClient, secrets: readonly string[]) {
    this.#client = client
    this.#secrets = secrets
    client.on('message', (topic, payload, packet) => this.#received(topic, payload, packet))
  }

  /** @param secrets texts that must be in no message of the bridge */
  static async open(broker: Mosquitto, secrets: readonly string[]): Promise<OperationRunner> {
    const client = await connectAsync(broker.url, {protocolVersion: 5, reconnectPeriod: 0})
    const operationRunner = new OperationRunner(client, secrets)
    present.add(operationRunner)
    await client.subscribeAsync('#', {qos: 1})
    return operationRunner
  }

  /** Sends it as soon as fewer than `UNDER_WAY` operations wait for a response. */
  async send(operation: Operation): Promise<void> {
    const number = this.#sent.length + 1
    const hasResponse = operation.expected !== 'none'
    const before = operation.isAlone ? number - 1 : number - UNDER_WAY
    if (before > 0) await this.#answered(before)
    const sent = pending(operation)
    this.#sent.push(sent)
    if (hasResponse && !operation.hasTransaction && !operation.isAskedElsewhere)
      this.#queueOf(`${BASE}/${operation.home}`).push(sent)
    if (hasResponse) this.count++
    else sent.settle()
    this.#send(operation, number)
    if (operation.isAlone) await this.#answered(number)
  }

  /** Resolves when every operation has its response. */
  async done(): Promise<void> {
    await this.#answered(this.#sent.length)
  }

  /** The wrong responses so far, one line each. */
  wrongResponses(): string[] {
    return this.#sent.flatMap(({operation, responses}, index) => {
      const wrong = wrongIn(operation, responses)
      return wrong === undefined ? [] : [`operation ${index + 1} ${described(operation)}: ${wrong}`]
    })
  }

  /** Operations sent that the bridge ignores with a warning: retained ones. */
  get ignorable(): number {
    return this.#sent.filter(({operation}) => operation.isRetained).length
  }

  async stop(): Promise<void> {
    present.delete(this)
    await this.#client.endAsync(true)
  }

  #send({topic, payload, isAskedElsewhere, isRetained}: Operation, number: number): void {
    const properties = isAskedElsewhere
      ? {properties: {responseTopic: ELSEWHERE, correlationData: Buffer.from(String(number))}}
      : {}
    this.#client.publish(`${BASE}/${topic}`, payload, {qos: 1, retain: isRetained, ...properties})
    if (isRetained) this.#client.publish(`${BASE}/${topic}`, '', {qos: 1, retain: true})
  }

  /** Waits for the responses to all operations up to this one. @throws Error when that takes too long, with all problems so far */
  async #answered(number: number): Promise<void> {
    for (const sent of this.#sent.slice(Math.max(0, number - UNDER_WAY), number))
      if (!(await isInTime(sent.settled)))
        throw new Error(`${[...this.wrongResponses(), ...this.problems].slice(0, 30).join('\n')}`)
  }

  #received(topic: string, payload: Buffer, {properties}: IPublishPacket): void {
    const text = payload.toString()
    if (!topic.startsWith(`${BASE}/bridge/request/`)) this.#lookForSecrets(topic, text)
    if (topic === `${BASE}/bridge/logging` && text.includes('ignored a retained message')) this.ignored++
    if (topic === `${BASE}/bridge/state` && text.includes('online')) this.onlines++
    if (topic === ELSEWHERE || topic.startsWith(`${BASE}/bridge/response/`) || topic.endsWith('/response'))
      this.#answeredBy(topic, text, properties?.correlationData?.toString())
  }

  #answeredBy(topic: string, text: string, correlation: string | undefined): void {
    const answer: {status?: unknown; transaction?: unknown; error?: {code?: unknown}} = JSON.parse(text)
    const number = correlation ?? answer.transaction
    const sent =
      number === undefined ? this.#withoutTransaction.get(topic)?.shift() : this.#sent[Number(number) - 1]
    if (!sent) {
      this.problems.push(`a response to nothing on ${topic}: ${text.slice(0, 300)}`)
      return
    }
    const response = {topic, status: answer.status, code: answer.error?.code, text}
    sent.responses.push(response)
    const what = `${topicKind(sent.operation.topic)} ${String(response.code ?? response.status)}`
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1)
    sent.settle()
  }

  #lookForSecrets(topic: string, text: string): void {
    for (const secret of this.#secrets)
      if (text.toLowerCase().includes(secret.toLowerCase()))
        this.problems.push(`a secret on ${topic}: ${text.slice(0, 300)}`)
  }

  #queueOf(topic: string): SentOperation[] {
    const queue = this.#withoutTransaction.get(topic) ?? []
    this.#withoutTransaction.set(topic, queue)
    return queue
  }
}

function pending(operation: Operation): SentOperation {
  let settle = () => {}
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })
  return {operation, responses: [], settle, settled}
}

async function isInTime(settled: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS)
  })
  return Promise.race([settled.then(() => true), late]).finally(() => clearTimeout(timer))
}

function wrongIn(
  {expected, isAskedElsewhere, home, hasTransaction}: Operation,
  responses: readonly Response[],
): string | undefined {
  const [response, ...more] = responses
  if (expected === 'none') return response && `it was answered: ${response.text}`
  if (!response) return 'it was not answered'
  if (more.length > 0) return `it was answered ${responses.length} times`
  const {topic, status, code, text} = response
  const where = isAskedElsewhere ? ELSEWHERE : `${BASE}/${home}`
  if (topic !== where) return `it was answered on ${topic}`
  const isKnown = hasTransaction || isAskedElsewhere
  const isRight =
    code !== 'internal' &&
    (status === expected || (expected === 'either' && (status === 'ok' || isExcused(code, text))) || !isKnown)
  return isRight ? undefined : `expected ${expected}, got ${text.slice(0, 500)}`
}

function isExcused(code: unknown, text: string): boolean {
  return EXCUSES.has(code) || (code === 'timeout' && text.includes('was closed before an answer came'))
}

function described({topic, payload}: Operation): string {
  return `${topic.slice(0, 100)} ${payload.toString().slice(0, 300)}`
}

/** `device/add` for a request; `set` or `get` for a command. */
function topicKind(topic: string): string {
  const verb = topic.match(/^bridge\/request\/(.{1,40})/s)?.[1]
  return verb ?? `${/\/get(\/[^/]*)?$/.test(topic) ? 'get' : 'set'}`
}

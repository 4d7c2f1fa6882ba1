import {connectAsync, type IPublishPacket, type MqttClient} from 'mqtt'
import {afterAll} from 'vitest'
import type {Mosquitto} from './mosquitto.ts'
import {type Operation, UNDER_WAY} from './operations.ts'
import {PATIENCE_MS} from './wait.ts'

/** What came back for one operation. */
interface Answer {
  topic: string
  status: unknown
  code: unknown
  text: string
}

interface Asked {
  operation: Operation
  answers: Answer[]
  heard: () => void
  settled: Promise<void>
}

const BASE = 'miio2mqtt'
const ELSEWHERE = 'flows/answers'
/** What may come of a command beside which another one, or a reload, is under way; or that the plug does not know. */
const EXCUSES = new Set<unknown>([
  'superseded',
  'disabled',
  'expired',
  'queue_full',
  'refused',
  'unknown_property',
])

const present = new Set<Petitioner>()
afterAll(() => Promise.all([...present].map((petitioner) => petitioner.stop())))

/** Asks for one thing after the other, some of them beside each other, and knows what came back for which. */
export class Petitioner {
  /** Whatever is not as it must be. */
  readonly complaints: string[] = []
  /** How often there was which answer: `device/add ok`. */
  readonly tally = new Map<string, number>()
  /** Warnings that a retained message was ignored. */
  ignored = 0
  /** How many have been asked for that are to be answered. */
  count = 0
  /** How often the bridge said that it is online. */
  onlines = 0
  readonly #client: MqttClient
  readonly #secrets: readonly string[]
  readonly #asked: Asked[] = []
  /** By topic, those that are waited for and cannot be known again, oldest first. */
  readonly #anonymous = new Map<string, Asked[]>()

  private constructor(client: MqttClient, secrets: readonly string[]) {
    this.#client = client
    this.#secrets = secrets
    client.on('message', (topic, payload, packet) => this.#received(topic, payload, packet))
  }

  /** @param secrets that no message may hold, but those sent here */
  static async open(broker: Mosquitto, secrets: readonly string[]): Promise<Petitioner> {
    const client = await connectAsync(broker.url, {protocolVersion: 5, reconnectPeriod: 0})
    const petitioner = new Petitioner(client, secrets)
    present.add(petitioner)
    await client.subscribeAsync('#', {qos: 1})
    return petitioner
  }

  /** Sends it when there is room for it. */
  async ask(operation: Operation): Promise<void> {
    const number = this.#asked.length + 1
    const isAnswered = operation.expected !== 'none'
    const before = operation.isAlone ? number - 1 : number - UNDER_WAY
    if (before > 0) await this.#answered(before)
    const asked = pending(operation)
    this.#asked.push(asked)
    if (isAnswered && !operation.hasTransaction && !operation.isAskedElsewhere)
      this.#queueOf(`${BASE}/${operation.home}`).push(asked)
    if (isAnswered) this.count++
    else asked.heard()
    this.#send(operation, number)
    if (operation.isAlone) await this.#answered(number)
  }

  /** Resolves when everything is answered. */
  async done(): Promise<void> {
    await this.#answered(this.#asked.length)
  }

  /** What is wrong with the answers to all that was asked. */
  verdicts(): string[] {
    return this.#asked.flatMap(({operation, answers}, index) => {
      const wrong = wrongIn(operation, answers)
      return wrong === undefined ? [] : [`operation ${index + 1} ${described(operation)}: ${wrong}`]
    })
  }

  /** How many have been asked for that are to be ignored, with a warning. */
  get ignorable(): number {
    return this.#asked.filter(({operation}) => operation.isRetained).length
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

  /** All up to this one. @throws Error when that takes too long, with whatever was wrong before */
  async #answered(number: number): Promise<void> {
    for (const asked of this.#asked.slice(Math.max(0, number - UNDER_WAY), number))
      if (!(await isInTime(asked.settled)))
        throw new Error(`${[...this.verdicts(), ...this.complaints].slice(0, 30).join('\n')}`)
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
    const asked = number === undefined ? this.#anonymous.get(topic)?.shift() : this.#asked[Number(number) - 1]
    if (!asked) {
      this.complaints.push(`an answer to nothing on ${topic}: ${text.slice(0, 300)}`)
      return
    }
    const told = {topic, status: answer.status, code: answer.error?.code, text}
    asked.answers.push(told)
    const what = `${topicKind(asked.operation.topic)} ${String(told.code ?? told.status)}`
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1)
    asked.heard()
  }

  #lookForSecrets(topic: string, text: string): void {
    for (const secret of this.#secrets)
      if (text.toLowerCase().includes(secret.toLowerCase()))
        this.complaints.push(`a secret on ${topic}: ${text.slice(0, 300)}`)
  }

  #queueOf(topic: string): Asked[] {
    const queue = this.#anonymous.get(topic) ?? []
    this.#anonymous.set(topic, queue)
    return queue
  }
}

function pending(operation: Operation): Asked {
  let heard = () => {}
  const settled = new Promise<void>((resolve) => {
    heard = resolve
  })
  return {operation, answers: [], heard, settled}
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
  answers: readonly Answer[],
): string | undefined {
  const [answer, ...more] = answers
  if (expected === 'none') return answer && `it was answered: ${answer.text}`
  if (!answer) return 'it was not answered'
  if (more.length > 0) return `it was answered ${answers.length} times`
  const {topic, status, code, text} = answer
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

/** `device/add`, or `set` to whatever it is sent. */
function topicKind(topic: string): string {
  const verb = topic.match(/^bridge\/request\/(.{1,40})/s)?.[1]
  return verb ?? `${/\/get(\/[^/]*)?$/.test(topic) ? 'get' : 'set'}`
}

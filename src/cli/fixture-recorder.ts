/**
 * `probe --fixture`: records a test fixture from a plug. A fixture is a file of test/fixtures: requests of the bridge, the response to each
 * as the firmware sent it, and what the definition of the model makes of it.
 */
import {version} from '../app/version.ts'
import {maskedJson} from '../common/secret.ts'
import {escapePattern} from '../common/text.ts'
import {
  buildReads,
  decodeResponse,
  propertiesInTier,
  type ReadRequest,
} from '../device/codec/property-codec.ts'
import type {State} from '../device/codec/values.ts'
import {isCallFailure} from '../device/command-error.ts'
import type {Identity} from '../device/model-resolver.ts'
import {parseResponse, UnreadableResponse} from '../miio/json-repair.ts'
import {type Cipher, MalformedPacket, parsePacket} from '../miio/packet.ts'
import type {TracedPacket} from '../miio/packet-trace.ts'
import type {Model} from '../models/model.ts'

/** A file of test/fixtures. test/unit/models/fixtures.test.ts holds the code to it. */
export interface Fixture {
  model: string
  firmware?: string
  /** Where the responses were published, or how they were recorded. */
  source: string
  /** What in the responses is not as the plug sent it. */
  note?: string
  exchanges: FixtureExchange[]
}

/** One request and its response. At least one of `state`, `ok`, `error` and `unreadable` says what the response means. */
export interface FixtureExchange {
  method: string
  params: readonly unknown[]
  /** The decrypted response, without the NUL at its end. */
  reply: string
  note?: string
  /** The repairs that the text needed before it was JSON (src/miio/json-repair.ts), in their order. */
  repairs?: string[]
  /** Every requested value that the definition has, scaled as the bridge publishes it. */
  state?: State
  /** Every requested value that the definition does not have, as it came. */
  unused?: Record<string, unknown>
  /** The response confirms a command. */
  ok?: true
  error?: {code: number; message: string}
  /** The text is damaged beyond repair. */
  unreadable?: true
}

/** Keeps the responses of a plug. */
export class ResponseRecorder {
  readonly #cipher: Cipher
  readonly #payloads: string[] = []

  constructor(cipher: Cipher) {
    this.#cipher = cipher
  }

  /** The decrypted responses since the last call of this method, in the order in which they came. */
  take(): string[] {
    return this.#payloads.splice(0)
  }

  /** Takes every datagram to and from the plug. */
  readonly record = (direction: TracedPacket['direction'], datagram: Buffer): void => {
    if (direction === 'sent') return
    try {
      const packet = parsePacket(datagram)
      if (packet.kind === 'message')
        this.#payloads.push(this.#cipher.open(packet).toString('utf8').replace(/\0+$/, ''))
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error // the client counts and reports these
    }
  }
}

interface FixtureSource {
  identity: Identity
  /** The definition of the model. */
  model: Model
  /** What identifies the plug, its home or its owner: `personalTexts`. */
  personal: readonly string[]
  recorder: ResponseRecorder
  /** Sends a request. Rejects with the transport's error. */
  call: (method: string, params: readonly unknown[]) => Promise<unknown>
  /** Waits so many milliseconds, for a model that needs a pause between two requests. */
  pause: (ms: number) => Promise<unknown>
  /** Called before each request, with the properties that it reads. */
  onRequest?: (properties: readonly string[]) => void
}

/**
 * Sends every read request of the bridge once, with the pauses that the model needs. It sends nothing else: firmware that fails on unknown
 * requests gets none.
 * @throws the transport's error when there was no response at all
 */
export async function recordFixture({
  identity,
  model,
  personal,
  recorder,
  call,
  pause,
  onRequest,
}: FixtureSource): Promise<Fixture> {
  const {model: id = 'unknown', firmware} = identity
  const exchanges: FixtureExchange[] = []
  let failure: unknown
  for (const read of buildReads(model, propertiesInTier(model, 'rare'))) {
    if (read.method === 'miIO.info') continue // it is about the Wi-Fi of the plug's home
    onRequest?.(read.properties)
    recorder.take()
    try {
      await call(read.method, read.params)
    } catch (error) {
      if (!isCallFailure(error) || !(error.code === 'refused' || error.code === 'timeout')) throw error
      failure = error
    }
    exchanges.push(...responseOf(recorder.take(), read, model, personal))
    if (model.pause !== undefined) await pause(model.pause)
  }
  if (exchanges.length === 0 && failure !== undefined) throw failure
  return {
    model: id,
    ...(firmware !== undefined && {firmware}),
    source: `miio2mqtt ${version} probe --fixture`,
    note: 'Ids, addresses and names of the plug, its home and its owner are replaced: digits by 1, letters by x.',
    exchanges,
  }
}

/** The file name of a fixture in test/fixtures. */
export function fixtureFile({model, firmware}: Fixture): string {
  return `${model}${firmware === undefined ? '' : `@${firmware}`}.json`
}

/** The last response that can be read; else the last one; none when nothing came. */
function responseOf(
  texts: readonly string[],
  {method, params, properties}: ReadRequest,
  model: Model,
  personal: readonly string[],
): FixtureExchange[] {
  const responses = texts.map((text) => {
    const reply = withoutPersonal(text, personal)
    return {reply, parsed: parsed(reply)}
  })
  const {reply, parsed: response} = responses.findLast(({parsed}) => parsed) ?? responses.at(-1) ?? {}
  if (reply === undefined) return []
  const exchange = {method, params, reply}
  if (!response) return [{...exchange, unreadable: true}]
  const {
    response: {result, error},
    repairs,
  } = response
  return [
    {
      ...exchange,
      ...(repairs.length > 0 && {repairs}),
      ...(error ? {error} : {state: decodeResponse(result, {method, params, properties}, model).values}),
    },
  ]
}

function parsed(text: string): ReturnType<typeof parseResponse> | undefined {
  try {
    return parseResponse(Buffer.from(`${text}\0`))
  } catch (error) {
    if (error instanceof UnreadableResponse) return undefined
    throw error
  }
}

/** Shorter texts occur everywhere, and identify nothing. */
const MIN_PERSONAL_LENGTH = 4
/** A number of this size may be the id of an account. */
const MIN_PERSONAL_NUMBER = 1e6

/** Every text and large number in a `miIO.info` response, but for model, firmware and hardware; and the plug's device id. */
export function personalTexts(
  info: unknown,
  {model, firmware, hardware}: Identity,
  did: number | undefined,
): string[] {
  const texts = [String(did ?? ''), ...textsIn(info)]
  return texts.filter(
    (text) => text.length >= MIN_PERSONAL_LENGTH && ![model, firmware, hardware].includes(text),
  )
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return value >= MIN_PERSONAL_NUMBER ? [String(value)] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

/**
 * `text` with `"***"` in place of secret members, and with 1 and x in place of the digits and letters of every personal text. Both keep JSON
 * what it is, with all its damages. A plain word counts only as a whole value: the name of a Wi-Fi may be a key of every response.
 */
function withoutPersonal(text: string, personal: readonly string[]): string {
  return personal.reduce((shown, each) => {
    const isWord = /^[a-z_]+$/i.test(each)
    const spellings = isWord
      ? [`(?<=")${each}(?="(?!\\s*:))`]
      : [each, each.replaceAll(/[:-]/g, '')].map(escapePattern)
    return shown.replaceAll(new RegExp(spellings.join('|'), 'gi'), (found) =>
      found.replaceAll(/\p{L}/gu, 'x').replaceAll(/\d/g, '1'),
    )
  }, maskedJson(text))
}

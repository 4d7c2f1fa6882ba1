/** Finds the model of a plug: by configuration or memory, by `miIO.info`, or by the dialect of a plug without a definition. */
import {isDeepStrictEqual} from 'node:util'
import {type DialectName, dialects, isDialect} from '../models/catalogue.ts'
import type {Model} from '../models/model.ts'
import {buildRead, decodeResponse} from './codec/property-codec.ts'
import {excerpt, wellFormed} from './codec/values.ts'
import {CommandError, isRefusal, isRequestFailure} from './command-error.ts'
import type {Emitter} from './emitter.ts'
import {FirmwareCapabilities} from './polling/firmware-capabilities.ts'
import type {RequestQueue} from './request-queue.ts'
import type {DeviceState} from './state/device-state.ts'
import {ONCE, type Transport} from './transport.ts'

export type {DialectName} from '../models/catalogue.ts'

/** What a plug reports of itself in `miIO.info`. */
export interface Identity {
  model?: string
  firmware?: string
  hardware?: string
  mac?: string
}

export interface IdentityEvents {
  /** The plug reported its model and firmware: for the first time since the start, or others than before. */
  identified: [Identity]
}

export interface ModelOptions {
  /** What is configured or remembered. The plug is asked for what is missing. */
  identity?: Identity | undefined
  findModel: (id: string) => Model | undefined
  /** The model with the user's corrections. */
  adjust?: ((model: Model) => Model) | undefined
  /** What is known of all plugs of a model and firmware; nothing by default. */
  capabilitiesOf?: ((model: string, firmware: string | undefined) => FirmwareCapabilities) | undefined
}

interface ModelResolverOptions extends ModelOptions {
  queue: RequestQueue
  transport: Transport
  /** Gets the model when it is found. */
  state: DeviceState
  events: Emitter<IdentityEvents>
}

/** A plug that reported its model, and answered to none of the dialects in so many rounds, is not asked again. */
const ROUNDS = 3

/** The identity and the model of one plug, looked up once for all callers. */
export class ModelResolver {
  /** What the plug reported of itself, or what is remembered of it. */
  identity: Identity
  /** `undefined` until it is found. */
  model: Model | undefined
  readonly #findModelById: ModelOptions['findModel']
  readonly #adjust: ModelOptions['adjust']
  readonly #capabilitiesOf: ModelOptions['capabilitiesOf']
  readonly #transport: Transport
  readonly #queue: RequestQueue
  readonly #state: DeviceState
  readonly #events: Emitter<IdentityEvents>
  #capabilities: FirmwareCapabilities | undefined
  #lookup: Promise<Model> | undefined
  /** Whether the plug reported its identity since the start. */
  #isReported = false
  /** The plug answered, but in no dialect. It is not asked again, since some firmware suffers from unknown requests. */
  #hasNoDialect = false
  #rounds = 0

  constructor(options: ModelResolverOptions) {
    this.#findModelById = options.findModel
    this.#adjust = options.adjust
    this.#capabilitiesOf = options.capabilitiesOf
    this.#transport = options.transport
    this.#queue = options.queue
    this.#state = options.state
    this.#events = options.events
    this.identity = options.identity ?? {}
    this.#findModel()
  }

  /** What the plug's firmware can be asked. */
  get capabilities(): FirmwareCapabilities {
    this.#capabilities ??= new FirmwareCapabilities()
    return this.#capabilities
  }

  /** @throws CommandError `refused` for a plug without a definition that answers in no dialect */
  requireModel(): Model {
    if (this.model) return this.model
    throw new CommandError(
      'refused',
      `no definition for the model ${excerpt(this.identity.model)}, and the plug does not report whether it is on`,
    )
  }

  /**
   * Asks the plug for its model. All callers share one lookup.
   * @throws the transport's error, or CommandError `refused` as `requireModel`
   */
  lookUp(): Promise<Model> {
    this.#lookup ??= this.#lookUpOnce().finally(() => {
      this.#lookup = undefined
    })
    return this.#lookup
  }

  /** Takes a response to `miIO.info`, and the plug's own model where none is configured or remembered. */
  applyInfo(info: unknown): void {
    const before = this.identity
    this.identity = parseIdentity(info)
    if (before.model !== this.identity.model) this.#hasNoDialect = false
    this.#findModel(before)
    if (!this.#isReported || !isDeepStrictEqual(before, this.identity))
      this.#events.emit('identified', this.identity)
    this.#isReported = true
  }

  async #lookUpOnce(): Promise<Model> {
    if (!this.#hasNoDialect) this.applyInfo(await this.#request('miIO.info', []))
    if (!this.model && !this.#hasNoDialect) await this.#setDialect()
    return this.requireModel()
  }

  async #setDialect(): Promise<void> {
    this.#rounds++
    const {model = ''} = this.identity
    const dialect = await detectDialect(model, (method, params) => this.#request(method, params, ONCE)).catch(
      (error: unknown) => {
        if (!isRequestFailure(error) || this.#rounds < ROUNDS) throw error
      },
    )
    this.#hasNoDialect = !dialect
    if (!dialect) return
    this.capabilities.setDialect(dialect)
    this.#setModel(dialects[dialect])
  }

  #request(method: string, params: unknown, tries?: number): Promise<unknown> {
    return this.#queue.read(() => this.#transport.call(method, params, {tries}))
  }

  /** Capabilities found before the firmware is reported are kept until it is. */
  #findModel(before?: Identity): void {
    const {model, firmware} = this.identity
    if (model === undefined) return
    if (!before || before.model !== model || before.firmware !== firmware)
      this.#capabilities = this.#capabilitiesOf?.(model, firmware)
    const {dialect} = this.capabilities
    const found = this.#findModelById(model) ?? (isDialect(dialect) ? dialects[dialect] : undefined)
    if (found && !this.model) this.#setModel(found)
  }

  #setModel(model: Model): void {
    this.model = this.#adjust?.(model) ?? model
    this.#state.setModel(this.model)
  }
}

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i

/**
 * The usable parts of a response to `miIO.info` (docs/protocol.md §4). Token, SSID and account number are dropped here, before anything
 * can log or publish them.
 */
export function parseIdentity(info: unknown): Identity {
  const members = new Map(info !== null && typeof info === 'object' ? Object.entries(info) : [])
  const text = (key: string) => {
    const value = members.get(key)
    return typeof value === 'string' && value !== '' && value.length <= 64 ? wellFormed(value) : undefined
  }
  const mac = text('mac')
  const identity = {
    model: text('model'),
    firmware: text('fw_ver'),
    hardware: text('hw_ver'),
    mac: mac && MAC.test(mac) ? mac.toLowerCase() : undefined,
  }
  return Object.fromEntries(Object.entries(identity).filter(([, value]) => value !== undefined))
}

/** Vendors' series of which all plugs known so far use the older dialect, whatever else they are asked (docs/protocol.md §3.1). */
const LEGACY_FIRST = /^(chuangmi\.plug|qmi\.powerstrip|zimi\.powerstrip)\./

/**
 * The first dialect in which a plug without a definition answers whether it is on. Each dialect is tried with one request, sent
 * once: firmware that gets an unknown request answers -30001 to every client for a while (syssi/xiaomiplug#11).
 * @param id the model, as far as it is known @param call sends a request once
 * @returns `undefined` when the plug answers to all of them, and reports its state in none
 * @throws the transport's error when one of the requests was not answered, so that its dialect may be the right one
 */
export async function detectDialect(
  id: string,
  call: (method: string, params: unknown) => Promise<unknown>,
): Promise<DialectName | undefined> {
  const names: DialectName[] = LEGACY_FIRST.test(id) ? ['power', 'on', 'miot'] : ['miot', 'power', 'on']
  let silence: unknown
  for (const name of names) {
    const read = buildRead(dialects[name], 'state')
    try {
      const {values} = decodeResponse(await call(read.method, read.params), read, dialects[name])
      if (values['state'] !== null) return name
    } catch (error) {
      if (!isRequestFailure(error)) throw error
      if (!isRefusal(error)) silence = error
    }
  }
  if (silence !== undefined) throw silence
  return undefined
}

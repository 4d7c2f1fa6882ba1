/** Which plug this is: what it was configured or remembered as, what it says itself, and what its firmware puts up with. */
import {isDeepStrictEqual} from 'node:util'
import {dialects, isDialect} from '../../models/dialects.ts'
import type {Model} from '../../models/model.ts'
import {excerpt} from '../codec/values.ts'
import {CommandError, isAboutTheQuestion} from '../command-error.ts'
import {FirmwareCapabilities} from '../polling/firmware-capabilities.ts'
import {MOST_WAITING, tooMany} from '../request-queue.ts'
import {type DialectName, detectDialect} from './dialect-detection.ts'
import {type Identity, parseIdentity} from './identity.ts'

export interface ModelResolverOptions {
  /** What is remembered or configured. */
  identity: Identity
  findModel: (id: string) => Model | undefined
  /** The model as its owner corrects it. */
  adjust: (model: Model) => Model
  /** What is known of all plugs of a model and firmware. */
  toleranceOf: (model: string, firmware: string | undefined) => FirmwareCapabilities
  /** Asks the plug, as often as usual or `tries` times. Rejects with the transport's error. */
  ask: (method: string, params: unknown, tries?: number) => Promise<unknown>
  /** The plug turned out to be of another model than thought so far. */
  onModel: (model: Model) => void
  onIdentified: (identity: Identity) => void
}

/** A plug that said who it is, and in so many rounds did not answer to all dialects, will not. */
const ROUNDS = 3

export class ModelResolver {
  /** What the plug told of itself, or what is remembered of it. */
  identity: Identity
  #model: Model | undefined
  #tolerance = new FirmwareCapabilities()
  readonly #options: ModelResolverOptions
  #recognizing: Promise<void> | undefined
  #waiting = 0
  /** Whether it said who it is since the start. */
  #told = false
  /** It answered, but in no dialect: it is not asked again, since some firmware suffers from what it does not know. */
  #isForeign = false
  #rounds = 0

  constructor(options: ModelResolverOptions) {
    this.#options = options
    this.identity = options.identity
    this.#look()
  }

  get model(): Model | undefined {
    return this.#model
  }

  get tolerance(): FirmwareCapabilities {
    return this.#tolerance
  }

  /** Those who wait to know what the plug is. */
  get waiting(): number {
    return this.#waiting
  }

  /** @throws CommandError `refused` for a plug that is not known, or speaks no dialect */
  describedModel(): Model {
    if (this.#model) return this.#model
    throw new CommandError(
      'refused',
      `no definition for the model ${excerpt(this.identity.model)}, and it does not say whether it is on`,
    )
  }

  /**
   * Sees to it that the model is known, by asking the plug if need be: once for all who wait to know it, and they are as many
   * as may wait in line afterwards.
   * @throws the transport's error, or CommandError `refused` for a plug that speaks no dialect
   */
  async ready(): Promise<Model> {
    if (this.#model) return this.#model
    if (this.#waiting >= MOST_WAITING) throw tooMany()
    this.#waiting++
    this.#recognizing ??= this.#recognize().finally(() => {
      this.#recognizing = undefined
    })
    await this.#recognizing.finally(() => this.#waiting--)
    return this.describedModel()
  }

  /** Takes what `miIO.info` told, and the plug's word for its model where none was given. */
  learn(info: unknown): void {
    const before = this.identity
    this.identity = parseIdentity(info)
    if (before.model !== this.identity.model) this.#isForeign = false
    this.#look(before)
    if (!this.#told || !isDeepStrictEqual(before, this.identity)) this.#options.onIdentified(this.identity)
    this.#told = true
  }

  async #recognize(): Promise<void> {
    if (this.#isForeign) return
    this.learn(await this.#options.ask('miIO.info', []))
    if (this.#model) return
    const dialect = await this.#probe()
    this.#isForeign = dialect === undefined
    if (!dialect) return
    this.#tolerance.setDialect(dialect)
    this.#become(dialects[dialect])
  }

  async #probe(): Promise<DialectName | undefined> {
    try {
      this.#rounds++
      return await detectDialect(this.identity.model ?? '', (method, params) =>
        this.#options.ask(method, params, 1),
      )
    } catch (error) {
      if (isAboutTheQuestion(error) && this.#rounds >= ROUNDS) return undefined
      throw error
    }
  }

  /** What was learnt of a firmware that is not told is kept until it is. */
  #look(before?: Identity): void {
    const {model, firmware} = this.identity
    if (model === undefined) return
    if (!before || before.model !== model || before.firmware !== firmware)
      this.#tolerance = this.#options.toleranceOf(model, firmware)
    const {dialect} = this.#tolerance
    const found = this.#options.findModel(model) ?? (isDialect(dialect) ? dialects[dialect] : undefined)
    if (found && !this.#model) this.#become(found)
  }

  #become(model: Model): void {
    this.#model = this.#options.adjust(model)
    this.#options.onModel(this.#model)
  }
}

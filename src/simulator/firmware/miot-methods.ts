/** The three methods of MIoT: every item of a request is answered with a code of its own (docs/protocol.md §3.2). */
import type {Model, Property, RawValue} from '../../models/model.ts'
import type {FirmwareContext} from './firmware-context.ts'
import type {FirmwareResponse} from './firmware-messages.ts'
import type {FirmwareProfile} from './firmware-profile.ts'
import {fromRaw, toRaw} from './raw-values.ts'

type Item = Record<string, unknown>
type Named = readonly [name: string, property: Property]
type Method = (plug: FirmwareContext, items: readonly unknown[]) => FirmwareResponse

/** Codes of single items (docs/protocol.md §1.8). */
const NOT_WRITABLE = -4002
const NO_SUCH_THING = -4003
const WRONG_VALUE = -4005

export class MiotServices {
  readonly methods: ReadonlyMap<string, Method> = new Map<string, Method>([
    [
      'get_properties',
      (plug, items) => ({result: eachOf(items, plug.habits, (item) => this.#get(plug, item))}),
    ],
    [
      'set_properties',
      (plug, items) => ({result: eachOf(items, plug.habits, (item) => this.#set(plug, item))}),
    ],
    ['action', (_plug, [item]) => ({result: this.#act(isItem(item) ? item : {})})],
  ])
  /** What is found at a siid and piid: several properties may tell of one fault code. */
  readonly #properties = new Map<string, Named[]>()
  readonly #actions = new Set<string>()

  constructor({properties}: Model) {
    for (const [name, property] of Object.entries(properties)) this.#install(name, property)
  }

  /** Whether the model has anything of the kind. */
  get isEmpty(): boolean {
    return this.#properties.size === 0
  }

  /** The names of the properties at the siid and piid of an item. */
  namesAt(item: unknown): string[] {
    return isItem(item) ? this.#at(item).map(([name]) => name) : []
  }

  #install(name: string, property: Property): void {
    const {address} = property
    if (address.via === 'action') this.#actions.add(`${address.siid}.${address.aiid}`)
    if (address.via !== 'miot') return
    const key = `${address.siid}.${address.piid}`
    this.#properties.set(key, [...(this.#properties.get(key) ?? []), [name, property]])
  }

  #get(plug: FirmwareContext, item: Item): Item {
    const properties = this.#at(item)
    const code = codeOf(properties, plug.habits)
    return code === 0 ? {code, value: rawOf(properties, plug)} : {code}
  }

  #set(plug: FirmwareContext, item: Item): Item {
    const properties = this.#at(item)
    const code = codeOf(properties, plug.habits)
    const [first] = properties
    if (code !== 0 || !first) return {code}
    const [name, property] = first
    if (property.kind === 'sensor' || property.kind === 'binary_sensor') return {code: NOT_WRITABLE}
    const taken = fromRaw(property, item['value'])
    if (taken === undefined) return {code: WRONG_VALUE}
    plug.state[name] = taken
    return {code: plug.habits.accepts ? 1 : 0}
  }

  #act({did, siid, aiid}: Item): Item {
    return {did, siid, aiid, code: this.#actions.has(`${siid}.${aiid}`) ? 0 : NO_SUCH_THING, out: []}
  }

  #at({siid, piid}: Item): readonly Named[] {
    return this.#properties.get(`${siid}.${piid}`) ?? []
  }
}

/** The items of an answer, as this firmware sends them. */
function eachOf(items: readonly unknown[], habits: FirmwareProfile, answer: (item: Item) => Item): Item[] {
  const {answersOnly, reversed, withoutDid} = habits
  const answers = items
    .slice(0, answersOnly)
    .filter(isItem)
    .map((item) => {
      const {did, siid, piid} = item
      return {...(withoutDid ? {} : {did}), siid, piid, ...answer(item)}
    })
  return reversed ? answers.reverse() : answers
}

function codeOf(properties: readonly Named[], {codes = {}}: FirmwareProfile): number {
  if (properties.length === 0) return NO_SUCH_THING
  return properties.map(([name]) => codes[name]).find((code) => code !== undefined) ?? 0
}

/** Of several properties that tell of one code, the first that has something to tell. */
function rawOf(properties: readonly Named[], plug: FirmwareContext): RawValue {
  const telling = properties.find(([name]) => plug.state[name] === 'ON') ?? properties[0]
  return telling ? toRaw(telling[1], plug.state[telling[0]] ?? null, plug.habits) : null
}

function isItem(item: unknown): item is Item {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
}

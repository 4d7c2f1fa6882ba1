/** The three MIoT methods of the simulated firmware. Every item of a request gets a code of its own (docs/protocol.md §3.2). */
import type {Model, Property, RawValue} from '../../models/model.ts'
import type {FirmwareResponse} from './firmware-messages.ts'
import type {FirmwareContext, FirmwareProfile} from './firmware-profile.ts'
import {fromRaw, toRaw} from './raw-values.ts'

type Item = Record<string, unknown>
type NamedProperty = readonly [name: string, property: Property]
type Method = (plug: FirmwareContext, items: readonly unknown[]) => FirmwareResponse

/** Codes of single items (docs/protocol.md §1.8). */
const NOT_WRITABLE = -4002
const NOT_FOUND = -4003
const WRONG_VALUE = -4005

/** The MIoT methods of one simulated firmware: `get_properties`, `set_properties`, `action`. */
export class MiotServices {
  readonly methods: ReadonlyMap<string, Method> = new Map<string, Method>([
    [
      'get_properties',
      (plug, items) => ({result: answerEach(items, plug.profile, (item) => this.#get(plug, item))}),
    ],
    [
      'set_properties',
      (plug, items) => ({result: answerEach(items, plug.profile, (item) => this.#set(plug, item))}),
    ],
    ['action', (_plug, [item]) => ({result: this.#act(isItem(item) ? item : {})})],
  ])
  /** By `siid.piid`. Several properties may be derived from one fault code, and so share an address. */
  readonly #properties = new Map<string, NamedProperty[]>()
  /** `siid.aiid` */
  readonly #actions = new Set<string>()

  constructor({properties}: Model) {
    for (const [name, property] of Object.entries(properties)) this.#install(name, property)
  }

  /** Whether the model has no MIoT property. */
  get isEmpty(): boolean {
    return this.#properties.size === 0
  }

  /** The names of the properties at the siid and piid of a request item; none for anything else. */
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
    const code = codeOf(properties, plug.profile)
    return code === 0 ? {code, value: rawOf(properties, plug)} : {code}
  }

  #set(plug: FirmwareContext, item: Item): Item {
    const properties = this.#at(item)
    const code = codeOf(properties, plug.profile)
    const [first] = properties
    if (code !== 0 || !first) return {code}
    const [name, property] = first
    if (property.kind === 'sensor' || property.kind === 'binary_sensor') return {code: NOT_WRITABLE}
    const value = fromRaw(property, item['value'])
    if (value === undefined) return {code: WRONG_VALUE}
    plug.state[name] = value
    return {code: plug.profile.reportsAccepted ? 1 : 0}
  }

  #act({did, siid, aiid}: Item): Item {
    return {did, siid, aiid, code: this.#actions.has(`${siid}.${aiid}`) ? 0 : NOT_FOUND, out: []}
  }

  #at({siid, piid}: Item): readonly NamedProperty[] {
    return this.#properties.get(`${siid}.${piid}`) ?? []
  }
}

/** Answers each item, and lists the answers as this firmware sends them. */
function answerEach(
  items: readonly unknown[],
  {maxItems, reversed, withoutDid}: FirmwareProfile,
  answer: (item: Item) => Item,
): Item[] {
  const answers = items
    .slice(0, maxItems)
    .filter(isItem)
    .map((item) => {
      const {did, siid, piid} = item
      return {...(withoutDid ? {} : {did}), siid, piid, ...answer(item)}
    })
  return reversed ? answers.reverse() : answers
}

function codeOf(properties: readonly NamedProperty[], {codes = {}}: FirmwareProfile): number {
  if (properties.length === 0) return NOT_FOUND
  return properties.map(([name]) => codes[name]).find((code) => code !== undefined) ?? 0
}

/** The raw value at an address. Of several properties that share one fault code, the first that is ON gives the code. */
function rawOf(properties: readonly NamedProperty[], plug: FirmwareContext): RawValue {
  const source = properties.find(([name]) => plug.state[name] === 'ON') ?? properties[0]
  return source ? toRaw(source[1], plug.state[source[0]] ?? null, plug.profile) : null
}

function isItem(item: unknown): item is Item {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
}

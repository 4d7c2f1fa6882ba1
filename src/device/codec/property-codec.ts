/** Builds the requests that read and write properties, and decodes their answers, for each kind of address. Pure. */
import type {Address, Model, PollTier, Property, Value} from '../../models/model.ts'
import {CommandError} from '../command-error.ts'
import {excerpt, fromFirmware, type State, toFirmware} from './values.ts'

/** A request that reads properties. */
export interface ReadRequest {
  method: string
  params: readonly unknown[]
  /** The properties it reads, in the order of the request. */
  properties: readonly string[]
}

/** A request that writes a property. Always an absolute value, so that sending it again changes nothing; a press is sent `once`. */
export interface WriteRequest {
  method: string
  params: unknown
  once?: true
}

/** The decoded answer to a read request. */
export interface DecodedResponse {
  values: State
  /** The firmware's values, before they were scaled. */
  raw: Record<string, unknown>
  /** Properties without a value in the answer, with the plug's error code where it gave one (docs/protocol.md §1.8). */
  failed: Map<string, number | undefined>
}

const TIERS: readonly PollTier[] = ['fast', 'slow', 'rare']
/** Some firmware fails at more values than this in one request (docs/protocol.md §3.2). */
const MOST_AT_ONCE = 10
/** Codes of a write that the plug has executed, or will execute soon. */
const ACCEPTED: ReadonlySet<unknown> = new Set([0, 1])

interface Plan {
  model: Model
  most: number
  reads: readonly ReadRequest[]
}

/** Polls read the same list of names again and again (`propertiesInTier`): its requests are built once. */
const plans = new WeakMap<readonly string[], Plan>()

/**
 * The requests that read the properties `names`, in their order.
 * @param most how many values one request may have, where that is less than the model's own limit
 */
export function buildReads(
  model: Model,
  names: readonly string[],
  most = Number.POSITIVE_INFINITY,
): readonly ReadRequest[] {
  const known = plans.get(names)
  if (known?.model === model && known.most === most) return known.reads
  const reads = planned(model, names, most)
  plans.set(names, {model, most, reads})
  return reads
}

function planned(model: Model, names: readonly string[], most: number): ReadRequest[] {
  const readable = names.filter((name) => isReadFromPlug(propertyOf(model, name)))
  return [...grouped(readable, (name) => requestFor(name, propertyOf(model, name)))].flatMap(
    ([request, members]) => {
      if (request === 'get_prop' && model.exactList) return [getProp(model, listed(model))]
      const size = Math.min(
        most,
        model.batch ?? (request === 'get_properties' ? MOST_AT_ONCE : members.length),
      )
      // Two alarms may share one fault code: they are one value, and read by one item.
      const places = [...grouped(members, (name) => key(propertyOf(model, name).address)).values()]
      return chunks(places, size).map((some) => readRequest(model, some.flat()))
    },
  )
}

const tiers = new WeakMap<Model, Readonly<Record<PollTier, readonly string[]>>>()

/** The properties of a poll tier: `slow` includes the `fast` ones, and `rare` is every property. The same list at every call. */
export function propertiesInTier(model: Model, tier: PollTier): readonly string[] {
  let known = tiers.get(model)
  if (!known) {
    known = {fast: namesUpTo(model, 'fast'), slow: namesUpTo(model, 'slow'), rare: namesUpTo(model, 'rare')}
    tiers.set(model, known)
  }
  return known[tier]
}

function namesUpTo(model: Model, tier: PollTier): string[] {
  const names = Object.keys(model.properties)
  return names.filter((name) => TIERS.indexOf(propertyOf(model, name).lane) <= TIERS.indexOf(tier))
}

/** The request that reads `name`, together with the properties that must be read with it. @throws CommandError for one that is not read from the plug */
export function buildRead(model: Model, name: string): ReadRequest {
  const [read] = buildReads(model, [name])
  if (!read) throw new CommandError('invalid_payload', `${name} is not asked from the plug`)
  return read
}

/** Decodes an answer. Values that cannot be matched with the request become unknown (`null`). */
export function decodeResponse(
  answer: unknown,
  {method, properties}: ReadRequest,
  model: Model,
): DecodedResponse {
  const found = match(answer, method, properties, model)
  const decoded: DecodedResponse = {values: {}, raw: {}, failed: new Map()}
  for (const name of properties) {
    const item = found.get(name)
    if (item && 'raw' in item) {
      decoded.raw[name] = item.raw
      decoded.values[name] = fromFirmware(propertyOf(model, name), item.raw)
    } else {
      decoded.values[name] = null
      decoded.failed.set(name, item?.code)
    }
  }
  return decoded
}

/** The request that writes `value` to a property. @throws TypeError for a property that is not writable: check `isWritable` first */
export function buildWrite(name: string, wanted: Property, value: Value): WriteRequest {
  const {address} = wanted
  switch (address.via) {
    case 'get_prop':
      return legacyWrite(wanted, address, value)
    case 'miot': {
      const {siid, piid} = address
      return {
        method: 'set_properties',
        params: [{did: name, siid, piid, value: toFirmware(wanted, value)}],
      }
    }
    case 'action': {
      const {siid, aiid} = address
      return {method: 'action', params: {did: name, siid, aiid, in: []}, once: true}
    }
    default:
      throw new TypeError('expected a writable property')
  }
}

/**
 * Checks that an answer means that a write was executed: mostly `["ok"]`, also `"ok"`, `"OK"` and `0` (docs/protocol.md §1.7); for
 * MIoT an item with code 0, or 1 for soon.
 * @throws CommandError `refused`, with the plug's own code
 */
export function expectOk(answer: unknown, {method}: WriteRequest): void {
  const item = Array.isArray(answer) && answer.length === 1 ? answer[0] : answer
  if (item === 0 || (typeof item === 'string' && item.toLowerCase() === 'ok')) return
  const code = isObject(item) ? item['code'] : undefined
  if (ACCEPTED.has(code)) return
  const because = typeof code === 'number' ? (itemCodes.get(code) ?? `code ${code}`) : excerpt(answer)
  throw new CommandError(
    'refused',
    `expected ok to ${method}, the plug answered ${because}`,
    typeof code === 'number' ? code : undefined,
  )
}

/** @throws Error for a name the model does not have */
export function propertyOf(model: Model, name: string): Property {
  const found = Object.hasOwn(model.properties, name) ? model.properties[name] : undefined
  if (!found) throw new Error(`${model.name} has no property ${excerpt(name)}`)
  return found
}

/** The error codes of single properties (docs/protocol.md §1.8), as parts of a sentence. */
const itemCodes: ReadonlyMap<number, string> = new Map([
  [-4001, 'that it cannot be read'],
  [-4002, 'that it cannot be written'],
  [-4003, 'that it has no such property'],
  [-4004, 'that it failed inside'],
  [-4005, 'that the value is wrong'],
  [-4006, 'that the input is wrong'],
  [-4007, 'that the did is wrong'],
])

/** A property's part of an answer. */
type AnswerItem = {raw: unknown} | {code: number | undefined}

/** Finds the part of each property in an answer. */
function match(
  answer: unknown,
  method: string,
  names: readonly string[],
  model: Model,
): ReadonlyMap<string, AnswerItem> {
  switch (method) {
    case 'miIO.info':
      return byPart(answer, names)
    case 'get_properties':
      return byId(answer, names, model)
    default:
      return byPosition(answer, names)
  }
}

/** An answer that is not as long as its request cannot be matched at all. */
function byPosition(answer: unknown, names: readonly string[]): ReadonlyMap<string, AnswerItem> {
  if (!Array.isArray(answer) || answer.length !== names.length) return new Map()
  return new Map(names.map((name, position) => [name, {raw: answer[position]}]))
}

/** By siid and piid: some firmware leaves items out, or answers in an order of its own (docs/protocol.md §3.2). */
function byId(answer: unknown, names: readonly string[], model: Model): ReadonlyMap<string, AnswerItem> {
  const items = new Map<string, AnswerItem>()
  for (const item of Array.isArray(answer) ? answer : [])
    if (isObject(item)) items.set(`${item['siid']}.${item['piid']}`, toItem(item))
  return new Map(
    names.flatMap((name) => {
      const item = items.get(key(propertyOf(model, name).address))
      return item ? [[name, item] as const] : []
    }),
  )
}

function toItem({code, value}: Record<string, unknown>): AnswerItem {
  if (code !== undefined && code !== 0) return {code: typeof code === 'number' ? code : undefined}
  return value === undefined ? {code: undefined} : {raw: value}
}

function byPart(answer: unknown, names: readonly string[]): ReadonlyMap<string, AnswerItem> {
  const ap = isObject(answer) ? answer['ap'] : undefined
  const rssi = isObject(ap) ? ap['rssi'] : undefined
  return new Map(names.map((name) => [name, {raw: rssi ?? null}]))
}

function legacyWrite(
  wanted: Property,
  {write}: Extract<Address, {via: 'get_prop'}>,
  value: Value,
): WriteRequest {
  if (!write) throw new TypeError('expected a writable property')
  if (!('method' in write)) return {method: value === 'ON' ? write.on : write.off, params: []}
  return {method: write.method, params: [toFirmware(wanted, value)]}
}

/** Properties with the same key are read by one request. */
function requestFor(name: string, {address, alone}: Property): string {
  const request = requests[address.via]
  if (address.via === 'method') return address.method
  return alone && address.via !== 'info' ? `${request} ${name}` : request
}

const requests = {
  get_prop: 'get_prop',
  miot: 'get_properties',
  info: 'miIO.info',
  method: '',
  action: '',
  bridge: '',
} as const

function readRequest(model: Model, names: readonly string[]): ReadRequest {
  const address = propertyOf(model, names[0] ?? '').address
  switch (address.via) {
    case 'method':
      return {method: address.method, params: [], properties: names}
    case 'info':
      return {method: 'miIO.info', params: [], properties: names}
    case 'miot':
      return {method: 'get_properties', params: items(model, names), properties: names}
    default:
      return getProp(model, names)
  }
}

/** The did of an item is free text that is sent back: the name shows in a packet dump what was read (docs/protocol.md §3.2). */
function items(model: Model, names: readonly string[]) {
  const once = new Map(names.map((name) => [key(propertyOf(model, name).address), name]))
  return [...once.values()].flatMap((name) => {
    const {address} = propertyOf(model, name)
    return address.via === 'miot' ? [{did: name, siid: address.siid, piid: address.piid}] : []
  })
}

function getProp(model: Model, names: readonly string[]): ReadRequest {
  const params = names.map((name) => {
    const {address} = propertyOf(model, name)
    return address.via === 'get_prop' ? address.name : name
  })
  return {method: 'get_prop', params, properties: names}
}

/** The properties of an exact list. */
function listed(model: Model): string[] {
  return Object.entries(model.properties).flatMap(([name, {address, alone}]) =>
    address.via === 'get_prop' && !alone ? [name] : [],
  )
}

function isReadFromPlug({address}: Property): boolean {
  return address.via !== 'bridge' && address.via !== 'action'
}

/** The same key for properties at the same address. */
function key(address: Address): string {
  return address.via === 'miot' ? `${address.siid}.${address.piid}` : JSON.stringify(address)
}

/** Groups members by key, in the order in which the keys first appear. */
function grouped<T>(list: readonly T[], groupOf: (member: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const member of list) groups.set(groupOf(member), [...(groups.get(groupOf(member)) ?? []), member])
  return groups
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({length: Math.ceil(list.length / size)}, (_, i) => list.slice(i * size, (i + 1) * size))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

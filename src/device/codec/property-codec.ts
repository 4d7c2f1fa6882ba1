/** Builds the requests that read and write properties, and decodes the responses, for each kind of address. Pure. */
import {isObject} from '../../common/text.ts'
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

/** The decoded response to a read request. */
export interface DecodedResponse {
  values: State
  /** The firmware's values, before they were scaled. */
  raw: Record<string, unknown>
  /** Properties without a value in the response, with the plug's error code where it gave one (docs/protocol.md §1.8). */
  failed: ReadonlyMap<string, number | undefined>
}

const NONE_FAILED: DecodedResponse['failed'] = new Map()

const TIERS: readonly PollTier[] = ['fast', 'slow', 'rare']
/** Some firmware fails at more values than this in one request (docs/protocol.md §3.2). */
const MOST_AT_ONCE = 10

/**
 * The requests that read the properties `names`, in their order.
 * @param maxValues how many values one request may have, where that is less than the model's own limit
 */
export function buildReads(
  model: Model,
  names: readonly string[],
  maxValues = Number.POSITIVE_INFINITY,
): readonly ReadRequest[] {
  const readable = names.filter((name) => isReadFromPlug(propertyOf(model, name)))
  const requestOf = (name: string) => {
    const {address, alone} = propertyOf(model, name)
    return alone ? `${methodOf(address)} ${name}` : methodOf(address)
  }
  return [...grouped(readable, requestOf)].flatMap(([request, members]) => {
    if (request === 'get_prop' && model.exactList) return [readRequest(model, exactListNames(model))]
    const size = model.batch ?? (request === 'get_properties' ? MOST_AT_ONCE : members.length)
    // Two alarms may share one fault code: they are one value, and read by one item.
    const places = [...grouped(members, (name) => key(propertyOf(model, name).address)).values()]
    return chunks(places, Math.min(maxValues, size)).map((some) => readRequest(model, some.flat()))
  })
}

const tiers = new WeakMap<Model, Readonly<Record<PollTier, readonly string[]>>>()

/** The properties of a poll tier: `slow` includes the `fast` ones, and `rare` is every property. The same list at every call. */
export function propertiesInTier(model: Model, tier: PollTier): readonly string[] {
  let byTier = tiers.get(model)
  if (!byTier) {
    const names = Object.keys(model.properties)
    const upTo = (last: PollTier) =>
      names.filter((name) => TIERS.indexOf(propertyOf(model, name).lane) <= TIERS.indexOf(last))
    byTier = {fast: upTo('fast'), slow: upTo('slow'), rare: upTo('rare')}
    tiers.set(model, byTier)
  }
  return byTier[tier]
}

/** The request that reads `name`, together with the properties that must be read with it. @throws CommandError for one that is not read from the plug */
export function buildRead(model: Model, name: string): ReadRequest {
  const [read] = buildReads(model, [name])
  if (!read) throw new CommandError('invalid_payload', `${name} is not asked from the plug`)
  return read
}

/** Decodes a response. Values that cannot be matched with the request become unknown (`null`). */
export function decodeResponse(response: unknown, read: ReadRequest, model: Model): DecodedResponse {
  const values: State = {}
  const raw: Record<string, unknown> = {}
  let failed: Map<string, number | undefined> | undefined
  const itemOf = matchItems(response, read, model)
  read.properties.forEach((name, position) => {
    const item = itemOf(name, position)
    if (item && 'raw' in item) {
      raw[name] = item.raw
      values[name] = fromFirmware(propertyOf(model, name), item.raw)
    } else {
      values[name] = null
      failed ??= new Map()
      failed.set(name, item?.code)
    }
  })
  return {values, raw, failed: failed ?? NONE_FAILED}
}

/** The request that writes `value` to a property. @throws TypeError for a property that is not writable: check `isWritable` first */
export function buildWrite(name: string, property: Property, value: Value): WriteRequest {
  const {address} = property
  if (address.via === 'miot') {
    const {siid, piid} = address
    const item = {did: name, siid, piid, value: toFirmware(property, value)}
    return {method: 'set_properties', params: [item]}
  }
  if (address.via === 'action') {
    const {siid, aiid} = address
    return {method: 'action', params: {did: name, siid, aiid, in: []}, once: true}
  }
  const write = address.via === 'get_prop' ? address.write : undefined
  if (!write) throw new TypeError('expected a writable property')
  if ('method' in write) return {method: write.method, params: [toFirmware(property, value)]}
  return {method: value === 'ON' ? write.on : write.off, params: []}
}

/**
 * Checks that a response means that a write was executed: mostly `["ok"]`, also `"ok"`, `"OK"` and `0` (docs/protocol.md §1.7); for
 * MIoT an item with code 0, or 1 for soon.
 * @throws CommandError `refused`, with the plug's own code
 */
export function expectOk(response: unknown, {method}: WriteRequest): void {
  const item = Array.isArray(response) && response.length === 1 ? response[0] : response
  if (item === 0 || (typeof item === 'string' && item.toLowerCase() === 'ok')) return
  const code = isObject(item) ? item['code'] : undefined
  if (code === 0 || code === 1) return
  const isNumber = typeof code === 'number'
  const because = isNumber ? (itemCodes.get(code) ?? `code ${code}`) : excerpt(response)
  const text = `expected ok to ${method}, the plug answered ${because}`
  throw new CommandError('refused', text, isNumber ? code : undefined)
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

/** A property's part of a response. */
type ResponseItem = {raw: unknown} | {code: number | undefined}

/** @returns a function that finds the part of each property, by its name and its position in the request */
function matchItems(
  response: unknown,
  {method, properties}: ReadRequest,
  model: Model,
): (name: string, position: number) => ResponseItem | undefined {
  if (method === 'miIO.info') {
    const ap = isObject(response) ? response['ap'] : undefined
    const rssi = isObject(ap) ? ap['rssi'] : undefined
    return () => ({raw: rssi ?? null})
  }
  const list: readonly unknown[] = Array.isArray(response) ? response : []
  if (method !== 'get_properties') {
    // A response that is not as long as its request cannot be matched at all.
    return (_, position) => (list.length === properties.length ? {raw: list[position]} : undefined)
  }
  // By siid and piid: some firmware leaves items out, or answers in an order of its own (docs/protocol.md §3.2).
  return (name, position) => {
    const {address} = propertyOf(model, name)
    const isItem = (item: unknown): item is Record<string, unknown> =>
      isObject(item) &&
      address.via === 'miot' &&
      Number(item['siid']) === address.siid &&
      Number(item['piid']) === address.piid
    const inPlace = list[position]
    const item = isItem(inPlace) ? inPlace : list.findLast(isItem)
    return item && toItem(item)
  }
}

function toItem({code, value}: Record<string, unknown>): ResponseItem {
  if (code !== undefined && code !== 0) return {code: typeof code === 'number' ? code : undefined}
  return value === undefined ? {code: undefined} : {raw: value}
}

/** The request that reads properties of one kind of address. */
function readRequest(model: Model, names: readonly string[]): ReadRequest {
  const params = new Map<string, unknown>()
  for (const name of names) {
    const {address} = propertyOf(model, name)
    if (address.via === 'get_prop') params.set(name, address.name)
    // The did of an item is free text that is sent back: the name shows in a packet dump what was read (docs/protocol.md §3.2).
    if (address.via === 'miot') params.set(key(address), {did: name, siid: address.siid, piid: address.piid})
  }
  const method = methodOf(propertyOf(model, names[0] ?? '').address)
  return {method, params: [...params.values()], properties: names}
}

function methodOf(address: Address): string {
  switch (address.via) {
    case 'method':
      return address.method
    case 'info':
      return 'miIO.info'
    case 'miot':
      return 'get_properties'
    default:
      return 'get_prop'
  }
}

/** The properties of an exact list. */
function exactListNames(model: Model): string[] {
  return Object.entries(model.properties).flatMap(([name, {address, alone}]) =>
    address.via === 'get_prop' && !alone ? [name] : [],
  )
}

/** Whether the plug itself has a value for the property. */
export function isReadFromPlug({address}: Property): boolean {
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

/**
 * What a plug answers (docs/protocol.md §1.7, §1.8, §3.1), derived from its model's definition. Pure: no I/O, no clock.
 */
import type {Address, Model, Property, Raw, Value, Write} from '../models/model.ts'
import type {Habits} from './habits.ts'
import {fromRaw, toRaw} from './raw.ts'

/** An id of 0, or none, means: execute, but do not answer. */
export interface Request {
  id: number
  method: string
  /** A list, except for `action`. */
  params: unknown
}

export interface Refusal {
  code: number
  message: string
}

export type Answer = {result: unknown} | {error: Refusal}

/** The plug around the firmware: what it reads and changes. */
export interface Surroundings {
  readonly did: number
  readonly token: Buffer
  readonly address: string
  /** Seconds since it was plugged in. */
  readonly uptimeS: number
  readonly rssi: number
  readonly habits: Habits
  /** Property name -> value, in the words and units of the model. What is missing is unknown. */
  readonly state: Record<string, Value>
}

type Method = (plug: Surroundings, params: readonly unknown[]) => Answer
/** A property, and what it is called. */
type Named = readonly [name: string, property: Property]
type Reader = (plug: Surroundings) => Raw

const METHOD_NOT_FOUND: Refusal = {code: -32601, message: 'Method not found.'}
const INVALID_JSON: Refusal = {code: -30001, message: 'Resp invalid json.'}

/** What these answer to a method they do not have; the m1's own firmware says -32601 (docs/protocol.md §1.8, §3.1). */
const unknownMethod = new Map<string, Refusal>([
  ['chuangmi.plug.v1', {code: -10000, message: 'Method not found.'}],
  ['chuangmi.plug.v3', INVALID_JSON],
  ['chuangmi.plug.m3', INVALID_JSON],
  ['chuangmi.plug.hmi205', {code: -30000, message: 'Resp general error.'}],
])

/** Codes of single items (docs/protocol.md §1.8). */
const NOT_WRITABLE = -4002
const NO_SUCH_PROPERTY = -4003
const WRONG_VALUE = -4005

type Item = Record<string, unknown>

const OK: Answer = {result: ['ok']}

/** The request in a decrypted payload, up to its first NUL; `undefined` for anything the plug would drop (§1.6 step 8). */
export function readRequest(payload: Buffer): Request | undefined {
  const end = payload.indexOf(0)
  const json = parse(payload.toString('utf8', 0, end < 0 ? payload.length : end))
  if (typeof json !== 'object' || json === null || !('method' in json)) return undefined
  if (typeof json.method !== 'string') return undefined
  const id = 'id' in json && typeof json.id === 'number' ? json.id >>> 0 : 0
  return {id, method: json.method, params: 'params' in json ? json.params : []}
}

const firmwares = new WeakMap<Model, Map<string, Firmware>>()

/** The firmware of the plugs of `model` that call themselves `id`: made once, however many there are. */
export function firmwareOf(model: Model, id: string): Firmware {
  const known = firmwares.get(model) ?? new Map<string, Firmware>()
  const firmware = known.get(id) ?? new Firmware(model, id)
  firmwares.set(model, known.set(id, firmware))
  return firmware
}

/** The firmware of one model, shared by all its plugs: whatever belongs to a single plug is handed in with the request. */
export class Firmware {
  readonly #methods = new Map<string, Method>()
  readonly #readers = new Map<string, Reader>()
  /** What is found at a siid and piid: several properties may tell of one fault code. */
  readonly #items = new Map<string, Named[]>()
  readonly #model: Model
  readonly #unknownMethod: Refusal

  /** @param id which of the definition's ids this plug calls itself */
  constructor(model: Model, id: string) {
    this.#model = model
    this.#unknownMethod = unknownMethod.get(id) ?? METHOD_NOT_FOUND
    this.#methods.set('miIO.info', (plug) => ({result: info(id, plug)}))
    this.#methods.set('get_prop', (plug, names) => this.#getProp(plug, names))
    for (const [name, property] of Object.entries(model.properties)) this.#install(name, property)
    if (this.#items.size > 0) this.#installMiot()
  }

  /** Executes a request on `plug` and says what comes back. */
  answer(request: Request, plug: Surroundings): Answer {
    const method = this.#methods.get(request.method)
    const params = Array.isArray(request.params) ? request.params : [request.params]
    return method ? method(plug, params) : {error: this.#unknownMethod}
  }

  #install(name: string, property: Property): void {
    const {address} = property
    const read: Reader = (plug) => toRaw(property, plug.state[name] ?? null, plug.habits)
    switch (address.via) {
      case 'get_prop':
        this.#readers.set(address.name, read)
        if (address.write) this.#installWrite(name, property, address.write)
        return
      case 'method':
        this.#methods.set(address.method, (plug) => ({result: [read(plug)]}))
        return
      case 'miot': {
        const key = keyOf(address)
        this.#items.set(key, [...(this.#items.get(key) ?? []), [name, property]])
        return
      }
      case 'action':
      case 'info':
      case 'bridge':
        return
      default:
        address satisfies never
    }
  }

  /** The three methods of MIoT: an answer for each item, with its own code (docs/protocol.md §3.2). */
  #installMiot(): void {
    this.#methods.set('get_properties', (plug, items) => ({
      result: items.filter(isItem).map((item) => this.#get(plug, item)),
    }))
    this.#methods.set('set_properties', (plug, items) => ({
      result: items.filter(isItem).map((item) => this.#set(plug, item)),
    }))
    this.#methods.set('action', (_plug, [item]) => {
      const {did, siid, aiid} = isItem(item) ? item : {}
      const known = Object.values(this.#model.properties).some(
        ({address}) => address.via === 'action' && address.siid === siid && address.aiid === aiid,
      )
      return {result: {did, siid, aiid, code: known ? 0 : NO_SUCH_PROPERTY, out: []}}
    })
  }

  #get(plug: Surroundings, {did, siid, piid}: Item): Item {
    const properties = this.#items.get(`${siid}.${piid}`)
    if (!properties) return {did, siid, piid, code: NO_SUCH_PROPERTY}
    return {did, siid, piid, code: 0, value: rawOf(properties, plug)}
  }

  #set(plug: Surroundings, {did, siid, piid, value}: Item): Item {
    const answer = {did, siid, piid}
    const [first] = this.#items.get(`${siid}.${piid}`) ?? []
    if (!first) return {...answer, code: NO_SUCH_PROPERTY}
    const [name, property] = first
    if (property.kind === 'sensor' || property.kind === 'binary_sensor')
      return {...answer, code: NOT_WRITABLE}
    const taken = fromRaw(property, value)
    if (taken === undefined) return {...answer, code: WRONG_VALUE}
    plug.state[name] = taken
    return {...answer, code: 0}
  }

  #installWrite(name: string, property: Property, write: Write): void {
    if ('method' in write) {
      this.#methods.set(write.method, (plug, params) => setLegacy(plug, name, property, params))
      return
    }
    this.#methods.set(write.on, (plug) => setAll(plug, name, ['on']))
    this.#methods.set(write.off, (plug) => setAll(plug, name, ['off']))
  }

  #getProp(plug: Surroundings, names: readonly unknown[]): Answer {
    if (this.#model.exactList && !this.#isExactList(names)) return {error: INVALID_JSON}
    return {result: names.map((name) => this.#readers.get(String(name))?.(plug) ?? null)}
  }

  #isExactList(names: readonly unknown[]): boolean {
    const own = [...this.#readers.keys()]
    return names.length === own.length && own.every((name, position) => name === names[position])
  }
}

function setLegacy(plug: Surroundings, name: string, property: Property, params: readonly unknown[]): Answer {
  if (property.kind === 'switch') return setAll(plug, name, params)
  const taken = fromRaw(property, params[0])
  if (taken === undefined) return {error: {code: -5001, message: 'params err'}}
  plug.state[name] = taken
  return OK
}

/** The m1 walks over all parameters, acts on each that begins with on or off, and is content whatever they are (§3.1). */
function setAll(plug: Surroundings, name: string, params: readonly unknown[]): Answer {
  for (const param of params) {
    const text = String(param)
    if (text.startsWith('on') || param === true) plug.state[name] = 'ON'
    else if (text.startsWith('off') || param === false) plug.state[name] = 'OFF'
  }
  return OK
}

/** Of several properties that tell of one code, the first that has something to tell. */
function rawOf(properties: readonly Named[], plug: Surroundings): Raw {
  const telling = properties.find(([name]) => plug.state[name] === 'ON') ?? properties[0]
  return telling ? toRaw(telling[1], plug.state[telling[0]] ?? null, plug.habits) : null
}

function keyOf({siid, piid}: Extract<Address, {via: 'miot'}>): string {
  return `${siid}.${piid}`
}

function isItem(item: unknown): item is Item {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
}

function info(id: string, {did, token, address, uptimeS, rssi, habits}: Surroundings) {
  const serial = (did >>> 0).toString(16).padStart(8, '0').toUpperCase()
  return {
    life: uptimeS,
    model: id,
    ...(habits.infoShowsToken ? {token: token.toString('hex')} : {}),
    fw_ver: habits.mood === 'old' ? '1.2.4_16' : '2.0.4_0026',
    hw_ver: 'MW300',
    mac: `28:6C:07:${serial.slice(2, 4)}:${serial.slice(4, 6)}:${serial.slice(6)}`,
    mmfree: 30312,
    ap: {ssid: 'simulated', bssid: 'F0:B4:29:00:00:01', rssi, primary: 6},
    netif: {localIp: address, mask: '255.0.0.0', gw: '127.0.0.1'},
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

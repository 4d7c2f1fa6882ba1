/**
 * What a plug answers (docs/protocol.md §1.7, §1.8, §3.1), derived from its model's definition. Pure: no I/O, no clock.
 */
import type {Model, Property, Value, Write} from '../models/model.ts'
import type {Habits} from './habits.ts'

/** An id of 0, or none, means: execute, but do not answer. */
export interface Request {
  id: number
  method: string
  params: readonly unknown[]
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
type Reader = (plug: Surroundings) => RawValue
type RawValue = boolean | number | string | null

const METHOD_NOT_FOUND: Refusal = {code: -32601, message: 'Method not found.'}
const INVALID_JSON: Refusal = {code: -30001, message: 'Resp invalid json.'}

/** What these answer to a method they do not have; the m1's own firmware says -32601 (docs/protocol.md §1.8, §3.1). */
const unknownMethod = new Map<string, Refusal>([
  ['chuangmi.plug.v1', {code: -10000, message: 'Method not found.'}],
  ['chuangmi.plug.v3', INVALID_JSON],
  ['chuangmi.plug.m3', INVALID_JSON],
  ['chuangmi.plug.hmi205', {code: -30000, message: 'Resp general error.'}],
])

const OK: Answer = {result: ['ok']}

/** The request in a decrypted payload, up to its first NUL; `undefined` for anything the plug would drop (§1.6 step 8). */
export function readRequest(payload: Buffer): Request | undefined {
  const end = payload.indexOf(0)
  const json = parse(payload.toString('utf8', 0, end < 0 ? payload.length : end))
  if (typeof json !== 'object' || json === null || !('method' in json)) return undefined
  if (typeof json.method !== 'string') return undefined
  const id = 'id' in json && typeof json.id === 'number' ? json.id >>> 0 : 0
  const params = 'params' in json && Array.isArray(json.params) ? json.params : []
  return {id, method: json.method, params}
}

const firmwares = new Map<string, Firmware>()

/** The firmware of the plugs that call themselves `id`: made once, however many there are. */
export function firmwareOf(model: Model, id: string): Firmware {
  const known = firmwares.get(id)
  if (known) return known
  const firmware = new Firmware(model, id)
  firmwares.set(id, firmware)
  return firmware
}

/** The firmware of one model, shared by all its plugs: whatever belongs to a single plug is handed in with the request. */
export class Firmware {
  readonly #methods = new Map<string, Method>()
  readonly #readers = new Map<string, Reader>()
  readonly #model: Model
  readonly #unknownMethod: Refusal

  /** @param id which of the definition's ids this plug calls itself */
  constructor(model: Model, id: string) {
    this.#model = model
    this.#unknownMethod = unknownMethod.get(id) ?? METHOD_NOT_FOUND
    this.#methods.set('miIO.info', (plug) => ({result: info(id, plug)}))
    this.#methods.set('get_prop', (plug, names) => this.#getProp(plug, names))
    for (const [name, property] of Object.entries(model.properties)) this.#install(name, property)
  }

  /** Executes a request on `plug` and says what comes back. */
  answer(request: Request, plug: Surroundings): Answer {
    const method = this.#methods.get(request.method)
    return method ? method(plug, request.params) : {error: this.#unknownMethod}
  }

  #install(name: string, property: Property): void {
    const {address} = property
    const read: Reader = (plug) => toRaw(property, plug.state[name] ?? null, plug.habits)
    switch (address.via) {
      case 'get_prop':
        this.#readers.set(address.name, read)
        if (address.write) this.#installWrite(name, address.write)
        return
      case 'method':
        this.#methods.set(address.method, (plug) => ({result: [read(plug)]}))
        return
      default:
        address satisfies never
    }
  }

  #installWrite(name: string, write: Write): void {
    if ('method' in write) {
      this.#methods.set(write.method, (plug, params) => setAll(plug, name, params))
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

/** The m1 walks over all parameters, acts on each that begins with on or off, and is content whatever they are (§3.1). */
function setAll(plug: Surroundings, name: string, params: readonly unknown[]): Answer {
  for (const param of params) {
    const text = String(param)
    if (text.startsWith('on') || param === true) plug.state[name] = 'ON'
    else if (text.startsWith('off') || param === false) plug.state[name] = 'OFF'
  }
  return OK
}

/** A value as the firmware tells it. */
function toRaw(property: Property, value: Value, habits: Habits): RawValue {
  if (value === null) return null
  switch (property.kind) {
    case 'switch': {
      const isOldRelay = property.deviceClass === 'outlet' && habits.mood === 'old'
      const on = value === 'ON'
      if (property.raw === 'boolean' || isOldRelay) return on
      return on ? 'on' : 'off'
    }
    case 'sensor':
      return typeof value === 'number' ? inSteps(value, property) : value
  }
}

/** The firmware counts in steps of `scale`, with a point only where it can tell more than whole steps. */
function inSteps(value: number, {scale, precision}: {scale: number; precision: number}): number {
  const digits = Math.max(0, Math.round(precision + Math.log10(scale)))
  return Number((value / scale).toFixed(digits))
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

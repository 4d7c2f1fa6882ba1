/**
 * What a plug answers (docs/protocol.md §1.7, §1.8, §3.1), derived from its model's definition. Pure: no I/O, no clock.
 */
import type {Model, Property, RawValue, WriteMethod} from '../../models/model.ts'
import type {FirmwareContext} from './firmware-context.ts'
import {
  ACK_TIMEOUT,
  type FirmwareRequest,
  type FirmwareResponse,
  INVALID_JSON,
  METHOD_NOT_FOUND,
} from './firmware-messages.ts'
import type {FirmwareFailure, FirmwareProfile} from './firmware-profile.ts'
import {MiotServices} from './miot-methods.ts'
import {fromRaw, toRaw} from './raw-values.ts'

export type {FirmwareContext} from './firmware-context.ts'
export type {FirmwareResponse} from './firmware-messages.ts'

type Method = (plug: FirmwareContext, params: readonly unknown[]) => FirmwareResponse
type Reader = (plug: FirmwareContext) => RawValue

const OK: FirmwareResponse = {result: ['ok']}

/** The request in a decrypted payload, up to its first NUL; `undefined` for anything the plug would drop (§1.6 step 8). */
export function readRequest(payload: Buffer): FirmwareRequest | undefined {
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
  /** The name of the property that a name of `get_prop`, or a method, tells. */
  readonly #told = new Map<string, string>()
  readonly #miot: MiotServices
  readonly #model: Model

  /** @param id which of the definition's ids this plug calls itself */
  constructor(model: Model, id: string) {
    this.#model = model
    this.#miot = new MiotServices(model)
    this.#methods.set('miIO.info', (plug) => ({result: info(id, plug)}))
    for (const [name, property] of Object.entries(model.properties)) this.#install(name, property)
    if (this.#readers.size > 0) this.#methods.set('get_prop', (plug, names) => this.#getProp(plug, names))
    if (!this.#miot.isEmpty) for (const [name, method] of this.#miot.methods) this.#methods.set(name, method)
  }

  /** Executes a request on `plug` and says what comes back; `undefined`: nothing, though it was in order. */
  answer(request: FirmwareRequest, plug: FirmwareContext): FirmwareResponse | undefined {
    const method = this.#methods.get(request.method)
    const params = Array.isArray(request.params) ? request.params : [request.params]
    if (!method) return unknown(plug.habits)
    const failure = this.#failure(request.method, params, plug)
    if (failure === 'silence') return undefined
    if (failure) return {error: failure === ACK_TIMEOUT.code ? ACK_TIMEOUT : INVALID_JSON}
    return method(plug, params)
  }

  /** What reading too much, or the wrong thing, leads to. */
  #failure(
    method: string,
    params: readonly unknown[],
    {habits}: FirmwareContext,
  ): FirmwareFailure | undefined {
    const {batch, killers = {}} = habits
    const isList = method === 'get_prop' || method === 'get_properties'
    if (batch && isList && params.length > batch.most) return batch.failure
    const asked = isList ? params : [method]
    const names = asked.flatMap((each) => this.#told.get(String(each)) ?? this.#miot.namesAt(each))
    return names.map((name) => killers[name]).find(Boolean)
  }

  #install(name: string, property: Property): void {
    const {address} = property
    const read: Reader = (plug) => toRaw(property, plug.state[name] ?? null, plug.habits)
    switch (address.via) {
      case 'get_prop':
        this.#readers.set(address.name, read)
        this.#told.set(address.name, name)
        if (address.write) this.#installWrite(name, property, address.write)
        return
      case 'method':
        this.#methods.set(address.method, (plug) => ({result: [read(plug)]}))
        this.#told.set(address.method, name)
        return
      case 'miot':
      case 'action':
      case 'info':
      case 'bridge':
        return
      default:
        address satisfies never
    }
  }

  #installWrite(name: string, property: Property, write: WriteMethod): void {
    if ('method' in write) {
      this.#methods.set(write.method, (plug, params) => setLegacy(plug, name, property, params))
      return
    }
    this.#methods.set(write.on, (plug) => setAll(plug, name, ['on']))
    this.#methods.set(write.off, (plug) => setAll(plug, name, ['off']))
  }

  #getProp(plug: FirmwareContext, names: readonly unknown[]): FirmwareResponse {
    if (this.#model.exactList && !this.#isExactList(names)) return {error: INVALID_JSON}
    return {result: names.map((name) => this.#readers.get(String(name))?.(plug) ?? null)}
  }

  #isExactList(names: readonly unknown[]): boolean {
    const own = [...this.#readers.keys()]
    return names.length === own.length && own.every((name, position) => name === names[position])
  }
}

function setLegacy(
  plug: FirmwareContext,
  name: string,
  property: Property,
  params: readonly unknown[],
): FirmwareResponse {
  if (property.kind === 'switch') return setAll(plug, name, params)
  const taken = fromRaw(property, params[0])
  if (taken === undefined) return {error: {code: -5001, message: 'params err'}}
  plug.state[name] = taken
  return OK
}

/** The m1 walks over all parameters, acts on each that begins with on or off, and is content whatever they are (§3.1). */
function setAll(plug: FirmwareContext, name: string, params: readonly unknown[]): FirmwareResponse {
  for (const param of params) {
    const text = String(param)
    if (text.startsWith('on') || param === true) plug.state[name] = 'ON'
    else if (text.startsWith('off') || param === false) plug.state[name] = 'OFF'
  }
  return OK
}

function unknown({unknownMethod = METHOD_NOT_FOUND}: FirmwareProfile): FirmwareResponse | undefined {
  return unknownMethod === 'silence' ? undefined : {error: unknownMethod}
}

function info(id: string, {did, token, address, uptimeS, rssi, habits}: FirmwareContext) {
  const serial = (did >>> 0).toString(16).padStart(8, '0').toUpperCase()
  return {
    life: uptimeS,
    model: id,
    ...(habits.infoShowsToken ? {token: token.toString('hex')} : {}),
    fw_ver: habits.firmware ?? (habits.mood === 'old' ? '1.2.4_16' : '2.0.4_0026'),
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

/**
 * Simulated firmware: executes a miIO request on a plug and gives the response (docs/protocol.md §1.7, §1.8, §3.1). All methods are
 * derived from the definition of the model. Pure: no I/O, no clock.
 */
import type {Model, Property, RawValue, WriteMethod} from '../../models/model.ts'
import type {FirmwareRequest, FirmwareResponse} from './firmware-messages.ts'
import {
  ACK_TIMEOUT,
  type FirmwareContext,
  type FirmwareFailure,
  type FirmwareProfile,
  INVALID_JSON,
  METHOD_NOT_FOUND,
} from './firmware-profile.ts'
import {MiotServices} from './miot-methods.ts'
import {fromRaw, toRaw} from './raw-values.ts'

type Method = (plug: FirmwareContext, params: readonly unknown[]) => FirmwareResponse
type Reader = (plug: FirmwareContext) => RawValue

const OK: FirmwareResponse = {result: ['ok']}

const cache = new WeakMap<Model, Map<string, Firmware>>()

/**
 * The firmware of `model`. One instance serves all plugs with the same model and id.
 * @param id the one of the definition's ids that the plug reports
 */
export function firmwareOf(model: Model, id: string): Firmware {
  const byId = cache.get(model) ?? new Map<string, Firmware>()
  const firmware = byId.get(id) ?? new Firmware(model, id)
  cache.set(model, byId.set(id, firmware))
  return firmware
}

/** The firmware of one model. It has no state: everything that belongs to a single plug comes with the request. */
export class Firmware {
  readonly #methods = new Map<string, Method>()
  readonly #readers = new Map<string, Reader>()
  /** Name in `get_prop`, or method -> name of the property whose value it returns. */
  readonly #propertyNames = new Map<string, string>()
  readonly #miot: MiotServices
  readonly #model: Model

  /** @param id the one of the definition's ids that the plug reports */
  constructor(model: Model, id: string) {
    this.#model = model
    this.#miot = new MiotServices(model)
    this.#methods.set('miIO.info', (plug) => ({result: info(id, plug)}))
    for (const [name, property] of Object.entries(model.properties)) this.#install(name, property)
    if (this.#readers.size > 0) this.#methods.set('get_prop', (plug, names) => this.#getProp(plug, names))
    if (!this.#miot.isEmpty) for (const [name, method] of this.#miot.methods) this.#methods.set(name, method)
  }

  /** Executes a request on `plug`. @returns `undefined` where the firmware keeps silent */
  respond(request: FirmwareRequest, plug: FirmwareContext): FirmwareResponse | undefined {
    const method = this.#methods.get(request.method)
    const params = Array.isArray(request.params) ? request.params : [request.params]
    if (!method) return unknownMethod(plug.profile)
    const failure = this.#failureOf(request.method, params, plug.profile)
    if (failure === 'silence') return undefined
    if (failure) return {error: failure === ACK_TIMEOUT.code ? ACK_TIMEOUT : INVALID_JSON}
    return method(plug, params)
  }

  /** How a request fails that reads too many values, or a property that makes the firmware fail. */
  #failureOf(
    method: string,
    params: readonly unknown[],
    {batch, failingProperties = {}}: FirmwareProfile,
  ): FirmwareFailure | undefined {
    const isList = method === 'get_prop' || method === 'get_properties'
    if (batch && isList && params.length > batch.most) return batch.failure
    const requested = isList ? params : [method]
    const names = requested.flatMap(
      (item) => this.#propertyNames.get(String(item)) ?? this.#miot.namesAt(item),
    )
    return names.map((name) => failingProperties[name]).find(Boolean)
  }

  #install(name: string, property: Property): void {
    const {address} = property
    const read: Reader = (plug) => toRaw(property, plug.state[name] ?? null, plug.profile)
    switch (address.via) {
      case 'get_prop':
        this.#readers.set(address.name, read)
        this.#propertyNames.set(address.name, name)
        if (address.write) this.#installWrite(name, property, address.write)
        return
      case 'method':
        this.#methods.set(address.method, (plug) => ({result: [read(plug)]}))
        this.#propertyNames.set(address.method, name)
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
    this.#methods.set(write.on, (plug) => setSwitch(plug, name, ['on']))
    this.#methods.set(write.off, (plug) => setSwitch(plug, name, ['off']))
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
  if (property.kind === 'switch') return setSwitch(plug, name, params)
  const value = fromRaw(property, params[0])
  if (value === undefined) return {error: {code: -5001, message: 'params err'}}
  plug.state[name] = value
  return OK
}

/** The m1 walks over all parameters, acts on each that begins with on or off, and answers "ok" whatever they are (§3.1). */
function setSwitch(plug: FirmwareContext, name: string, params: readonly unknown[]): FirmwareResponse {
  for (const param of params) {
    const text = String(param)
    if (text.startsWith('on') || param === true) plug.state[name] = 'ON'
    else if (text.startsWith('off') || param === false) plug.state[name] = 'OFF'
  }
  return OK
}

function unknownMethod({unknownMethod: error = METHOD_NOT_FOUND}: FirmwareProfile) {
  return error === 'silence' ? undefined : {error}
}

/** The result of `miIO.info` (docs/protocol.md §4). */
function info(id: string, {did, token, address, uptimeS, rssi, profile}: FirmwareContext) {
  const serial = (did >>> 0).toString(16).padStart(8, '0').toUpperCase()
  return {
    life: uptimeS,
    model: id,
    ...(profile.infoShowsToken ? {token: token.toString('hex')} : {}),
    fw_ver: profile.firmware ?? (profile.generation === 'old' ? '1.2.4_16' : '2.0.4_0026'),
    hw_ver: 'MW300',
    mac: `28:6C:07:${serial.slice(2, 4)}:${serial.slice(4, 6)}:${serial.slice(6)}`,
    mmfree: 30312,
    ap: {ssid: 'simulated', bssid: 'F0:B4:29:00:00:01', rssi, primary: 6},
    netif: {localIp: address, mask: '255.0.0.0', gw: '127.0.0.1'},
  }
}

/**
 * Simulated firmware: executes a miIO request on a plug and makes the response (docs/protocol.md §1.7, §1.8, §3.1, §3.2). All
 * methods are derived from the definition of the model. Pure: no I/O, no clock.
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
import {fromRaw, toRaw} from './raw-values.ts'

type Method = (plug: FirmwareContext, params: readonly unknown[]) => FirmwareResponse
type Reader = (plug: FirmwareContext) => RawValue
type NamedProperty = readonly [name: string, property: Property]
type MiotItem = Record<string, unknown>

const OK: FirmwareResponse = {result: ['ok']}
/** Codes of single items in a MIoT response (docs/protocol.md §1.8). */
const NOT_WRITABLE = -4002
const NOT_FOUND = -4003
const WRONG_VALUE = -4005

const cache = new WeakMap<Model, Firmware>()

/** The firmware of `model`. One instance serves all plugs with the same definition. */
export function firmwareOf(model: Model): Firmware {
  const firmware = cache.get(model) ?? new Firmware(model)
  cache.set(model, firmware)
  return firmware
}

/** The firmware of one model. It has no state: everything that belongs to a single plug comes with the request. */
export class Firmware {
  readonly #methods = new Map<string, Method>()
  readonly #readers = new Map<string, Reader>()
  /** Name in `get_prop`, or method -> name of the property whose value it returns. */
  readonly #propertyNames = new Map<string, string>()
  readonly #miot: MiotMethods
  readonly #model: Model

  constructor(model: Model) {
    this.#model = model
    this.#miot = new MiotMethods(model)
    this.#methods.set('miIO.info', (plug) => ({result: info(plug)}))
    for (const [name, property] of Object.entries(model.properties)) this.#install(name, property)
    if (this.#readers.size > 0) this.#methods.set('get_prop', (plug, names) => this.#getProp(plug, names))
    this.#miot.addTo(this.#methods)
  }

  /** Executes a request on `plug`. @returns `undefined` where the firmware does not respond */
  respond(request: FirmwareRequest, plug: FirmwareContext): FirmwareResponse | undefined {
    const method = this.#methods.get(request.method)
    const params = paramsOf(request)
    const {unknownMethod = METHOD_NOT_FOUND} = plug.profile
    if (!method) return unknownMethod === 'silence' ? undefined : {error: unknownMethod}
    const failure = this.#failureOf(request.method, params, plug.profile)
    if (failure === 'silence' || failure === 'reboot') return undefined
    if (failure) return {error: failure === ACK_TIMEOUT.code ? ACK_TIMEOUT : INVALID_JSON}
    return method(plug, params)
  }

  /** Whether a request, which has no response, makes the firmware reboot. */
  isFatal(request: FirmwareRequest, {profile}: FirmwareContext): boolean {
    return this.#failureOf(request.method, paramsOf(request), profile) === 'reboot'
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

/** The MIoT methods of the firmware of one model. Every item of a request gets a code of its own (docs/protocol.md §3.2). */
class MiotMethods {
  /** By `siid.piid`. Several properties may be derived from one fault code, and so share an address. */
  readonly #properties = new Map<string, NamedProperty[]>()
  /** `siid.aiid` */
  readonly #actions = new Set<string>()

  constructor({properties}: Model) {
    for (const [name, property] of Object.entries(properties)) this.#install(name, property)
  }

  /** Adds the methods, unless the model has no MIoT property. */
  addTo(methods: Map<string, Method>): void {
    if (this.#properties.size === 0) return
    methods.set('get_properties', (plug, items) =>
      responseToEach(items, plug, (item) => this.#get(plug, item)),
    )
    methods.set('set_properties', (plug, items) =>
      responseToEach(items, plug, (item) => this.#set(plug, item)),
    )
    methods.set('action', (_plug, [item]) => ({result: this.#act(isItem(item) ? item : {})}))
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

  #get(plug: FirmwareContext, item: MiotItem): MiotItem {
    const properties = this.#at(item)
    const code = codeOf(properties, plug.profile)
    return code === 0 ? {code, value: rawOf(properties, plug)} : {code}
  }

  #set(plug: FirmwareContext, item: MiotItem): MiotItem {
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

  #act({did, siid, aiid}: MiotItem): MiotItem {
    return {did, siid, aiid, code: this.#actions.has(`${siid}.${aiid}`) ? 0 : NOT_FOUND, out: []}
  }

  #at({siid, piid}: MiotItem): readonly NamedProperty[] {
    return this.#properties.get(`${siid}.${piid}`) ?? []
  }
}

/** The results of all items, listed as this firmware sends them. */
function responseToEach(
  items: readonly unknown[],
  {profile: {maxItems, reversed, withoutDid}}: FirmwareContext,
  execute: (item: MiotItem) => MiotItem,
): FirmwareResponse {
  const result = items
    .slice(0, maxItems)
    .filter(isItem)
    .map((item) => {
      const {did, siid, piid} = item
      return {...(withoutDid ? {} : {did}), siid, piid, ...execute(item)}
    })
  return {result: reversed ? result.reverse() : result}
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

function paramsOf({params}: FirmwareRequest): readonly unknown[] {
  return Array.isArray(params) ? params : [params]
}

function isItem(item: unknown): item is MiotItem {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
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

/** The m1 walks over all parameters, acts on each that begins with on or off, and responds "ok" in any case (§3.1). */
function setSwitch(plug: FirmwareContext, name: string, params: readonly unknown[]): FirmwareResponse {
  for (const param of params) {
    const text = String(param)
    if (text.startsWith('on') || param === true) plug.state[name] = 'ON'
    else if (text.startsWith('off') || param === false) plug.state[name] = 'OFF'
  }
  return OK
}

/** The result of `miIO.info` (docs/protocol.md §4). */
function info({modelId, did, token, address, uptimeS, rssi, profile}: FirmwareContext) {
  const serial = (did >>> 0).toString(16).padStart(8, '0').toUpperCase()
  return {
    life: uptimeS,
    model: modelId,
    ...(profile.infoShowsToken ? {token: token.toString('hex')} : {}),
    fw_ver: profile.firmware ?? (profile.generation === 'old' ? '1.2.4_16' : '2.0.4_0026'),
    hw_ver: 'MW300',
    mac: `28:6C:07:${serial.slice(2, 4)}:${serial.slice(4, 6)}:${serial.slice(6)}`,
    mmfree: 30312,
    ap: {ssid: 'simulated', bssid: 'F0:B4:29:00:00:01', rssi, primary: 6},
    netif: {localIp: address, mask: '255.0.0.0', gw: '127.0.0.1'},
  }
}

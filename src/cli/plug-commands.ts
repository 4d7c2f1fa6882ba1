/** The commands for one plug: `info`, `status`, `get`, `set` and `call`. Each sends its request and prints the answer. */
import {z} from 'zod'
import {quoted} from '../config/config-error.ts'
import {propertiesInTier} from '../device/codec/property-codec.ts'
import {suggestProperty} from '../device/codec/validation.ts'
import {isWritable, type State} from '../device/codec/values.ts'
import {parseIdentity} from '../device/model-resolver.ts'
import {callProblem, withoutSecrets} from '../device/raw-calls.ts'
import type {Model} from '../models/model.ts'
import {CommandFailed, UsageError} from './errors.ts'
import type {PlugSession} from './plug-session.ts'
import {span, type Terminal} from './terminal.ts'

/** A session with a plug, and what the command line has for it. */
export interface PlugCommandContext extends PlugSession {
  name: string
  /** The topic of the state that a running bridge publishes; `undefined` for a plug that is not configured. */
  topic: string | undefined
  /** The words after the plug. */
  words: readonly string[]
  terminal: Terminal
}

/** `info`: the answer to `miIO.info`, without its secrets: token, Wi-Fi name, account. */
export async function info({name, client, catalogue, deadline, terminal}: PlugCommandContext): Promise<void> {
  const response = await client.call('miIO.info', [], {deadline})
  const {model = null, firmware = null, hardware = null, mac = null} = parseIdentity(response)
  const box = model === null ? null : (catalogue.find(model)?.name ?? null)
  const {uptime, rssi} = parseVitals(response)
  const identity = {
    name,
    model,
    box,
    firmware,
    hardware,
    mac,
    did: client.did ?? null,
    address: client.host ?? null,
  }
  const shown = {
    name,
    model,
    product: box ?? 'not supported yet: `miio2mqtt probe` queries its values',
    firmware,
    hardware,
    mac,
    'device id': identity.did,
    address: identity.address,
    'up for': uptime === null ? null : span(uptime),
    signal: rssi === null ? null : `${rssi} dBm`,
  }
  terminal.result({...identity, uptime, rssi}, terminal.facts(withoutNulls(shown)))
}

/** `status`: the state of a plug, read now. */
export async function status({device, deadline, terminal}: PlugCommandContext): Promise<void> {
  const state = withoutRareValues(await device.read(deadline), device.model)
  terminal.result(state, terminal.facts(withUnits(state, device.model)))
}

/** `get`: one property, read now. */
export async function get({
  device,
  deadline,
  topic,
  words: [property = ''],
  terminal,
}: PlugCommandContext): Promise<void> {
  await device.ready({deadline})
  expectOneOf(Object.keys(device.state), property)
  if (device.model?.properties[property]?.address.via === 'bridge')
    throw new CommandFailed(
      `${property} is counted by the running bridge, the plug does not report it\n` +
        `It is in the state that the bridge publishes: ${topic === undefined ? 'miio2mqtt/<name of the plug>' : topic}`,
      {code: 'bridge_only'},
    )
  const {[property]: value = null} = await device.read(deadline, property)
  terminal.result(value, String(value ?? 'unknown'))
}

/** `set`, `on`, `off` and `toggle`: writes one property. */
export async function set(
  {name, device, deadline, terminal}: PlugCommandContext,
  property = '',
  value = '',
): Promise<void> {
  await device.ready({deadline})
  const {properties = {}} = device.model ?? {}
  const writable = Object.entries(properties).filter(([, each]) => isWritable(each))
  expectOneOf(
    Object.keys(properties),
    property,
    writable.map(([name]) => name),
  )
  const done = await device.set(property, value, deadline)
  const isButton = properties[property]?.kind === 'button'
  terminal.result({[property]: done}, `${name}: ${property} ${isButton ? 'is pressed' : `is ${done}`}`)
}

/** `call`: a raw miIO call, answered without its secrets. */
export async function call({
  client,
  deadline,
  words: [method = '', params = '[]'],
  terminal,
}: PlugCommandContext): Promise<void> {
  const problem = callProblem(method)
  if (problem) throw new UsageError(problem)
  // One try only: this call may not be repeatable. `toggle_220v` twice changes nothing.
  const answer = await client.call(method, parseParams(params), {deadline, tries: 1})
  terminal.data(withoutSecrets(answer))
}

/** @param suggested the properties of which one may be suggested @throws UsageError */
function expectOneOf(known: readonly string[], property: string, suggested = known): void {
  if (known.includes(property)) return
  const closest = suggestProperty(property, suggested)
  const advice = closest === undefined ? '' : `, did you mean "${closest}"?`
  throw new UsageError(`expected one of ${known.join(', ')}, got ${quoted(property)}${advice}`)
}

/** The state without `rare` properties and those of the bridge, which were not read from the plug. */
function withoutRareValues(state: Readonly<State>, model: Model | undefined): State {
  if (!model) return state
  const requested = propertiesInTier(model, 'slow').filter(
    (name) => model.properties[name]?.address.via !== 'bridge',
  )
  return Object.fromEntries(requested.flatMap((name) => (name in state ? [[name, state[name] ?? null]] : [])))
}

function withUnits(state: Readonly<State>, model: Model | undefined): Record<string, unknown> {
  const entries = Object.entries(state).map(([name, value]) => {
    const property = model?.properties[name]
    const unit = property && 'unit' in property ? property.unit : undefined
    return [name, unit && value !== null ? `${value} ${unit}` : value]
  })
  return Object.fromEntries(entries)
}

/** From `miIO.info`: seconds since the plug was plugged in, and its Wi-Fi signal in dBm (docs/protocol.md §4). */
function parseVitals(info: unknown): {uptime: number | null; rssi: number | null} {
  const parsed = vitalsSchema.safeParse(info)
  return {uptime: parsed.data?.life ?? null, rssi: parsed.data?.ap?.rssi ?? null}
}

const vitalsSchema = z.object({
  life: z.number().int().nonnegative().optional().catch(undefined),
  ap: z.object({rssi: z.number().negative()}).optional().catch(undefined),
})

function withoutNulls(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
}

function parseParams(params: string): unknown {
  try {
    return JSON.parse(params)
  } catch {
    throw new UsageError(`expected the params as JSON, such as '["power"]', got ${quoted(params)}`)
  }
}

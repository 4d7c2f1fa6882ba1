/** What each command asks of its plug, and how it tells the answer. */
import {z} from 'zod'
import {quoted} from '../config/config-error.ts'
import {propertiesInTier} from '../device/codec/property-codec.ts'
import {meantProperty} from '../device/codec/unknown-property.ts'
import {isWritable, type State} from '../device/codec/values.ts'
import {parseIdentity} from '../device/model-resolver.ts'
import {callProblem, withoutSecrets} from '../device/raw-calls.ts'
import type {Model} from '../models/model.ts'
import {CommandFailed, UsageError} from './errors.ts'
import type {PlugSession} from './plug-session.ts'
import {span, type Terminal} from './terminal.ts'

/** A command that reached its plug. */
export interface PlugCommandContext extends PlugSession {
  name: string
  /** Where the running bridge tells its state; `undefined` for a plug that is in no configuration. */
  topic: string | undefined
  /** What was typed after the plug. */
  words: readonly string[]
  terminal: Terminal
}

/** What `miIO.info` tells, without what is nobody's business: token, Wi-Fi name, account. */
export async function info({name, client, catalogue, deadline, terminal}: PlugCommandContext): Promise<void> {
  const told = await client.call('miIO.info', [], {deadline})
  const {model = null, firmware = null, hardware = null, mac = null} = parseIdentity(told)
  const box = model === null ? null : (catalogue.find(model)?.name ?? null)
  const {uptime, rssi} = vitals(told)
  const who = {
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
    product: box ?? 'not described yet: `probe` looks what it can tell',
    firmware,
    hardware,
    mac,
    id: who.did,
    address: who.address,
    'up for': uptime === null ? null : span(uptime),
    signal: rssi === null ? null : `${rssi} dBm`,
  }
  terminal.result({...who, uptime, rssi}, terminal.facts(withoutNulls(shown)))
}

export async function status({device, deadline, terminal}: PlugCommandContext): Promise<void> {
  const state = readNow(await device.read(deadline), device.model)
  terminal.result(state, terminal.facts(withUnits(state, device.model)))
}

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
      `only the running bridge knows ${property}: the plug does not tell it\n` +
        `It is in the state that the bridge publishes: ${topic === undefined ? 'miio2mqtt/<name of the plug>' : topic}`,
      {code: 'bridge_only'},
    )
  const {[property]: value = null} = await device.read(deadline, property)
  terminal.result(value, String(value ?? 'unknown'))
}

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

export async function call({
  client,
  deadline,
  words: [method = '', params = '[]'],
  terminal,
}: PlugCommandContext): Promise<void> {
  const problem = callProblem(method)
  if (problem) throw new UsageError(problem)
  // Once only: nobody knows whether this call may be repeated, and `toggle_220v` twice is not at all.
  const answer = await client.call(method, parsed(params), {deadline, tries: 1})
  terminal.data(withoutSecrets(answer))
}

/** @param possible those that may have been meant */
function expectOneOf(known: readonly string[], property: string, possible = known): void {
  if (known.includes(property)) return
  const meant = meantProperty(property, possible)
  const advice = meant === undefined ? '' : `, did you mean "${meant}"?`
  throw new UsageError(`expected one of ${known.join(', ')}, got ${quoted(property)}${advice}`)
}

/** Without what is hardly ever read, and what only the bridge knows: nobody asked the plug for these. */
function readNow(state: Readonly<State>, model: Model | undefined): State {
  if (!model) return state
  const asked = propertiesInTier(model, 'slow').filter(
    (name) => model.properties[name]?.address.via !== 'bridge',
  )
  return Object.fromEntries(asked.flatMap((name) => (name in state ? [[name, state[name] ?? null]] : [])))
}

function withUnits(state: Readonly<State>, model: Model | undefined): Record<string, unknown> {
  const entries = Object.entries(state).map(([name, value]) => {
    const property = model?.properties[name]
    const unit = property && 'unit' in property ? property.unit : undefined
    return [name, unit && value !== null ? `${value} ${unit}` : value]
  })
  return Object.fromEntries(entries)
}

/** Seconds since it was plugged in, and how well it hears its access point, in dBm (docs/protocol.md §4). */
function vitals(info: unknown): {uptime: number | null; rssi: number | null} {
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

function parsed(params: string): unknown {
  try {
    return JSON.parse(params)
  } catch {
    throw new UsageError(`expected the params as JSON, such as '["power"]', got ${quoted(params)}`)
  }
}

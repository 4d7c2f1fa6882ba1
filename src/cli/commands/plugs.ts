/**
 * `miio2mqtt info|status|on|off|toggle|get|set|probe|call`: commands that call plugs directly, without a running bridge; some of them all
 * plugs, or those of a group.
 */
import * as z from 'zod'
import {quoted} from '../../common/schema-errors.ts'
import {propertiesInTier} from '../../device/codec/property-codec.ts'
import {suggestProperty} from '../../device/codec/validation.ts'
import {isWritable, type State} from '../../device/codec/values.ts'
import {parseIdentity} from '../../device/model-resolver.ts'
import {callProblem, withoutSecrets} from '../../device/raw-calls.ts'
import type {Model} from '../../models/model.ts'
import {CommandFailed, UsageError} from '../errors.ts'
import {printStatusTable, switchAll} from '../many-plugs.ts'
import {type PlugSession, type PlugSessionOptions, withPlug} from '../plug-session.ts'
import {findTargets, type PlugTarget, type PlugTargetOptions} from '../plug-target.ts'
import {span, type Terminal} from '../terminal.ts'
import {probe} from './probe.ts'

/** The names of the commands. */
export type PlugVerb = 'info' | 'status' | 'on' | 'off' | 'toggle' | 'get' | 'set' | 'probe' | 'call'

interface PlugAction {
  /** @param words those after the plug */
  run: (session: PlugSession, terminal: Terminal, words: readonly string[]) => Promise<void>
  /** For a group or all plugs; missing where the command is for one plug only. */
  runAll?: (targets: readonly PlugTarget[], options: PlugSessionOptions) => Promise<void>
}

const actions: Record<PlugVerb, PlugAction> = {
  info: {run: info},
  status: {run: status, runAll: printStatusTable},
  on: switchAction('ON'),
  off: switchAction('OFF'),
  toggle: switchAction('TOGGLE'),
  get: {run: get},
  set: {run: set},
  probe: {run: probe},
  call: {run: call},
}

function switchAction(value: 'ON' | 'OFF' | 'TOGGLE'): PlugAction {
  return {
    run: (session, terminal) => set(session, terminal, ['state', value]),
    runAll: (targets, options) => switchAll(targets, value, options),
  }
}

/**
 * Runs a command for the plugs that the command line names.
 * @param usage the plug and the words after it, such as `<plug> <method> [params]`; `[plug]` where the plug may be left out
 * @param typed the words of the command line
 * @throws CommandFailed
 */
export async function runPlugCommand(
  verb: PlugVerb,
  usage: string,
  typed: readonly string[],
  options: PlugTargetOptions & {debug?: boolean; fixture?: boolean},
  terminal: Terminal,
): Promise<void> {
  const {host, debug, fixture} = options
  const [name, words] = host === undefined ? [typed[0], typed.slice(1)] : [undefined, typed]
  const [plug, ...places] = usage.split(' ')
  if (name !== undefined || host !== undefined) expectWords(places, words)
  else if (plug === '<plug>')
    throw new UsageError('which plug? Give its name in the configuration, or --host and --token')
  const targets = await findTargets(name, options, terminal)
  const {run, runAll} = actions[verb]
  const sessionOptions = {terminal, debug, record: fixture}
  if (!('members' in targets))
    return withPlug(targets, sessionOptions, (session) => run(session, terminal, words))
  if (runAll) return runAll(targets.members, sessionOptions)
  const names = targets.members.map((member) => member.name).join(', ')
  throw new UsageError(
    `${JSON.stringify(targets.group)} is a group, and \`${verb}\` is for one plug: ${names}`,
  )
}

/** @param places such as `<method>` and `[params]` @throws UsageError for too few or too many words */
function expectWords(places: readonly string[], words: readonly string[]): void {
  const missing = places.slice(words.length).find((place) => place.startsWith('<'))
  if (missing) throw new UsageError(`expected ${places.join(' ')} after the plug, got no ${missing}`)
  const [extra] = words.slice(places.length)
  if (extra === undefined) return
  throw new UsageError(`expected ${places.join(' ') || 'nothing'} after the plug, got also ${quoted(extra)}`)
}

/** `info`: the response to `miIO.info`, without its secrets: token, Wi-Fi name, account. */
async function info({target, client, deadline}: PlugSession, terminal: Terminal): Promise<void> {
  const {name, catalogue} = target
  const response = await client.call('miIO.info', [], {deadline})
  const {model = null, firmware = null, hardware = null, mac = null} = parseIdentity(response)
  const product = catalogue.find(model ?? '')?.name ?? null
  const {did = null, host: address = null} = client
  const {life: uptime = null, ap} = vitals.safeParse(response).data ?? {}
  const rssi = ap?.rssi ?? null
  const shown = {
    name,
    model,
    product: product ?? 'not supported yet: `miio2mqtt probe` queries its values',
    firmware,
    hardware,
    mac,
    'device id': did,
    address,
    'up for': uptime === null ? null : span(uptime),
    signal: rssi === null ? null : `${rssi} dBm`,
  }
  const known = Object.entries(shown).filter(([, value]) => value !== null)
  terminal.result(
    {name, model, box: product, firmware, hardware, mac, did, address, uptime, rssi},
    terminal.facts(Object.fromEntries(known)),
  )
}

/** In a response to `miIO.info`: seconds since the plug was plugged in, and its Wi-Fi signal in dBm (docs/protocol.md §4). */
const vitals = z.object({
  life: z.number().int().nonnegative().optional().catch(undefined),
  ap: z.object({rssi: z.number().negative()}).optional().catch(undefined),
})

/** `status`: the state of a plug, read now. */
async function status({device, deadline}: PlugSession, terminal: Terminal): Promise<void> {
  const state = withoutRareValues(await device.read(deadline), device.model)
  terminal.result(state, terminal.facts(withUnits(state, device.model)))
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

/** `get`: one property, read now. */
async function get(
  {target, device, deadline}: PlugSession,
  terminal: Terminal,
  [property = '']: readonly string[],
): Promise<void> {
  await device.ready({deadline})
  expectOneOf(Object.keys(device.state), property)
  if (device.model?.properties[property]?.address.via === 'bridge')
    throw new CommandFailed(
      `${property} is counted by the running bridge, the plug does not report it\n` +
        `It is in the state that the bridge publishes: ${target.topic ?? 'miio2mqtt/<name of the plug>'}`,
      {code: 'bridge_only'},
    )
  const {[property]: value = null} = await device.read(deadline, property)
  terminal.result(value, String(value ?? 'unknown'))
}

/** `set`, `on`, `off` and `toggle`: writes one property. */
async function set(
  {target, device, deadline}: PlugSession,
  terminal: Terminal,
  [property = '', value = '']: readonly string[],
): Promise<void> {
  await device.ready({deadline})
  const {properties = {}} = device.model ?? {}
  const writable = Object.keys(properties).filter((name) => properties[name] && isWritable(properties[name]))
  expectOneOf(Object.keys(properties), property, writable)
  const done = await device.set(property, value, deadline)
  const isButton = properties[property]?.kind === 'button'
  terminal.result({[property]: done}, `${target.name}: ${property} is ${isButton ? 'pressed' : done}`)
}

/** @param suggested the properties of which one may be suggested @throws UsageError */
function expectOneOf(known: readonly string[], property: string, suggested = known): void {
  if (known.includes(property)) return
  const closest = suggestProperty(property, suggested)
  const advice = closest === undefined ? '' : `, did you mean "${closest}"?`
  throw new UsageError(`expected one of ${known.join(', ')}, got ${quoted(property)}${advice}`)
}

/** `call`: a raw miIO call. Prints the result without its secrets. */
async function call(
  {client, deadline}: PlugSession,
  terminal: Terminal,
  [method = '', params = '[]']: readonly string[],
): Promise<void> {
  const problem = callProblem(method)
  if (problem) throw new UsageError(problem)
  // One try only: this call may not be repeatable. `toggle_220v` twice changes nothing.
  const result = await client.call(method, parseParams(params), {deadline, tries: 1})
  terminal.data(withoutSecrets(result))
}

function parseParams(params: string): unknown {
  try {
    return JSON.parse(params)
  } catch {
    throw new UsageError(`expected the params as JSON, such as '["power"]', got ${quoted(params)}`)
  }
}

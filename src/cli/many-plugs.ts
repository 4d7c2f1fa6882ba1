/** Commands for several plugs, all of the configuration or those of a group: the status table, and switching. */
import {toggleTarget} from '../bridge/commands/execute-command.ts'
import {systemClock} from '../common/clock.ts'
import {count} from '../common/text.ts'
import type {Value} from '../models/model.ts'
import {CommandFailed} from './errors.ts'
import {type PlugOutcome, type PlugSession, type PlugSessionOptions, withPlugs} from './plug-session.ts'
import type {PlugTarget} from './plug-target.ts'

const HEAD = ['name', 'product', 'state', 'power', 'address', 'signal', 'answer']
const NO_PLUGS = 'no plugs are configured yet: `miio2mqtt discover` lists those on this network'
const DISABLED = {code: 'disabled', message: 'disabled in the configuration, not contacted'}

/** Prints a table of the plugs, one a line. @throws CommandFailed when one of them did not respond */
export async function printStatusTable(
  targets: readonly PlugTarget[],
  options: PlugSessionOptions,
): Promise<void> {
  const {terminal} = options
  const outcomes = await withPlugs(enabled(targets), options, readPlug)
  const rows = resultsOf(targets, outcomes).map(({target, value, error}) => ({
    name: target.name,
    ...(value ?? configuredPlug(target)),
    error,
  }))
  const table = terminal.table(HEAD, rows.map(cellsOf), {shrinking: ['name'], optional: 'product'})
  terminal.result(rows, targets.length > 0 ? table : NO_PLUGS)
  throwIfFailed(outcomes)
}

/** The row of a plug in the status table, which is also its JSON. */
interface StatusRow extends PlugReading {
  name: string
  error: PlugError | null
}

/** What a plug reports for its row. */
interface PlugReading {
  model: string | null
  product: string | null
  state: Value
  /** Watts. */
  power: Value
  address: string | null
  did: number | null
  /** dBm */
  rssi: Value
  /** Median time until a response, milliseconds. */
  latency: number | null
}

async function readPlug({client, device, deadline}: PlugSession): Promise<PlugReading> {
  await device.ready({deadline})
  const signal = device.model && 'rssi' in device.model.properties ? 'rssi' : undefined
  const {state = null, power = null, rssi = null} = await device.read(deadline, signal)
  return {
    model: device.identity.model ?? null,
    product: device.model?.name ?? null,
    state,
    power,
    address: client.host ?? null,
    did: client.did ?? null,
    rssi,
    latency: client.stats.p50 === undefined ? null : Math.round(client.stats.p50),
  }
}

/** The row of a plug that was not read. */
function configuredPlug({host, model, id, catalogue}: PlugTarget): PlugReading {
  return {
    model: model ?? null,
    product: catalogue.find(model ?? '')?.name ?? null,
    state: null,
    power: null,
    address: host ?? null,
    did: id ?? null,
    rssi: null,
    latency: null,
  }
}

function cellsOf({name, product, model, state, power, address, rssi, latency, error}: StatusRow): string[] {
  if (error) return [name, address === null ? error.message : `${address}: ${error.message}`]
  return [
    name,
    // The name of a product up to its comma; the rest lists its equipment.
    product?.split(',')[0] ?? model ?? '',
    String(state ?? 'unknown'),
    typeof power === 'number' ? `${power < 100 ? Number(power.toFixed(1)) : Math.round(power)} W` : '',
    address ?? '',
    rssi === null ? '' : `${rssi} dBm`,
    latency === null ? '' : `${latency} ms`,
  ]
}

/**
 * Switches all plugs. `TOGGLE` switches all off when one is on, and all on when none is, as over MQTT.
 * @throws CommandFailed when one of them failed
 */
export async function switchAll(
  targets: readonly PlugTarget[],
  value: 'ON' | 'OFF' | 'TOGGLE',
  options: PlugSessionOptions,
): Promise<void> {
  const active = enabled(targets)
  const outcomes = value === 'TOGGLE' ? await toggle(active, options) : await switchTo(active, value, options)
  const rows = resultsOf(targets, outcomes).map(({target, value: state, error}) => ({
    name: target.name,
    state,
    error,
  }))
  const lines = rows.map(({name, state, error}) => `${name}: ${error ? error.message : `state is ${state}`}`)
  options.terminal.result(rows, lines.join('\n'))
  throwIfFailed(outcomes)
}

function switchTo(
  targets: readonly PlugTarget[],
  value: 'ON' | 'OFF',
  options: PlugSessionOptions,
): Promise<PlugOutcome<Value>[]> {
  return withPlugs(targets, options, async ({device, deadline}) => {
    await device.ready({deadline})
    return device.set('state', value, deadline)
  })
}

/** Milliseconds for reading the relays before a toggle: the first limit for all plugs, the second when none has responded by then. */
const READ_LIMITS_MS = [2000, 10_000]

/** All plugs get the same value, decided by the relays that could be read. Where none could be read, nothing is switched. */
async function toggle(
  targets: readonly PlugTarget[],
  options: PlugSessionOptions,
): Promise<PlugOutcome<Value>[]> {
  let outcomes: PlugOutcome<Value>[] = []
  for (const limit of READ_LIMITS_MS) {
    outcomes = await withPlugs(targets, options, async ({device}) => {
      const deadline = systemClock.now() + limit
      await device.ready({deadline})
      return device.readProperty('state', deadline)
    })
    const states = outcomes.map((outcome) => ('value' in outcome ? outcome.value : null))
    const target = toggleTarget(states)
    if (target !== undefined) return switchTo(targets, target, options)
  }
  const unknownState = new CommandFailed('cannot toggle: the plug does not report whether it is on')
  return outcomes.map((outcome) =>
    'failure' in outcome ? outcome : {target: outcome.target, failure: unknownState},
  )
}

function enabled(targets: readonly PlugTarget[]): PlugTarget[] {
  return targets.filter(({disabled}) => !disabled)
}

interface PlugError {
  code: string
  /** The title of the failure, without its details and advice. */
  message: string
}

/** The value or the error of each plug; that of a disabled plug, which was not called, is `DISABLED`. */
function resultsOf<T>(
  targets: readonly PlugTarget[],
  outcomes: readonly PlugOutcome<T>[],
): {target: PlugTarget; value: T | null; error: PlugError | null}[] {
  const byName = new Map(outcomes.map((outcome) => [outcome.target.name, outcome]))
  return targets.map((target) => {
    const outcome = byName.get(target.name)
    if (!outcome) return {target, value: null, error: DISABLED}
    if ('value' in outcome) return {target, value: outcome.value, error: null}
    const {code, message} = outcome.failure
    return {target, value: null, error: {code, message: message.split('\n')[0] ?? message}}
  })
}

/** @throws CommandFailed with the number of failures, and the command that shows the first one in full */
function throwIfFailed(outcomes: readonly PlugOutcome<unknown>[]): void {
  const failures = outcomes.flatMap((outcome) => ('failure' in outcome ? [outcome.target.name] : []))
  const [first] = failures
  if (first !== undefined)
    throw new CommandFailed(
      `${failures.length} of ${count(outcomes.length, 'plug')} failed: see \`miio2mqtt status ${first}\``,
    )
}

/** What commands do with several plugs: all that are configured, or those of a group. All are asked side by side. */
import {toggleTarget} from '../bridge/commands/execute-command.ts'
import {systemClock} from '../common/clock.ts'
import type {Value} from '../models/model.ts'
import {CommandFailed} from './errors.ts'
import {type PlugOutcome, type PlugSession, type PlugSessionOptions, withPlugs} from './plug-session.ts'
import type {PlugTarget} from './plug-target.ts'
import {fitted} from './table-layout.ts'
import {count} from './terminal.ts'

/** A row of the table: what a plug answered. */
interface PlugRow {
  model: string | null
  product: string | null
  state: Value
  /** Watts. */
  power: Value
  address: string | null
  did: number | null
  /** dBm */
  rssi: Value
  /** Milliseconds until half of its answers came. */
  latency: number | null
}

const NO_ANSWER: PlugRow = {
  model: null,
  product: null,
  state: null,
  power: null,
  address: null,
  did: null,
  rssi: null,
  latency: null,
}

/** A table of the plugs, one a line. @throws CommandFailed when one of them did not answer */
export async function printStatusTable(
  targets: readonly PlugTarget[],
  options: PlugSessionOptions,
): Promise<void> {
  const {terminal} = options
  const outcomes = await withPlugs(inUse(targets), options, look)
  const by = new Map(outcomes.map((outcome) => [outcome.target.name, outcome]))
  const rows = targets.map((target) => rowOf(target, by.get(target.name)))
  const lines = fitted(
    HEAD,
    rows.map(({name, error, ...told}) => (error ? [name, excuse(error, told)] : [name, ...cells(told)])),
    terminal,
  )
  terminal.result(rows, targets.length > 0 ? lines : NO_PLUGS)
  complain(outcomes)
}

const HEAD = ['name', 'product', 'state', 'power', 'address', 'signal', 'answer']
const NO_PLUGS = 'no plugs are configured yet: `miio2mqtt discover` lists those on this network'

/** Switches all of them. `TOGGLE` switches them off when one is on, and on when none is, as over MQTT. @throws CommandFailed when that failed with one */
export async function switchAll(
  targets: readonly PlugTarget[],
  wanted: 'ON' | 'OFF' | 'TOGGLE',
  options: PlugSessionOptions,
): Promise<void> {
  const {terminal} = options
  const active = inUse(targets)
  const outcomes =
    wanted === 'TOGGLE' ? await toggled(active, options) : await switched(active, wanted, options)
  const by = new Map(outcomes.map((outcome) => [outcome.target.name, outcome]))
  const rows = targets.map(({name}) => {
    const outcome = by.get(name)
    const state = outcome && 'value' in outcome ? outcome.value : null
    return {name, state, error: outcome ? errorOf(outcome) : DISABLED}
  })
  const lines = rows.map(({name, state, error}) => `${name}: ${error ? error.message : `state is ${state}`}`)
  terminal.result(rows, lines.join('\n'))
  complain(outcomes)
}

const DISABLED = {code: 'disabled', message: 'disabled in the configuration, and not asked'}

function switched(
  targets: readonly PlugTarget[],
  value: 'ON' | 'OFF',
  options: PlugSessionOptions,
): Promise<PlugOutcome<Value>[]> {
  return withPlugs(targets, options, async ({device, deadline}) => {
    await device.ready({deadline})
    return device.set('state', value, deadline)
  })
}

/** Milliseconds for reading the relays before a toggle: the first for all plugs, the second when none has answered by then. */
const READ_PATIENCE_MS = [2000, 10_000]

/** All plugs get the same value, decided by the relays that could be read. Where none could be read, nothing is switched. */
async function toggled(
  targets: readonly PlugTarget[],
  options: PlugSessionOptions,
): Promise<PlugOutcome<Value>[]> {
  let outcomes: PlugOutcome<Value>[] = []
  for (const patience of READ_PATIENCE_MS) {
    outcomes = await withPlugs(targets, options, async ({device}) => {
      const deadline = systemClock.now() + patience
      await device.ready({deadline})
      return device.ask('state', deadline)
    })
    const states = outcomes.map((outcome) => ('value' in outcome ? outcome.value : null))
    const target = toggleTarget(states)
    if (target !== undefined) return switched(targets, target, options)
  }
  const untold = new CommandFailed('cannot toggle: the plug does not say whether it is on')
  return outcomes.map((outcome) =>
    'failure' in outcome ? outcome : {target: outcome.target, failure: untold},
  )
}

function inUse(targets: readonly PlugTarget[]): PlugTarget[] {
  return targets.filter(({disabled}) => !disabled)
}

async function look({client, device, deadline}: PlugSession): Promise<PlugRow> {
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

interface Row extends PlugRow {
  name: string
  error: {code: string; message: string} | null
}

/** @param outcome none for a plug that was not asked */
function rowOf(
  {name, host, model, id, catalogue}: PlugTarget,
  outcome: PlugOutcome<PlugRow> | undefined,
): Row {
  if (outcome && 'value' in outcome) return {name, ...outcome.value, error: null}
  const known = {
    model: model ?? null,
    product: (model === undefined ? undefined : catalogue.find(model)?.name) ?? null,
    address: outcome?.target.host ?? host ?? null,
    did: id ?? null,
  }
  return {name, ...NO_ANSWER, ...known, error: outcome ? errorOf(outcome) : DISABLED}
}

function cells({product, model, state, power, address, rssi, latency}: PlugRow): string[] {
  return [
    // The first words of a name are the product, the others what it has.
    product?.split(',')[0] ?? model ?? '',
    String(state ?? 'unknown'),
    typeof power === 'number' ? `${power < 100 ? Number(power.toFixed(1)) : Math.round(power)} W` : '',
    address ?? '',
    rssi === null ? '' : `${rssi} dBm`,
    latency === null ? '' : `${latency} ms`,
  ]
}

/** In one line: where it was asked, and what failed. */
function excuse({message}: {message: string}, {address}: Omit<PlugRow, 'name'>): string {
  return address === null ? message : `${address}: ${message}`
}

/** The first line of a failure is its heading: what failed. */
function errorOf(outcome: PlugOutcome<unknown>): {code: string; message: string} | null {
  if ('value' in outcome) return null
  const {code, message} = outcome.failure
  return {code, message: message.split('\n')[0] ?? message}
}

/** @throws CommandFailed when one failed: which, and where to read more */
function complain(outcomes: readonly PlugOutcome<unknown>[]): void {
  const failures = outcomes.flatMap((outcome) => ('failure' in outcome ? [outcome.target.name] : []))
  const [first] = failures
  if (first !== undefined)
    throw new CommandFailed(
      `${failures.length} of ${count(outcomes.length, 'plug')} failed; \`miio2mqtt status ${first}\` says more`,
    )
}

/** `simulate`: plugs that are not there, as real UDP servers on loopback addresses. */
import type {Command} from 'commander'
import {systemClock} from '../../common/clock.ts'
import {integer} from '../../config/schema/fields.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import type {Faults} from '../../simulator/faults/faults.ts'
import {LOOPBACK_BROADCAST, type SimulatedNetwork, simulate} from '../../simulator/simulated-network.ts'
import {UsageError} from '../errors.ts'
import {faultTable, InvalidFault, parseFaults} from '../fault-options.ts'
import {readOption} from '../options.ts'
import {interrupted} from '../signals.ts'
import {firstAddress, startSimulation} from '../simulated-plugs.ts'
import {count as counted, type Terminal} from '../terminal.ts'
import {loadCatalogue} from './check.ts'

interface Options {
  config?: string
  count: string
  model?: string[]
  address?: string
  seed: string
  fault?: string[]
}

const MOST_PLUGS = 100_000
const MOST_SEEDS = 999

export function simulateCommand(program: Command, terminal: Terminal): void {
  program
    .command('simulate')
    .description('plugs that are not there, as UDP servers on loopback addresses, port 54321')
    .option('-n, --count <number>', 'how many', '3')
    .option('-m, --model <id...>', 'which models, dealt out in turn; by default all of them')
    .option('--address <ip>', "the first plug's, 127.0.54.1 by default; the others follow one by one")
    .option('--seed <number>', 'the same seed makes the same ids and tokens', '1')
    .option('-f, --fault <fault...>', 'what goes wrong, see below')
    .addHelpText('after', () => `\nFaults:\n${faults(terminal)}`)
    .action((_options: unknown, command: Command) => run(command.optsWithGlobals<Options>(), terminal))
}

async function run(options: Options, terminal: Terminal): Promise<void> {
  const catalogue = await loadCatalogue(options.config, terminal)
  const neighbourhood = simulate({
    catalogue,
    count: readOption('--count', integer(1, MOST_PLUGS), options.count),
    ...(options.model ? {models: known(options.model, catalogue)} : {}),
    firstAddress: firstAddress(options.address),
    seed: readOption('--seed', integer(1, MOST_SEEDS), options.seed),
    faults: faultsIn(options.fault ?? []),
    clock: systemClock,
    random: Math.random,
  })
  const end = interrupted('SIGHUP')
  await startSimulation(neighbourhood)
  show(neighbourhood, terminal)
  await end
  await neighbourhood.stop()
  terminal.note(`${counted(neighbourhood.plugs.length, 'plug')} gone.`)
}

/** The tokens of simulated plugs are no secrets: nobody could talk to them without. */
function show(neighbourhood: SimulatedNetwork, terminal: Terminal): void {
  const rows = neighbourhood.plugs.map(({modelId, did, address, token}) => ({
    model: modelId,
    did,
    address,
    token: token.toString('hex'),
  }))
  const head = ['model', 'id', 'address', 'token']
  terminal.result(rows, terminal.table(head, rows.map(Object.values), {shrinking: ['model']}))
  const [first] = rows
  if (first && !terminal.json)
    terminal.note(`
In another terminal:
${terminal.command(`miio2mqtt discover --broadcast ${LOOPBACK_BROADCAST}`)}
${terminal.command(`miio2mqtt status --host ${first.address} --token ${first.token}`)}
${terminal.command(`miio2mqtt off --host ${first.address} --token ${first.token}`)}
Ctrl-C ends the simulation.`)
}

function faults(terminal: Terminal): string {
  const rows = [...faultTable.values()].map(({example, meaning}) => [example, meaning] as const)
  const indented = Object.fromEntries(rows.map(([example, meaning]) => [`  ${example}`, meaning]))
  return terminal.facts(indented)
}

function faultsIn(written: readonly string[]): Faults {
  try {
    return parseFaults(written)
  } catch (error) {
    if (error instanceof InvalidFault) throw new UsageError(`--fault: ${error.message}`)
    throw error
  }
}

function known(ids: readonly string[], {ids: all}: Catalogue): readonly string[] {
  const unknown = ids.filter((id) => !all.includes(id))
  if (unknown.length > 0)
    throw new UsageError(`--model: expected some of ${all.join(', ')}, got ${unknown.join(', ')}`)
  return ids
}

/** `miio2mqtt simulate`: simulated plugs, as real UDP servers on loopback addresses. Also starts those of `demo`. */
import {isIPv4} from 'node:net'
import type {Command} from 'commander'
import {systemClock} from '../../common/clock.ts'
import {count as counted} from '../../common/text.ts'
import {quoted} from '../../config/config-error.ts'
import {integer} from '../../config/schema/fields.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import type {Faults} from '../../simulator/faults.ts'
import {LOOPBACK_BROADCAST, type SimulatedNetwork, simulate} from '../../simulator/simulated-network.ts'
import {CommandFailed, readOption, UsageError} from '../errors.ts'
import {faultTable, InvalidFault, parseFaults} from '../fault-options.ts'
import {loadCatalogue} from '../load-config.ts'
import {interrupted} from '../signals.ts'
import type {Terminal} from '../terminal.ts'

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
const DEFAULT_FIRST_ADDRESS = '127.0.54.1'

/** Adds `simulate`. */
export function simulateCommand(program: Command, terminal: Terminal): void {
  program
    .command('simulate')
    .description('run simulated plugs as UDP servers on loopback addresses, port 54321')
    .option('-n, --count <number>', 'number of plugs', '3')
    .option('-m, --model <id...>', 'models, used in turn (default: all of them)')
    .option(
      '--address <ip>',
      'address of the first plug (default: 127.0.54.1); the others have the next ones',
    )
    .option('--seed <number>', 'the same seed makes the same device ids and tokens', '1')
    .option('-f, --fault <fault...>', 'faults, see below')
    .addHelpText('after', () => `\nFaults:\n${faultHelp(terminal)}`)
    .action((_options: unknown, command: Command) => run(command.optsWithGlobals<Options>(), terminal))
}

async function run(options: Options, terminal: Terminal): Promise<void> {
  const catalogue = await loadCatalogue(options.config, terminal)
  const network = simulate({
    catalogue,
    count: readOption('--count', integer(1, MOST_PLUGS), options.count),
    ...(options.model ? {models: knownModels(options.model, catalogue)} : {}),
    firstAddress: firstAddress(options.address),
    seed: readOption('--seed', integer(1, MOST_SEEDS), options.seed),
    faults: readFaults(options.fault ?? []),
    clock: systemClock,
    random: Math.random,
  })
  const end = interrupted('SIGHUP')
  await startSimulation(network)
  show(network, terminal)
  await end
  await network.stop()
  terminal.note(`${counted(network.plugs.length, 'plug')} stopped.`)
}

/** The value of `--address`. @throws UsageError for an address outside 127.0.0.0/8, which may not be this machine */
export function firstAddress(written = DEFAULT_FIRST_ADDRESS): string {
  if (isIPv4(written) && written.startsWith('127.')) return written
  throw new UsageError(
    `--address: expected a loopback address such as ${DEFAULT_FIRST_ADDRESS}, got ${quoted(written)}`,
  )
}

/** Starts all plugs of a network, with watts that move. @throws CommandFailed when an address is taken */
export async function startSimulation(network: SimulatedNetwork): Promise<void> {
  try {
    await network.start()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new CommandFailed(`${error.message}\nChoose another address with --address.`)
  }
  network.startDrift()
}

/** Prints the plugs with their tokens, which are no secrets: they are needed to reach a simulated plug. */
function show(network: SimulatedNetwork, terminal: Terminal): void {
  const rows = network.plugs.map(({modelId, did, address, token}) => ({
    model: modelId,
    did,
    address,
    token: token.toString('hex'),
  }))
  const head = ['model', 'device id', 'address', 'token']
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

function faultHelp(terminal: Terminal): string {
  const rows = [...faultTable.values()].map(({example, meaning}) => [`  ${example}`, meaning])
  return terminal.facts(Object.fromEntries(rows))
}

function readFaults(written: readonly string[]): Faults {
  try {
    return parseFaults(written)
  } catch (error) {
    if (error instanceof InvalidFault) throw new UsageError(`--fault: ${error.message}`)
    throw error
  }
}

function knownModels(ids: readonly string[], {ids: all}: Catalogue): readonly string[] {
  const unknown = ids.filter((id) => !all.includes(id))
  if (unknown.length > 0)
    throw new UsageError(`--model: expected some of ${all.join(', ')}, got ${unknown.join(', ')}`)
  return ids
}

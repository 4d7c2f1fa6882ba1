/** `simulate`: plugs that are not there, as real UDP servers on loopback addresses. */
import {type Command, Option} from 'commander'
import {systemClock} from '../clock.ts'
import {models} from '../models/index.ts'
import {faultWords, InvalidFault, parseFaults} from '../simulator/fault-words.ts'
import {LOOPBACK_BROADCAST, type Neighbourhood, simulate} from '../simulator/neighbourhood.ts'
import {UsageError} from './exit.ts'
import {interrupted} from './signals.ts'
import type {Terminal} from './terminal.ts'

interface SimulateOptions {
  count: string
  model?: string[]
  address: string
  seed: string
  fault?: string[]
}

export function simulateCommand(program: Command, terminalFor: (command: Command) => Terminal): void {
  program
    .command('simulate')
    .description('run simulated plugs on loopback addresses, UDP port 54321')
    .option('-n, --count <number>', 'how many', '3')
    .option('-m, --model <id...>', 'which models, dealt out in turn; by default all of them')
    .option('--address <ip>', "the first plug's; the others follow one by one", '127.0.54.1')
    .option('--seed <number>', 'the same seed makes the same ids and tokens', '1')
    .addOption(
      new Option(
        '-f, --fault <fault...>',
        `what goes wrong: ${[...faultWords.values()].map(({example}) => example).join(', ')}`,
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      await run(command.optsWithGlobals<SimulateOptions>(), terminalFor(command))
    })
}

async function run(options: SimulateOptions, terminal: Terminal): Promise<void> {
  const neighbourhood = make(options)
  await neighbourhood.start()
  neighbourhood.liven()
  show(neighbourhood, terminal)
  await interrupted()
  await neighbourhood.stop()
}

function make({count, model, address, seed, fault = []}: SimulateOptions): Neighbourhood {
  if (!/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address))
    throw new UsageError(`--address: expected a loopback address such as 127.0.54.1, got ${address}`)
  try {
    return simulate({
      count: whole('--count', count),
      ...(model ? {models: known(model)} : {}),
      firstAddress: address,
      seed: whole('--seed', seed),
      faults: parseFaults(fault),
      clock: systemClock,
      random: Math.random,
    })
  } catch (error) {
    if (error instanceof InvalidFault) throw new UsageError(`--fault: ${error.message}`)
    throw error
  }
}

/** The tokens of simulated plugs are no secrets: nobody could talk to them without. */
function show(neighbourhood: Neighbourhood, terminal: Terminal): void {
  const rows = neighbourhood.plugs.map(({modelId, did, address, token}) => ({
    model: modelId,
    id: did,
    address,
    token: token.toString('hex'),
  }))
  terminal.result(rows, terminal.table(['model', 'id', 'address', 'token'], rows.map(Object.values)))
  const [first] = rows
  if (first && !terminal.json)
    terminal.note(`
In another terminal:
  miio2mqtt discover --broadcast ${LOOPBACK_BROADCAST}
  miio2mqtt status --host ${first.address} --token ${first.token}
  miio2mqtt off --host ${first.address} --token ${first.token} --debug
Ctrl-C ends the simulation.`)
}

function known(ids: readonly string[]): readonly string[] {
  const all = models.flatMap((model) => model.ids)
  const unknown = ids.filter((id) => !all.includes(id))
  if (unknown.length > 0)
    throw new UsageError(`--model: expected some of ${all.join(', ')}, got ${unknown.join(', ')}`)
  return ids
}

function whole(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`${option}: expected a whole number from 1, got ${text}`)
  return number
}

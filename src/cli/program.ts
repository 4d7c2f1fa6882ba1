/**
 * The command line: every command with its options, in the order of `miio2mqtt help`. The file of a command is loaded when the command
 * runs, so that `--version`, `help` and mistakes load little.
 */
import {Command, CommanderError} from 'commander'
import {version} from '../app/version.ts'
import {MASK} from '../common/secret.ts'
import {withSourcePlaces} from '../common/source-places.ts'
import type {PlugVerb} from './commands/plugs.ts'
import {CommandFailed, EXIT, UsageError, unknownCommand} from './errors.ts'
import {Terminal} from './terminal.ts'

const EXAMPLES = `
Examples:
  miio2mqtt demo                                  try it: no plug, no broker
  miio2mqtt discover                              plugs on this network
  miio2mqtt status                                all plugs of config.yaml
  miio2mqtt set desk led off                      one of them, by its name
  miio2mqtt status --host 192.168.1.40            with its token in $MIIO_TOKEN
  miio2mqtt --config /etc/miio2mqtt/config.yaml   the bridge

Exit codes: 0 done, 1 failed, 64 wrong usage, 70 a bug, 78 wrong configuration.`

interface PlugCommand {
  verb: PlugVerb
  /** The plug and the words after it: `<required>`, `[optional]`. A plug that is left out means all plugs. */
  usage: string
  description: string
  /** An option of this command alone, as commander takes it: flags and description. */
  option?: [flags: string, description: string]
}

const PLUG_COMMANDS: readonly PlugCommand[] = [
  {verb: 'info', usage: '<plug>', description: 'show model, firmware, device id, address and signal'},
  {
    verb: 'status',
    usage: '[plug]',
    description: 'show every property of one plug; without a name, or for a group, one line for each plug',
  },
  {verb: 'on', usage: '<plug>', description: 'switch a plug or a group on'},
  {verb: 'off', usage: '<plug>', description: 'switch a plug or a group off'},
  {
    verb: 'toggle',
    usage: '<plug>',
    description: 'switch a plug to the opposite state; a group is switched off if one of its plugs is on',
  },
  {verb: 'get', usage: '<plug> <property>', description: 'read one property'},
  {
    verb: 'set',
    usage: '<plug> <property> <value>',
    description: 'set one property, as in `set desk led off`',
  },
  {
    verb: 'probe',
    usage: '<plug>',
    description: 'query a plug of an unsupported model and print a starter definition',
    option: [
      '--fixture',
      'for a supported model: record its responses as a test fixture, without data that identifies the plug',
    ],
  },
  {
    verb: 'call',
    usage: '<plug> <method> [params]',
    description: 'send a raw miIO call once, as in `call desk miIO.info`; parameters follow as JSON',
  },
]

/** Runs the command of the command line, prints its error, and ends the process with its exit code. */
export async function runProgram(): Promise<never> {
  const terminal = new Terminal()
  // `miio2mqtt models | head -1`: EPIPE means that the reader of the output has read enough.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.done)
      if (stream === process.stdout) process.stderr.write(`the result cannot be written: ${error.message}\n`)
      process.exit(EXIT.failed)
    })
  process.on('uncaughtExceptionMonitor', () => terminal.progress('')) // Node prints the error itself
  let code: number = EXIT.done
  try {
    await makeProgram(terminal).parseAsync()
  } catch (error) {
    code = printError(error, terminal)
  }
  const flushed = (stream: NodeJS.WriteStream) =>
    new Promise<void>((resolve) => stream.write('', () => resolve()))
  await Promise.all([process.stdout, process.stderr].map(flushed))
  process.exit(code) // does not wait for resources that a failed command left open
}

/** @returns the exit code */
function printError(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === EXIT.done || error.code === 'commander.help') return EXIT.done // help and version: printed already
    const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
    const shown = text.replace(/[0-9a-f]{16,}/gi, MASK) // a mistyped command line may have a token anywhere
    return printError(new UsageError(`${shown}; \`miio2mqtt help\` lists what there is`), terminal)
  }
  if (error instanceof CommandFailed) {
    terminal.failure(error.message, error.code)
    return error.exitCode
  }
  // A bug: the report of it needs the stack.
  const text = error instanceof Error ? withSourcePlaces(error.stack ?? error.message) : String(error)
  terminal.failure(text, 'internal')
  return EXIT.internal
}

/** The program with all its commands, for commander. */
export function makeProgram(terminal: Terminal): Command {
  const program = new Command('miio2mqtt')
    .description('Xiaomi Wi-Fi plugs on MQTT and in Home Assistant, over your own network')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option(
      '-c, --config <file>',
      'default: $MIIO2MQTT_CONFIG, else ./config.yaml, else /etc/miio2mqtt/config.yaml',
    )
    .option('--json', 'results as JSON, for programs')
    .option(
      '--debug',
      'show every packet, decoded and without secrets: on standard error; for the bridge, in its log',
    )
    .on('option:json', () => terminal.useJson())
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) =>
        `${command.name()} ${command.usage().replace(/^\[options\] ?/, '')}`.trim(),
    })
    .configureOutput({outputError: () => {}}) // `runProgram` prints errors
    .exitOverride()
    .addHelpText('after', () => terminal.fitted(EXAMPLES))
  program.commandsGroup('The bridge:')
  bridgeCommands(program, terminal)
  program.commandsGroup('Plugs, contacted directly (names in the configuration, or --host and --token):')
  for (const each of PLUG_COMMANDS) plugCommand(each, program, terminal)
  program.commandsGroup('Discovery and reference:')
  referenceCommands(program, terminal)
  helpCommand(program)
  program.commandsGroup('Without a plug:')
  simulatorCommands(program, terminal)
  return program
}

function bridgeCommands(program: Command, terminal: Terminal): void {
  program
    .command('run', {isDefault: true})
    .description('run the bridge (what happens without a command)')
    .usage('[options]')
    .argument('[words...]') // the default command also gets a word that is no command
    .action(async ([word]: string[], _options: unknown, command: Command) => {
      if (word !== undefined) throw new UsageError(unknownCommand(word, program))
      const {run} = await import('./commands/run.ts')
      await run(command.optsWithGlobals())
    })
  program
    .command('check')
    .description('check the configuration and list every problem in it')
    .argument('[file]', 'check this file instead')
    .option('--strict', 'fail on warnings, too')
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const {check} = await import('./commands/check.ts')
      await check(file, command.optsWithGlobals(), terminal)
    })
}

function plugCommand(
  {verb, usage, description, option}: PlugCommand,
  program: Command,
  terminal: Terminal,
): void {
  const command = program
    .command(verb)
    .description(description)
    .argument('[words...]')
    .usage(`[options] ${usage}`)
    .option('--host <address>', 'address of a plug that is not in config.yaml, instead of <plug>')
    .option('--token <hex>', 'token of this plug; safer in the environment variable MIIO_TOKEN')
    .option('--model <id>', 'use this model instead of detecting it')
    .action(async (typed: string[], _options: unknown, command: Command) => {
      const {runPlugCommand} = await import('./commands/plugs.ts')
      await runPlugCommand(verb, usage, typed, command.optsWithGlobals(), terminal)
    })
  if (option) command.option(...option)
}

function referenceCommands(program: Command, terminal: Terminal): void {
  program
    .command('discover')
    .description('list every miIO device that answers on this network (no token needed)')
    .option('--timeout <duration>', 'time to wait for answers', '5s')
    .option(
      '--broadcast <address...>',
      'where to send the hello (default: the broadcast address of every interface)',
    )
    .action(async (_options: unknown, command: Command) => {
      const {discover} = await import('./commands/discover.ts')
      await discover(command.optsWithGlobals(), terminal)
    })
  const models = program
    .command('models')
    .description('list the supported models and their properties, or show one model')
    .argument('[id]', 'print the full definition of this model, to start another one from')
    .usage('[options] [id]')
    .helpCommand(false)
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      const {showModels} = await import('./commands/models.ts')
      await showModels(id, command.optsWithGlobals(), terminal)
    })
  models
    .command('import')
    .description('convert a MIoT specification (the JSON that Xiaomi publishes) to a definition')
    .argument('<file>')
    .usage('[options] <file>')
    .option('--id <model>', 'the model of the plug, as `miio2mqtt info desk` shows it')
    .action(async (file: string, _options: unknown, command: Command) => {
      const {importModel} = await import('./commands/models.ts')
      await importModel(file, command.optsWithGlobals(), terminal)
    })
  program
    .command('schema')
    .description('print the JSON Schema of config.yaml, for editors')
    .action(async () => {
      const {jsonSchema} = await import('../config/config.ts')
      terminal.line(JSON.stringify(jsonSchema(), null, 2))
    })
}

/** Replaces the help command of commander, which prints the whole help for an unknown command, and exits with 0. */
function helpCommand(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .description('explain a command and its options')
    .argument('[command]')
    .argument('[subcommand]')
    .action(async (...words: (string | undefined)[]) => {
      let found = program
      const names = words.slice(0, 2).filter((word) => word !== undefined)
      for (const name of names) {
        const next = found.commands.find((each) => each.name() === name)
        if (!next) throw new UsageError(unknownCommand(name, found))
        found = next
      }
      await program.parseAsync([...names, '--help'], {from: 'user'})
    })
}

function simulatorCommands(program: Command, terminal: Terminal): void {
  const address = [
    '--address <ip>',
    'address of the first plug (default: 127.0.54.1); the others have the next ones',
  ] as const
  program
    .command('demo')
    .description('run a broker, three simulated plugs and the bridge')
    .option('--port <number>', 'port of the broker (default: 1883, or a free one)')
    .option(...address)
    .action(async (_options: unknown, command: Command) => {
      const {demo} = await import('./commands/demo.ts')
      await demo(command.optsWithGlobals(), terminal)
    })
  const simulation = program
    .command('simulate')
    .description('run simulated plugs as UDP servers on loopback addresses, port 54321')
    .option('-n, --count <number>', 'number of plugs', '3')
    .option('-m, --model <id...>', 'models, used in turn (default: all of them)')
    .option(...address)
    .option('--seed <number>', 'the same seed makes the same device ids and tokens', '1')
    .option('-f, --fault <fault...>', 'faults, see below')
    .action(async (_options: unknown, command: Command) => {
      const {runSimulation} = await import('./commands/simulate.ts')
      await runSimulation(command.optsWithGlobals(), terminal)
    })
  program.hook('preSubcommand', async (_program, command) => {
    if (command !== simulation) return
    const {faultHelp} = await import('./commands/simulate.ts')
    simulation.addHelpText('after', faultHelp(terminal))
  })
}

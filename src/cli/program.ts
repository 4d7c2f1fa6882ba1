/** The command line: all commands in the order of `miio2mqtt help`, and the options that they share. */
import {Command} from 'commander'
import {version} from '../app/version.ts'
import {checkCommand} from './commands/check.ts'
import {demoCommand} from './commands/demo.ts'
import {discoverCommand} from './commands/discover.ts'
import {modelsCommands} from './commands/models.ts'
import {plugCommands} from './commands/plugs.ts'
import {runCommand} from './commands/run.ts'
import {simulateCommand} from './commands/simulate.ts'
import {UsageError, unknownCommand} from './errors.ts'
import type {Terminal} from './terminal.ts'

const EXAMPLES = `
Examples:
  miio2mqtt demo                                  try it: no plug, no broker
  miio2mqtt discover                              plugs on this network
  miio2mqtt status                                all plugs of config.yaml
  miio2mqtt set desk led off                      one of them, by its name
  miio2mqtt status --host 192.168.1.40            with its token in $MIIO_TOKEN
  miio2mqtt --config /etc/miio2mqtt/config.yaml   the bridge

Exit codes: 0 done, 1 failed, 64 wrong usage, 70 a bug, 78 wrong configuration.`

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
    .configureOutput({outputError: () => {}}) // src/cli/process.ts prints errors
    .exitOverride()
    .addHelpText('after', () => terminal.fitted(EXAMPLES))
  program.commandsGroup('The bridge:')
  runCommand(program)
  checkCommand(program, terminal)
  program.commandsGroup('Plugs, contacted directly (names in the configuration, or --host and --token):')
  plugCommands(program, terminal)
  program.commandsGroup('Discovery and reference:')
  discoverCommand(program, terminal)
  modelsCommands(program, terminal)
  helpCommand(program)
  program.commandsGroup('Without a plug:')
  demoCommand(program, terminal)
  simulateCommand(program, terminal)
  return program
}

/** Replaces the help command of commander, which prints the whole help for an unknown command, and exits with 0. */
function helpCommand(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .description('explain a command and its options')
    .argument('[command]')
    .argument('[subcommand]')
    .action((...words: (string | undefined)[]) => {
      let found = program
      for (const word of words.slice(0, 2)) {
        if (word === undefined) break
        const next = found.commands.find((each) => each.name() === word)
        if (!next) throw new UsageError(unknownCommand(word, found))
        found = next
      }
      found.help()
    })
}

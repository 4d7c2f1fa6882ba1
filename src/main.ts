#!/usr/bin/env node
/** The process: picks the command, and ends with the exit code that says how it went. */
import {type Command, CommanderError, program} from 'commander'
import {catalogueCommands} from './cli/catalogue.ts'
import {demoCommand} from './cli/demo.ts'
import {discoverCommand} from './cli/discover.ts'
import {CommandFailed, EXIT} from './cli/exit.ts'
import {plugCommands} from './cli/plug.ts'
import {check, run} from './cli/run.ts'
import {simulateCommand} from './cli/simulate.ts'
import {Terminal} from './cli/terminal.ts'
import {version} from './version.ts'

const terminalFor = (command: Command) =>
  new Terminal({json: command.optsWithGlobals<{json?: boolean}>().json === true})

program
  .name('miio2mqtt')
  .description('Xiaomi Wi-Fi plugs on MQTT and in Home Assistant, over your own network')
  .version(version)
  .option('-c, --config <file>', 'default: $MIIO2MQTT_CONFIG, ./config.yaml or /etc/miio2mqtt/config.yaml')
  .option('--json', 'results as JSON, for programs')
  .option('--debug', 'print every packet, decoded; secrets are masked')
  .showHelpAfterError('(miio2mqtt --help lists what there is)')
  .exitOverride()

program
  .command('run', {isDefault: true})
  .description('run the bridge (the default)')
  .action((_options: unknown, command: Command) => run(command.optsWithGlobals<{config?: string}>().config))
program
  .command('check')
  .description('check the configuration, and list every problem in it')
  .action((_options: unknown, command: Command) =>
    check(command.optsWithGlobals<{config?: string}>().config, terminalFor(command)),
  )
demoCommand(program, terminalFor)
discoverCommand(program, terminalFor)
plugCommands(program, terminalFor)
simulateCommand(program, terminalFor)
catalogueCommands(program, terminalFor)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (error instanceof CommandFailed) {
    process.stderr.write(`${error.message}\n`)
    return error.exitCode
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  return EXIT.internal
}

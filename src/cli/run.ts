/** `run`: the bridge as a process, until a signal ends it. */
import {setFlagsFromString} from 'node:v8'
import type {Command} from 'commander'
import {systemClock, within} from '../clock.ts'
import {quoted, suggestion} from '../config/problems.ts'
import {type Config, configPath, editConfig, loadConfig, secretsOf} from '../config.ts'
import {Daemon} from '../daemon.ts'
import {EnergyLedger} from '../energy-ledger.ts'
import {HEALTH_FILE_VARIABLE, HealthFile} from '../health-file.ts'
import {randomHex, StateUnreadable} from '../kept-file.ts'
import {createLog, type RootLog} from '../log.ts'
import {MiioError} from '../miio/errors.ts'
import {Redactor} from '../redact.ts'
import {StateStore} from '../state.ts'
import {lockStateFolder, StateInUse} from '../state-lock.ts'
import {SystemdNotifier} from '../systemd.ts'
import {version} from '../version.ts'
import {configuration} from './configuration.ts'
import {CommandFailed, EXIT, UsageError} from './exit.ts'
import {Renewal} from './renewal.ts'
import {interrupted} from './signals.ts'

/** The contract (§9) gives a stop 5 s; what is not done by then will not be done. */
const STOP_MS = 4300
const TELL_MS = 300
const HEARTBEAT_MS = 30_000
/**
 * Garbage is collected when the heap has grown by this much, and not when it is several times as large, which is V8's choice where
 * there is much memory: 10,000 plugs take 290 MB in place of 520, for some 2 % of a core.
 */
const HEAP_GROWTH_PERCENT = 30

interface RunOptions {
  config?: string
  debug?: boolean
}

/** What outlives a run that is ended for a new configuration. */
interface Surroundings {
  log: RootLog
  redactor: Redactor
  notifier: SystemdNotifier
  renewal: Renewal
  /** Resolves at the signal to stop, once systemd knows. */
  stop: Promise<void>
}

export function runCommand(program: Command): void {
  program
    .command('run', {isDefault: true})
    .description('run the bridge (what happens without a command)')
    .usage('[options]')
    .argument('[words...]') // the default command is what gets a word that is no command
    .action((words: string[], _options: unknown, command: Command) => {
      const [word] = words
      if (word !== undefined) throw new UsageError(unknownCommand(word, program))
      return run(command.optsWithGlobals<RunOptions>())
    })
}

/** @throws CommandFailed 78 for an invalid configuration, 1 for an address that is not ours, or a state folder that cannot be used */
async function run({config: option, debug}: RunOptions): Promise<void> {
  if (debug) throw new UsageError(DEBUG_ELSEWHERE)
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  const first = await configuration(option)
  const file = await configPath(option, process.env)
  const surroundings = surround(first, file)
  const {log} = surroundings
  log.info(`miio2mqtt ${version} on Node ${process.version}, configured by ${file}`)
  let config: Config | undefined = first
  while (config) config = await runOnce(config, surroundings)
  log.info('stopped')
  log.flush()
  process.exit(EXIT.done) // what did not end in time keeps nobody waiting
}

const DEBUG_ELSEWHERE =
  '--debug is for one plug, as in `status desk --debug`; for the bridge it is `log: {level: trace}`'

function surround({log: {level, format}}: Config, file: string): Surroundings {
  const redactor = new Redactor()
  const log = createLog({level, format, redactor})
  endOnTheUnexpected(log)
  const notifier = systemd(log)
  const renewal = new Renewal({
    load: () => loadConfig(file),
    edit: (edits) => editConfig(file, edits, randomHex(Math.random)),
    log,
    notifier,
  })
  process.on('SIGHUP', () => void renewal.ask('reload'))
  const stop = interrupted().then((signal) => {
    log.info(`${signal}: stopping`)
    return within(systemClock, systemClock.now() + TELL_MS, notifier.stopping())
  })
  return {log, redactor, notifier, renewal, stop}
}

/** Until the signal to stop, or a new configuration, which is returned. */
async function runOnce(config: Config, surroundings: Surroundings): Promise<Config | undefined> {
  const {log, redactor, notifier, renewal, stop} = surroundings
  hide(config, redactor)
  log.setLevel(config.log.level)
  const shared = {clock: systemClock, random: Math.random, log}
  const {store, ledger, release} = await remembered(config.state_dir, shared)
  const {catalogue} = config
  if (catalogue.replaced.length > 0)
    log.info(
      `own definitions take the place of those that come with the program: ${catalogue.replaced.join(', ')}`,
    )
  const daemon = new Daemon({
    ...shared,
    config,
    redactor,
    store,
    ledger,
    catalogue,
    onRenew: (how) => renewal.ask(how),
    onEdit: (edits) => renewal.change(edits),
  })
  const endHeartbeat = beat(daemon, notifier)
  const next = Promise.race([stop.then(() => 'nothing'), renewal.arrived.then(() => 'another run')])
  try {
    await Promise.race([next, announced(daemon, notifier)])
    renewal.serve((another) => {
      hide(another, redactor)
      return daemon.reload(another)
    })
    return (await next) === 'nothing' ? undefined : renewal.take()
  } finally {
    renewal.serve(undefined)
    endHeartbeat()
    notifier.stop()
    await within(systemClock, systemClock.now() + STOP_MS, daemon.stop())
    await Promise.all([store.close(), ledger.close()])
    await release()
  }
}

/** @throws CommandFailed 1 for what cannot be read, or is in use by another bridge */
async function remembered(folder: string, shared: Parameters<typeof StateStore.open>[1]) {
  let release = () => Promise.resolve()
  try {
    release = await lockStateFolder(folder, shared)
    const store = await StateStore.open(folder, shared)
    return {store, ledger: await EnergyLedger.open(folder, shared), release}
  } catch (error) {
    await release()
    const isForTheUser = error instanceof StateUnreadable || error instanceof StateInUse
    throw isForTheUser ? new CommandFailed(error.message) : error
  }
}

/** What is secret in a configuration is in no line of the log from now on. */
function hide(config: Config, redactor: Redactor): void {
  for (const secret of secretsOf(config)) redactor.add(secret.reveal())
}

async function announced(daemon: Daemon, notifier: SystemdNotifier): Promise<void> {
  try {
    await daemon.start()
  } catch (error) {
    throw error instanceof MiioError ? new CommandFailed(error.message) : error
  }
  void notifier.ready()
  void notifier.status(daemon.status())
  notifier.startWatchdog(() => daemon.isAlive())
}

/** A sign of life for whoever watches: the container's health check, and `systemctl status`. */
function beat(daemon: Daemon, notifier: SystemdNotifier): () => void {
  const file = new HealthFile(process.env[HEALTH_FILE_VARIABLE], systemClock)
  const tell = () => {
    void file.beat(daemon.isAlive())
    void notifier.status(daemon.status())
  }
  tell()
  const heartbeat = setInterval(tell, HEARTBEAT_MS)
  return () => clearInterval(heartbeat)
}

function systemd(log: RootLog): SystemdNotifier {
  return SystemdNotifier.fromEnvironment(process.env, {
    clock: systemClock,
    onError: (error) => log.warn('systemd could not be told how we are', {error}),
  })
}

/** A mistake of ours ends the process, and the supervisor starts a new one: nobody knows what state this one is in. */
function endOnTheUnexpected(log: RootLog): void {
  const end = (error: unknown) => {
    log.error('an unexpected error: this process ends', {error})
    log.flush()
    process.exit(EXIT.internal)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

function unknownCommand(word: string, program: Command): string {
  const names = program.commands.map((command) => command.name())
  return `no command is called ${quoted(word)}${suggestion(word, names) || ': `miio2mqtt help` lists them'}`
}

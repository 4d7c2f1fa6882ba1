/** `run`: the bridge as a process, until a signal ends it. */
import {setFlagsFromString} from 'node:v8'
import type {Command} from 'commander'
import {Bridge} from '../../app/bridge.ts'
import {BridgeRunner, type PreparedBridge, STOP_MS} from '../../app/bridge-runner.ts'
import {HEALTH_FILE_VARIABLE, HealthFile} from '../../app/health-file.ts'
import {timeZone} from '../../app/process-metrics.ts'
import {SystemdNotifier} from '../../app/systemd.ts'
import {version} from '../../app/version.ts'
import {systemClock, within} from '../../common/clock.ts'
import {Redactor} from '../../common/redact.ts'
import {
  type Config,
  configPath,
  editConfig,
  reloadConfig,
  removeUnfinishedEdits,
  secretsOf,
} from '../../config/config.ts'
import {createLog, type RootLog} from '../../log/logger.ts'
import {MiioError} from '../../miio/miio-error.ts'
import {MiioSocket} from '../../miio/socket.ts'
import {StateUnreadable} from '../../storage/json-file.ts'
import {StateFolders, StateUnwritable} from '../../storage/state-folders.ts'
import {StateInUse} from '../../storage/state-lock.ts'
import {ConfigWarnings} from '../config-warnings.ts'
import {CommandFailed, EXIT, UsageError, unknownCommand} from '../errors.ts'
import {RateLimit} from '../rate-limit.ts'
import {HangupSignal, interrupted} from '../signals.ts'
import {loadConfiguration} from './check.ts'

const TELL_MS = 300
const HEARTBEAT_MS = 30_000
/** Whoever asks for restarts all the time gets one so often: in between, plugs can be switched. */
const BETWEEN_RESTARTS_MS = 5000
/**
 * Garbage is collected when the heap has grown by this much, and not when it is several times as large, which is V8's choice where
 * there is much memory: 10,000 plugs take 290 MB in place of 520, for some 2 % of a core.
 */
const HEAP_GROWTH_PERCENT = 30

interface RunOptions {
  config?: string
  debug?: boolean
}

/** Process-wide objects that every bridge of this process uses. */
interface Process {
  log: RootLog
  redactor: Redactor
  notifier: SystemdNotifier
  restarts: RateLimit
  warned: ConfigWarnings
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

/** @throws CommandFailed 78 for an invalid configuration, 1 for an address or a folder that cannot be used */
async function run({config: option, debug}: RunOptions): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  const hangup = new HangupSignal()
  const watched = debug ? withPackets : (config: Config) => config
  const config = watched(await loadConfiguration(option))
  const file = await configPath(option, process.env)
  const shared = forTheProcess(config)
  const {log, notifier} = shared
  log.info(`miio2mqtt ${version} on Node ${process.version}, time zone ${timeZone()}, configured by ${file}`)
  await removeUnfinishedEdits(file)
  shared.warned.tell(config)
  const runner = makeRunner(file, shared, watched)
  const signalled = interrupted()
  beat(runner, notifier)
  const started = runner.start(config).then(() => announce(runner, notifier))
  hangup.follow(() => reload(runner, log))
  await Promise.race([started, signalled])
  await end(await signalled, runner, shared)
}

/** What `--debug` means for the bridge: every packet is in the log, whatever the file says of its level. */
function withPackets(config: Config): Config {
  return {...config, log: {...config.log, level: 'trace'}}
}

function forTheProcess(config: Config): Process {
  const {level, format} = config.log
  const redactor = new Redactor()
  const log = createLog({level, format, redactor})
  endOnTheUnexpected(log)
  process.on('SIGUSR1', () => {}) // Node.js would open its debugger, which lets anybody on this machine run code here
  const restarts = new RateLimit(systemClock, BETWEEN_RESTARTS_MS)
  return {log, redactor, notifier: systemd(log), restarts, warned: new ConfigWarnings(log)}
}

/** @param watched the configuration as this process takes it */
function makeRunner(file: string, shared: Process, watched: (config: Config) => Config): BridgeRunner {
  const {log, notifier, warned} = shared
  const folders = new StateFolders({clock: systemClock, random: Math.random, log})
  const runner: BridgeRunner = new BridgeRunner({
    load: async (running) => watched(warned.tell(await reloadConfig(file, {running, clock: systemClock}))),
    edit: async (edits, running) =>
      watched(warned.tell(await editConfig(file, edits, {running, clock: systemClock, random: Math.random}))),
    prepare: (config) => prepare(config, folders, shared, () => runner),
    onLost: (error) => endNow(log, error),
    clock: systemClock,
    log,
    notifier,
  })
  return runner
}

function reload(runner: BridgeRunner, log: RootLog): void {
  runner
    .reload('reload')
    .catch((error: unknown) => log.error('the configuration was not read again', {error}))
}

/** Tries and opens what the start of a bridge needs. @throws CommandFailed for an address or a folder that cannot be used */
async function prepare(
  config: Config,
  folders: StateFolders,
  {log, redactor, restarts}: Process,
  runner: () => BridgeRunner,
): Promise<PreparedBridge> {
  hide(config, redactor)
  await tryAddress(config)
  const folder = await folders.use(config.state_dir).catch(refusal)
  const build = () => {
    log.setLevel(config.log.level)
    log.setFormat(config.log.format)
    const {catalogue} = config
    if (catalogue.replaced.length > 0)
      log.info(
        `own definitions take the place of those that come with the program: ${catalogue.replaced.join(', ')}`,
      )
    return new Bridge({
      config,
      clock: systemClock,
      random: Math.random,
      log,
      redactor,
      store: folder.store,
      ledger: folder.ledger,
      catalogue,
      configActions: {
        reload: (how) =>
          how === 'restart' ? restarts.run(() => runner().reload(how)) : runner().reload(how),
        edit: (edits) => runner().edit(edits),
      },
    })
  }
  return {config, build, close: () => folders.leave(folder)}
}

/** @throws CommandFailed for a state folder that cannot be read or written, or is in use by another bridge */
function refusal(error: unknown): never {
  if (error instanceof StateUnreadable || error instanceof StateUnwritable || error instanceof StateInUse)
    throw new CommandFailed(error.message)
  throw error
}

/** The local address to send from must be one of this machine's: found out while another bridge still runs. */
async function tryAddress({network}: Config): Promise<void> {
  const socket = new MiioSocket({bind: network.bind})
  try {
    await socket.open()
  } catch (error) {
    if (!(error instanceof MiioError)) throw error
    throw new CommandFailed(network.bind === undefined ? error.message : `network.bind: ${error.message}`)
  }
  await socket.close()
}

/** What is secret in a configuration is in no line of the log from now on. */
function hide(config: Config, redactor: Redactor): void {
  for (const secret of secretsOf(config)) redactor.add(secret.reveal())
}

/** Says that the bridge runs, and from now on that it goes on running. */
function announce(runner: BridgeRunner, notifier: SystemdNotifier): void {
  void notifier.ready()
  void notifier.status(runner.status())
  notifier.startWatchdog(() => runner.isAlive())
}

async function end(signal: NodeJS.Signals, runner: BridgeRunner, {log, notifier}: Process): Promise<never> {
  log.info(`${signal}: stopping`)
  await within(systemClock, systemClock.now() + TELL_MS, notifier.stopping())
  notifier.stop()
  await within(systemClock, systemClock.now() + STOP_MS, runner.stop())
  log.info('stopped')
  log.flush()
  process.exit(EXIT.done) // what did not end in time keeps nobody waiting
}

/** A sign of life for whoever watches: the container's health check, and `systemctl status`. */
function beat(runner: BridgeRunner, notifier: SystemdNotifier): void {
  const file = new HealthFile(process.env[HEALTH_FILE_VARIABLE], systemClock)
  const tell = () => {
    void file.beat(runner.isAlive())
    void notifier.status(runner.status())
  }
  tell()
  setInterval(tell, HEARTBEAT_MS)
}

function systemd(log: RootLog): SystemdNotifier {
  return SystemdNotifier.fromEnvironment(process.env, {
    clock: systemClock,
    onError: (error) => log.warn('systemd could not be told how we are', {error}),
  })
}

/** A mistake of ours ends the process, and the supervisor starts a new one: nobody knows what state this one is in. */
function endOnTheUnexpected(log: RootLog): void {
  process.on('uncaughtException', (error) => endNow(log, error))
  process.on('unhandledRejection', (error) => endNow(log, error))
}

function endNow(log: RootLog, error: unknown): never {
  log.error('an unexpected error: this process ends', {error})
  log.flush()
  process.exit(EXIT.internal)
}

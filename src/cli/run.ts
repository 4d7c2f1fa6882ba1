/** `run` and `check`: the daemon as a process. */
import {systemClock, within} from '../clock.ts'
import {type Config, ConfigError, configPath, loadConfig, secretsOf, stateFolder} from '../config.ts'
import {Daemon} from '../daemon.ts'
import {HEALTH_FILE_VARIABLE, HealthFile} from '../health-file.ts'
import {createLog, type RootLog} from '../log.ts'
import {Redactor} from '../redact.ts'
import {StateStore} from '../state.ts'
import {SystemdNotifier} from '../systemd.ts'
import {version} from '../version.ts'
import {configuration} from './configuration.ts'
import {EXIT} from './exit.ts'
import type {Terminal} from './terminal.ts'

/** The contract (§9) gives a stop 5 s; what is not done by then will not be done. */
const STOP_MS = 4500
const HEARTBEAT_MS = 30_000

/** Why a run is over, and what comes next. */
type Ending = {next: 'stop'} | {next: 'restart'; config: Config}

interface Surroundings {
  /** The configuration anew, or `undefined` when it is invalid: then the old one stays. */
  reread: () => Promise<Config | undefined>
  log: RootLog
  notifier: SystemdNotifier
}

/** Says whether the configuration is valid, and what is in it. @throws CommandFailed 78 that lists every problem */
export async function check(option: string | undefined, terminal: Terminal): Promise<void> {
  const config = await configuration(option)
  const devices = Object.keys(config.devices)
  terminal.result({valid: true, devices}, `valid: ${devices.length} plugs (${devices.join(', ')})`)
}

/** Runs the bridge until a signal ends it. @throws CommandFailed 78 for an invalid configuration */
export async function run(option: string | undefined): Promise<void> {
  const config = await configuration(option)
  const redactor = new Redactor()
  const log = createLog({level: config.log.level, format: config.log.format, redactor})
  endOnTheUnexpected(log)
  const notifier = SystemdNotifier.fromEnvironment(process.env, {
    clock: systemClock,
    onError: (error) => log.warn('systemd could not be told how we are', {error}),
  })
  log.info(`miio2mqtt ${version} on Node ${process.version}`)
  let ending: Ending = {next: 'restart', config}
  while (ending.next === 'restart') {
    for (const secret of secretsOf(ending.config)) redactor.add(secret.reveal())
    log.setLevel(ending.config.log.level)
    ending = await runOnce(ending.config, {reread: () => reread(option, log), log, notifier})
  }
  log.info('stopped')
  log.flush()
}

async function runOnce(config: Config, surroundings: Surroundings): Promise<Ending> {
  const {log, notifier} = surroundings
  const ends = new Ends(surroundings)
  const clock = systemClock
  const store = await StateStore.open(config.state_dir ?? stateFolder(process.env), {
    clock,
    random: Math.random,
    log,
  })
  const daemon = new Daemon({
    config,
    clock,
    random: Math.random,
    log,
    store,
    onRestart: () => void ends.restart(),
  })
  const started = daemon.start().then(() => {
    void notifier.ready()
    void notifier.status(daemon.status())
    notifier.startWatchdog(() => daemon.isAlive())
  })
  const heartbeat = beat(daemon, notifier)
  const ending = await Promise.race([ends.ending, started.then(() => ends.ending)])
  clearInterval(heartbeat)
  ends.close()
  if (ending.next === 'stop') void notifier.stopping()
  notifier.stop()
  await within(clock, STOP_MS, daemon.stop())
  await store.close()
  return ending
}

/** Listens for what ends a run: signals, and the request to restart. */
class Ends {
  readonly ending: Promise<Ending>
  readonly #surroundings: Surroundings
  readonly #stop = () => this.#end({next: 'stop'})
  readonly #hangUp = () => void this.restart()
  #end: (ending: Ending) => void = () => {}

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
    this.ending = new Promise((resolve) => {
      this.#end = resolve
    })
    process.on('SIGTERM', this.#stop)
    process.on('SIGINT', this.#stop)
    process.on('SIGHUP', this.#hangUp)
  }

  /** Ends the run for a new one, if the configuration is valid. */
  async restart(): Promise<void> {
    const {notifier, reread} = this.#surroundings
    await notifier.reloading()
    const config = await reread()
    if (config) this.#end({next: 'restart', config})
    else await notifier.ready()
  }

  /** From now on a second signal ends the process at once. */
  close(): void {
    process.off('SIGTERM', this.#stop)
    process.off('SIGINT', this.#stop)
    process.off('SIGHUP', this.#hangUp)
    const atOnce = () => process.exit(EXIT.failed)
    process.once('SIGTERM', atOnce)
    process.once('SIGINT', atOnce)
  }
}

async function reread(option: string | undefined, log: RootLog): Promise<Config | undefined> {
  try {
    return await loadConfig(await configPath(option, process.env), process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    log.error(`the new configuration is refused, the old one stays:\n${error.message}`)
    return undefined
  }
}

/** A sign of life for whoever watches: the container's health check, and `systemctl status`. */
function beat(daemon: Daemon, notifier: SystemdNotifier): NodeJS.Timeout {
  const file = new HealthFile(process.env[HEALTH_FILE_VARIABLE], systemClock)
  const tell = () => {
    void file.beat(daemon.isAlive())
    void notifier.status(daemon.status())
  }
  tell()
  return setInterval(tell, HEARTBEAT_MS)
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

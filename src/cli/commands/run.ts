/** `miio2mqtt run`: the bridge as a process, until a signal ends it. */
import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8'
import {BridgeRunner, STOP_MS} from '../../app/bridge-runner.ts'
import {HEALTH_FILE_VARIABLE, HealthFile} from '../../app/health-file.ts'
import {timeZone} from '../../app/process-metrics.ts'
import {SystemdNotifier} from '../../app/systemd.ts'
import {version} from '../../app/version.ts'
import {type Clock, sleep, systemClock, within} from '../../common/clock.ts'
import {
  type Config,
  ConfigError,
  configPath,
  editConfig,
  reloadConfig,
  removeUnfinishedEdits,
} from '../../config/config.ts'
import type {PinoLog} from '../../log/logger.ts'
import {type BridgeProcess, createBridgeProcess, prepareBridge} from '../bridge-process.ts'
import {CommandFailed, EXIT} from '../errors.ts'
import {loadConfiguration, warningLogger} from '../load-config.ts'
import {catchHangup, interrupted} from '../signals.ts'

/** Time for systemd to take the message that the bridge stops. */
const NOTIFY_STOPPING_MS = 300
const HEARTBEAT_MS = 30_000
/** Requests to restart that come faster than this wait, so that plugs can be switched in between. */
const BETWEEN_RESTARTS_MS = 5000
/**
 * Garbage is collected when the heap has grown by this percentage. V8's own choice, where there is much memory, is several times the
 * size: 10,000 plugs took 520 MB with it, and 290 with 30 %, for some 2 % of a core.
 */
const HEAP_GROWTH_PERCENT = 20
/** Both halves of the space for new objects. V8 lets it grow to twice as much, which took 20 MB more and no less time for collections. */
const MOST_YOUNG_BYTES = 16 * 1024 * 1024

/** @throws CommandFailed with exit code 78 for an invalid configuration, 1 for an address or a folder that cannot be used */
export async function run({config: option, debug}: {config?: string; debug?: boolean}): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  const onHangup = catchHangup()
  /** `--debug`: every packet is logged, whatever log level the file sets. */
  const adjust = (loaded: Config): Config =>
    debug ? {...loaded, log: {...loaded.log, level: 'trace'}} : loaded
  limitYoungGeneration()
  const config = adjust(await loadConfiguration(option))
  const file = await configPath(option, process.env)
  const shared = createBridgeProcess(config)
  const {log} = shared
  // After an unexpected error the state of this process is unknown. It ends, and the supervisor starts a new one.
  process.on('uncaughtException', (error) => exitWithError(log, error))
  process.on('unhandledRejection', (error) => exitWithError(log, error))
  process.on('SIGUSR1', () => {}) // the default opens Node's debugger, through which any local user can run code here
  const notifier = new SystemdNotifier(process.env, {
    clock: systemClock,
    onError: (error) => log.warn('cannot notify systemd', {error}),
  })
  log.info(`miio2mqtt ${version} on Node ${process.version}, time zone ${timeZone()}, configured by ${file}`)
  await removeUnfinishedEdits(file)
  const logWarnings = warningLogger(log)
  logWarnings(config)
  const runner = createRunner(file, shared, notifier, (loaded) => adjust(logWarnings(loaded)))
  const signalled = interrupted()
  startHeartbeat(runner, notifier)
  const started = runner.start(config).then(() => {
    void notifier.ready()
    void notifier.status(runner.status())
    notifier.startWatchdog(() => runner.isAlive())
  })
  onHangup(() => {
    runner
      .reload('reload')
      .catch((error: unknown) => log.error('the reload of the configuration failed', {error}))
  })
  await Promise.race([started, signalled])
  await stop(await signalled, runner, notifier, log)
}

/** @param onLoaded gets each configuration that was read, and returns the one to use */
function createRunner(
  file: string,
  shared: BridgeProcess,
  notifier: SystemdNotifier,
  onLoaded: (config: Config) => Config,
): BridgeRunner {
  const clock = systemClock
  const limited = rateLimit(clock, BETWEEN_RESTARTS_MS)
  const runner: BridgeRunner = new BridgeRunner({
    load: async (running) => onLoaded(await reloadConfig(file, {running, clock})),
    edit: async (edits, running) =>
      onLoaded(await editConfig(file, edits, {running, clock, random: Math.random})),
    prepare: (config) =>
      prepareBridge(config, shared, {
        reload: (how) => (how === 'restart' ? limited(() => runner.reload(how)) : runner.reload(how)),
        edit: (edits) => runner.edit(edits),
      }),
    isRefusal: (error): error is Error => error instanceof ConfigError || error instanceof CommandFailed,
    onLost: (error) => exitWithError(shared.log, error),
    clock,
    log: shared.log,
    notifier,
  })
  return runner
}

async function stop(
  signal: NodeJS.Signals,
  runner: BridgeRunner,
  notifier: SystemdNotifier,
  log: PinoLog,
): Promise<never> {
  log.info(`${signal}: stopping`)
  await within(systemClock, systemClock.now() + NOTIFY_STOPPING_MS, notifier.stopping())
  notifier.stop()
  await within(systemClock, systemClock.now() + STOP_MS, runner.stop())
  log.info('stopped')
  log.flush()
  process.exit(EXIT.done) // does not wait for anything that did not end in time
}

/** V8 takes a limit for the space for new objects only when the process starts; but its growth can be ended at any time. */
function limitYoungGeneration(): void {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  if (young && young.space_size >= MOST_YOUNG_BYTES) setFlagsFromString('--semi-space-growth-factor=1')
}

/** Writes the health file for the container's health check, and the status line for `systemctl status`, again and again. */
function startHeartbeat(runner: BridgeRunner, notifier: SystemdNotifier): void {
  const file = new HealthFile(process.env[HEALTH_FILE_VARIABLE], systemClock)
  const beat = () => {
    limitYoungGeneration()
    void file.beat(runner.isAlive())
    void notifier.status(runner.status())
  }
  beat()
  setInterval(beat, HEARTBEAT_MS)
}

function exitWithError(log: PinoLog, error: unknown): never {
  log.error('an unexpected error: this process ends', {error})
  log.flush()
  process.exit(EXIT.internal)
}

/**
 * Limits how often work runs that may be requested at any time.
 * @param ms milliseconds from the beginning of one work to the beginning of the next
 * @returns a function that does the work now, or when its time has come
 */
export function rateLimit(clock: Clock, ms: number): <T>(work: () => Promise<T>) => Promise<T> {
  let next = Number.NEGATIVE_INFINITY
  return async (work) => {
    const now = clock.now()
    const at = Math.max(now, next)
    next = at + ms
    if (at > now) await sleep(clock, at - now)
    return work()
  }
}

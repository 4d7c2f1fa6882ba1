/** A daemon that starts, notifies the watchdog once, reloads and stops: it sends every kind of notification. */
import {SystemdNotifier} from '../../../src/app/systemd.ts'
import {systemClock} from '../../../src/common/clock.ts'

const notifier = new SystemdNotifier(process.env, {clock: systemClock, onError: console.error})
if (Object.keys(process.env).some((name) => /^(LISTEN_|WATCHDOG_|NOTIFY_)/.test(name))) process.exitCode = 1
await notifier.status('the broker is down')
await notifier.ready()
await new Promise<void>((resolve) =>
  notifier.startWatchdog(() => {
    resolve()
    return true
  }),
)
notifier.stop()
await notifier.reloading()
await notifier.ready()
await notifier.stopping()

import {expect, it} from 'vitest'
import {type Clock, systemClock, type Timer} from '../../src/common/clock.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

/** The clock of a machine that is suspended and wakes up: sockets are read before any timer ends. */
class SuspendedClock implements Clock {
  #passed = 0
  #due: (() => void)[] | undefined

  now(): number {
    return systemClock.now() + this.#passed
  }

  date(): Date {
    return new Date(systemClock.date().getTime() + this.#passed)
  }

  after(ms: number, run: () => void): Timer {
    let isCancelled = false
    const end = () => {
      if (isCancelled) return
      if (this.#due) this.#due.push(end)
      else run()
    }
    const timer = systemClock.after(ms, end)
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
    }
  }

  suspend(ms: number): void {
    this.#passed += ms
    this.#due = []
  }

  letTimersEnd(): void {
    const due = this.#due ?? []
    this.#due = undefined
    for (const end of due) end()
  }
}

it('A command that is read from its socket before any timer ends, after a pause, is not carried out.', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const desk = await startPlug()
  const clock = new SuspendedClock()
  const bridge = await startBridge({broker, plugs: {desk}, clock})
  expect(await home.publish('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
  clock.suspend(180_000)
  await user.publish('miio2mqtt/desk/set', 'OFF')
  await until(() => bridge.log.some(({message}) => String(message).includes('was paused for 180 s')), {
    what: 'the pause to be noticed',
  })
  clock.letTimersEnd()
  await until(
    () => bridge.log.filter(({message}) => String(message).startsWith('connected to')).length === 2,
    {
      what: 'a new connection',
    },
  )
  expect(await home.publish('desk', 'set/led', 'ON')).toMatchObject({status: 'ok'})
  const switched = desk.received.filter(({method}) => method === 'set_power')
  expect(switched.map(({params}) => params)).toEqual([['on']])
})

it('A bridge that stood still is not taken for stalled by the watchdog, whose timer may be the first to end.', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const desk = await startPlug()
  const clock = new SuspendedClock()
  const bridge = await startBridge({broker, plugs: {desk}, clock})
  await user.waitFor('miio2mqtt/desk/availability', ({payload}) => payload.includes('online'))
  clock.suspend(180_000)
  expect(bridge.daemon.isAlive()).toBe(true)
  clock.letTimersEnd()
})

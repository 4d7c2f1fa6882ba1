import {beforeEach, describe, expect, it} from 'vitest'
import {AvailabilityLog} from '../../../../src/bridge/status/plug-log.ts'
import {forceAvailability} from '../../../support/force-availability.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {CallFailed} from '../../../support/scripted-plug.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {HOUR, MINUTE, SECOND, StagedPlug, stagedPlugs} from '../stage.ts'

let clock: VirtualClock
let log: RememberingLog
let availabilityLog: AvailabilityLog
let plugs: Map<string, StagedPlug>
let events: string[]

/** Several plugs that have responded for a while. */
async function stage(count: number, seed = 1): Promise<void> {
  clock = new VirtualClock()
  log = new RememberingLog()
  events = []
  plugs = stagedPlugs(clock, count, seed)
  const event = (type: string, {name}: Record<string, unknown>) => void events.push(`${type} ${name}`)
  availabilityLog = new AvailabilityLog({plugs, clock, log}, {event})
  for (const plug of plugs.values()) plug.addTo(availabilityLog)
  for (const plug of plugs.values()) plug.poller.start()
  await clock.advance(MINUTE)
}

const desk = (index = 0) => plugs.get(`desk ${index}`)?.scripted ?? expect.fail(`no desk ${index}`)
const fail = (index = 0, code: CallFailed['code'] = 'timeout') => {
  desk(index).failure = new CallFailed(code)
}
const recover = (index = 0) => {
  desk(index).failure = undefined
}
const everyDesk = (act: (index: number) => void) => {
  for (const index of [...plugs.keys()].keys()) act(index)
}

describe('a plug that goes offline', () => {
  beforeEach(() => stage(3))

  it('causes one warning with what to check, and one line when it is online again', async () => {
    fail()
    await clock.advance(30 * MINUTE)
    recover()
    await clock.advance(5 * MINUTE)
    expect(log.messages('warn')).toEqual([
      expect.stringMatching(/^desk 0 \(192\.168\.1\.40\) is offline: no answer from .*: is the plug powered/),
    ])
    expect(log.messages('info')).toEqual(['desk 0 (192.168.1.40) is online again'])
  })

  it('causes a reminder once an hour, in one line with all others that are offline', async () => {
    fail(0)
    await clock.advance(20 * MINUTE)
    fail(1)
    await clock.advance(5 * HOUR)
    const [first, second, ...reminders] = log.messages('warn')
    expect([first, second]).toEqual([
      expect.stringMatching(/^desk 0 \(192\.168\.1\.40\) is offline/),
      expect.stringMatching(/^desk 1 \(192\.168\.1\.40\) is offline/),
    ])
    expect(reminders).toEqual(Array(5).fill('still offline: desk 0 (192.168.1.40), desk 1 (192.168.1.40)'))
  })

  it('is not mentioned again once it is online again', async () => {
    fail()
    await clock.advance(30 * MINUTE)
    recover()
    await clock.advance(5 * HOUR)
    expect(log.messages('warn')).toHaveLength(1)
    availabilityLog.stop()
  })

  it('is an event each time it goes offline or comes online', async () => {
    events.length = 0
    fail()
    await clock.advance(10 * MINUTE)
    recover()
    await clock.advance(5 * MINUTE)
    expect(events).toEqual(['device_offline desk 0', 'device_online desk 0'])
  })

  it('is not logged again when timeout and unreachable alternate', async () => {
    for (let round = 0; round < 10; round++) {
      fail(0, round % 2 === 0 ? 'timeout' : 'unreachable')
      await clock.advance(5 * MINUTE)
    }
    expect(log.messages('warn')).toHaveLength(1)
  })

  it('is logged once more when it responds again and refuses the token', async () => {
    for (let round = 0; round < 4; round++) {
      fail(0, 'timeout')
      await clock.advance(5 * MINUTE)
      fail(0, 'bad_token')
      await clock.advance(5 * MINUTE)
    }
    expect(log.messages('warn')).toEqual([
      expect.stringMatching(/: no answer from /),
      expect.stringMatching(/: token wrong: /),
    ])
  })
})

describe('many plugs that are offline', () => {
  it('are not all listed', async () => {
    await stage(14)
    for (let index = 0; index < 12; index++) fail(index)
    await clock.advance(HOUR + 5 * MINUTE)
    expect(log.messages('warn').at(-1)).toMatch(/^still offline: .* and 2 more$/)
  })
})

describe('thousands of plugs', () => {
  const several = 2000

  it('that never responded are ten lines and one summary a minute, and each is an event', async () => {
    clock = new VirtualClock()
    log = new RememberingLog()
    events = []
    plugs = stagedPlugs(clock, several)
    const event = (type: string, {name}: Record<string, unknown>) => void events.push(`${type} ${name}`)
    availabilityLog = new AvailabilityLog({plugs, clock, log}, {event})
    for (const plug of plugs.values()) plug.addTo(availabilityLog)
    everyDesk(fail)
    for (const plug of plugs.values()) plug.poller.start()
    await clock.advance(3 * MINUTE)
    const lines = log.messages('warn')
    expect(lines.slice(0, 10)).toEqual(
      Array(10).fill(expect.stringMatching(/^desk \d+ \(192\.168\.1\.40\) is offline: no answer from /)),
    )
    expect(lines.slice(10)).toEqual([
      expect.stringMatching(
        /^1990 more plugs are offline: desk 10 \(192\.168\.1\.40\), .*desk 19 \(192\.168\.1\.40\) and 1980 more; the reason of each is on its topic/,
      ),
    ])
    expect(events).toHaveLength(several)
    everyDesk(recover)
    await clock.advance(3 * MINUTE)
    const back = log.messages('info')
    expect(back.slice(0, 10)).toEqual(
      Array(10).fill(expect.stringMatching(/^desk \d+ \(192\.168\.1\.40\) is online again$/)),
    )
    expect(back.length).toBeLessThan(14)
    const counted = back
      .slice(10)
      .map((line) => Number(/^(\d+) more plugs are online again: /.exec(line)?.[1]))
    expect(counted.reduce((sum, count) => sum + count, 10)).toBe(several)
    expect(events).toHaveLength(2 * several)
    for (const plug of plugs.values()) plug.poller.stop()
  })

  it('that go offline and come back within the minute are not in its summary', async () => {
    await stage(14)
    const since = clock.date()
    const set = (index: number, isOnline: boolean) => {
      const {device} = plugs.get(`desk ${index}`) ?? expect.fail()
      forceAvailability(
        device,
        isOnline ? {state: 'online'} : {state: 'offline', reason: 'timeout', since, message: 'why'},
      )
    }
    for (let index = 0; index < 13; index++) set(index, false)
    set(12, true)
    set(11, true)
    for (const plug of plugs.values()) plug.poller.stop()
    await clock.advance(2 * MINUTE)
    expect(log.messages('warn').slice(10)).toEqual([
      'one more plug is offline: desk 10 (192.168.1.40); the reason of each is on its topic …/availability',
    ])
    expect(log.messages('info')).toEqual([])
    availabilityLog.stop()
  })
})

describe('all plugs offline at once', () => {
  it.each([1, 2, 3, 4, 5])('are one warning about the network, whichever is first (%s)', async (seed) => {
    await stage(6, seed)
    everyDesk(fail)
    await clock.advance(10 * MINUTE)
    expect(log.messages('warn')).toEqual([
      'all plugs are offline: check the network, Wi-Fi and router of this machine',
    ])
    expect(events.filter((event) => event.startsWith('device_offline'))).toHaveLength(6)
  })

  it('stay one warning when the network then refuses to send at all', async () => {
    await stage(4)
    everyDesk(fail)
    await clock.advance(10 * MINUTE)
    everyDesk((index) => fail(index, 'unreachable'))
    await clock.advance(10 * MINUTE)
    expect(log.messages('warn')).toHaveLength(1)
  })

  it('are one line when they come back', async () => {
    await stage(6)
    everyDesk(fail)
    await clock.advance(10 * MINUTE)
    everyDesk(recover)
    await clock.advance(5 * MINUTE)
    expect(log.messages('info')).toEqual(['plugs answer again'])
  })

  it('do not hide the one that stays offline afterwards', async () => {
    await stage(4)
    everyDesk(fail)
    await clock.advance(10 * MINUTE)
    everyDesk(recover)
    fail(2)
    await clock.advance(HOUR)
    expect(log.messages('warn').at(-1)).toBe('still offline: desk 2 (192.168.1.40)')
  })

  it('are still logged one by one when each goes offline at another time', async () => {
    await stage(3)
    for (const index of [0, 1, 2]) {
      fail(index)
      await clock.advance(5 * MINUTE)
    }
    expect(log.messages('warn')).toHaveLength(3)
  })

  it('is no warning about the network where there is only one plug', async () => {
    await stage(1)
    fail()
    await clock.advance(10 * MINUTE)
    expect(log.messages('warn')).toEqual([expect.stringMatching(/^desk 0 \(192\.168\.1\.40\) is offline/)])
  })
})

describe('a plug that is disabled', () => {
  it('is not logged', async () => {
    await stage(2)
    plugs.get('desk 0')?.device.tracker.suspend('disabled')
    await clock.advance(5 * SECOND)
    expect(log.lines).toEqual([])
    expect(events.filter((event) => event.startsWith('device_offline'))).toEqual([])
  })
})

describe('a plug whose configuration was changed', () => {
  it('is in the reminder when it went offline before the plug that it replaces was removed', async () => {
    await stage(2)
    const before = plugs.get('desk 0') ?? expect.fail()
    const after = new StagedPlug(clock, {name: 'desk 0'})
    plugs.set('desk 0', after)
    after.addTo(availabilityLog)
    forceAvailability(after.device, {state: 'offline', reason: 'timeout', since: clock.date()})
    availabilityLog.plugRemoved(before)
    await clock.advance(HOUR)
    expect(log.messages('warn').at(-1)).toBe('still offline: desk 0 (192.168.1.40)')
  })
})

describe('the availability log', () => {
  it('leaves no timer behind', async () => {
    await stage(2)
    fail()
    await clock.advance(10 * MINUTE)
    for (const plug of plugs.values()) {
      plug.poller.stop()
      await plug.device.stop(0)
    }
    availabilityLog.stop()
    await clock.advance(20 * SECOND)
    expect(clock.pending).toBe(0)
  })
})

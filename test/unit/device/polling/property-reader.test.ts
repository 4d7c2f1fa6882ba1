import {describe, expect, it, vi} from 'vitest'
import type {StoredCapabilities} from '../../../../src/device/polling/firmware-capabilities.ts'
import {miot, overload, overTemperature} from '../../../../src/models/builders.ts'
import type {FirmwareFailure} from '../../../../src/simulator/firmware/firmware-profile.ts'
import {seeded} from '../../../support/virtual-clock.ts'
import {eight, readings, VirtualHome} from '../../../support/virtual-home.ts'

const names = Object.keys(eight.properties)
const others = names.slice(1)
const ways: readonly FirmwareFailure[] = ['silence', -9999, -30001]
const without = (...missing: string[]) => names.filter((name) => !missing.includes(name))
const stateWithout = (...missing: string[]) => ({
  ...readings,
  ...Object.fromEntries(missing.map((name) => [name, null])),
})

function tolerated({remembered}: VirtualHome): StoredCapabilities | undefined {
  return remembered.get('test.plug.eight 2.0.4_0026')
}

describe('a plug without quirks', () => {
  it('is asked for everything in one request', async () => {
    const home = new VirtualHome()
    await home.poll()
    expect(home.asked()).toEqual([names])
    expect(home.device.state).toMatchObject(readings)
  })
})

describe.each(ways)('a batch of eight has a property that makes it fail by %s', (way) => {
  it.each(others)(
    'at the place of %s: it is isolated within three polls, and the relay never lost',
    async (failing) => {
      const home = new VirtualHome({profile: {failingProperties: {[failing]: way}}})
      for (let poll = 0; poll < 3; poll++) {
        home.plug.state['state'] = poll === 1 ? 'OFF' : 'ON'
        await home.poll()
        expect(home.device.state).toMatchObject({...stateWithout(failing), state: poll === 1 ? 'OFF' : 'ON'})
      }
      expect(home.device.unsupported).toEqual([failing])
      expect(home.warnings).toEqual([
        expect.stringContaining(`the firmware fails at requests for ${failing}: `),
      ])
      const before = home.plug.received.length
      await home.poll()
      expect(home.asked(before)).toEqual([without(failing)])
    },
  )

  it('among all: it is not asked after a restart', async () => {
    const home = new VirtualHome({profile: {failingProperties: {power: way}}})
    for (let poll = 0; poll < 3; poll++) await home.poll()
    home.restart()
    const before = home.plug.received.length
    expect(await home.poll()).toBeLessThan(500)
    expect(home.asked(before)).toEqual([without('power')])
    expect(home.device.unsupported).toEqual(['power'])
  })

  it('and has two alarms in one value: both are isolated, and nothing else', async () => {
    const alarms = {
      over_temperature: overTemperature(miot(2, 3), {on: [1]}),
      overload: overload(miot(2, 3), {on: [2]}),
    }
    const model = {...eight, properties: {...eight.properties, ...alarms}}
    const home = new VirtualHome({
      model,
      profile: {failingProperties: {over_temperature: way}},
      state: {...readings, over_temperature: 'OFF', overload: 'OFF'},
    })
    for (let poll = 0; poll < 3; poll++) await home.poll()
    expect([...home.device.unsupported].sort()).toEqual(['over_temperature', 'overload'])
    expect(home.device.state).toMatchObject(readings)
  })

  it('and another one: both are isolated', async () => {
    for (const [one, other] of [
      ['usb', 'led'],
      ['usb', 'state_1'],
      ['voltage', 'current'],
    ] as const) {
      const home = new VirtualHome({profile: {failingProperties: {[one]: way, [other]: way}}})
      for (let poll = 0; poll < 3; poll++) await home.poll()
      expect([...home.device.unsupported].sort()).toEqual([one, other].sort())
      expect(home.device.state).toMatchObject(stateWithout(one, other))
      expect(tolerated(home)?.batch).toBeUndefined()
    }
  })
})

describe.each(ways)('a request for too many values ends in %s', (failure) => {
  it.each([1, 2, 3, 5, 7])(
    '%i are not too many: all are read in every poll, and so many are remembered',
    async (most) => {
      const home = new VirtualHome({profile: {batch: {most, failure}}})
      for (let poll = 0; poll < 3; poll++) {
        await home.poll()
        expect(home.device.state).toMatchObject(readings)
      }
      expect(tolerated(home)?.batch).toBeLessThanOrEqual(most)
      expect(tolerated(home)?.batch).toBeGreaterThan(most / 2 - 0.5)
      home.restart()
      const before = home.plug.received.length
      await home.poll()
      expect(Math.max(...home.asked(before).map((asked) => asked.length))).toBeLessThanOrEqual(most)
      expect(home.asked(before).flat()).toEqual(names)
      expect(home.device.unsupported).toEqual([])
    },
  )
})

describe('a firmware that reboots, and switches its sockets,', () => {
  const HALF_AN_HOUR_MS = 1_800_000

  /** Polls as the bridge does, for half an hour. @returns how often the plug rebooted */
  async function reboots(home: VirtualHome): Promise<number> {
    const reboot = vi.spyOn(home.plug, 'rebootFromOverload')
    home.poller.start()
    await home.clock.advance(HALF_AN_HOUR_MS)
    home.poller.stop()
    const {length} = reboot.mock.calls
    reboot.mockRestore()
    return length
  }

  it.each([1, 2, 5])('at more than %i values in a request: few times, and never again', async (most) => {
    const home = new VirtualHome({profile: {batch: {most, failure: 'reboot'}}})
    expect(await reboots(home)).toBeLessThanOrEqual(4)
    expect(home.device.availability).toEqual({state: 'online'})
    expect(home.device.state).toMatchObject({power: 123, temperature: 41})
    expect(tolerated(home)?.batch).toBe(1)
    home.restart()
    expect(await reboots(home)).toBe(0)
    expect(home.device.unsupported).toEqual([])
  })

  it('at a request for a property that it answered before: likewise, and then it is left out', async () => {
    const home = new VirtualHome()
    await home.poll('rare')
    home.plug.setFaults({failingProperties: {power: 'reboot'}})
    expect(await reboots(home)).toBeLessThanOrEqual(4)
    expect(home.device.unsupported).toEqual(['power'])
    expect(await reboots(home)).toBe(0)
  })

  it.each(others)('at a request for %s: a few times, until it is left out', async (failing) => {
    const home = new VirtualHome({profile: {failingProperties: {[failing]: 'reboot'}}})
    expect(await reboots(home)).toBeLessThanOrEqual(4)
    expect(home.device.unsupported).toEqual([failing])
    expect(home.device.availability).toEqual({state: 'online'})
    home.restart()
    expect(await reboots(home)).toBe(0)
  })
})

describe('responses with fewer items than were requested', () => {
  it.each([1, 3])(
    'only the first %i items come: the rest is asked for alone at once, and so many are remembered',
    async (maxItems) => {
      const home = new VirtualHome({profile: {maxItems}})
      for (let poll = 0; poll < 3; poll++) {
        await home.poll()
        expect(home.device.state).toMatchObject(readings)
      }
      expect(tolerated(home)?.batch).toBe(maxItems)
    },
  )

  it('once or twice they are chance, and nothing is remembered', async () => {
    const home = new VirtualHome()
    const short = {garble: {payload: '{"id":$id,"result":[{"siid":2,"piid":1,"code":0,"value":true}]}'}}
    for (let poll = 0; poll < 9; poll++) {
      if (poll % 3 < 2) home.plug.next(short)
      await home.poll()
      expect(home.device.state).toMatchObject(readings)
    }
    expect(tolerated(home)?.batch).toBeUndefined()
  })

  it('cut at 231 characters: everything is read all the same', async () => {
    const home = new VirtualHome({profile: {missingComma: true, cutAt: 231}})
    for (let poll = 0; poll < 3; poll++) {
      await home.poll()
      expect(home.device.state).toMatchObject(readings)
    }
    const before = home.plug.received.length
    expect(await home.poll()).toBeLessThan(1000)
    expect(home.asked(before).flat()).toEqual(names)
  })

  it.each([-4001, -4003])(
    '%i means that there is nothing to read: after three times the property is left out',
    async (code) => {
      const home = new VirtualHome({profile: {codes: {usb: code}}})
      for (let poll = 0; poll < 3; poll++) await home.poll()
      expect(home.device.unsupported).toEqual(['usb'])
      expect(home.device.state).toMatchObject(stateWithout('usb'))
    },
  )

  it('-4004 means a failure inside: the property is requested again with everything else', async () => {
    const home = new VirtualHome({profile: {codes: {usb: -4004}}})
    for (let poll = 0; poll < 10; poll++) await home.poll()
    expect(home.device.unsupported).toEqual([])
    expect(home.asked()).toEqual(Array.from({length: 10}, () => names))
  })
})

describe('a plug that is unreachable', () => {
  it('costs few hellos a poll, and no failure is counted', async () => {
    const home = new VirtualHome()
    home.plug.setFaults({silence: true})
    for (const hellos of [9, 9, 1, 1, 1]) {
      const [before, sent] = [home.clock.now(), home.network.sent.length]
      await expect(home.poll()).rejects.toMatchObject({code: 'timeout', stage: 'hello'})
      expect(home.clock.now() - before).toBeLessThan(6300)
      expect(home.network.sent.length - sent).toBe(hellos)
    }
    home.plug.setFaults({})
    await home.poll()
    expect(home.asked()).toEqual([['state'], names])
  })

  it('and becomes so in the middle of a poll gets no further requests', async () => {
    const home = new VirtualHome({profile: {batch: {most: 2, failure: -9999}}})
    for (let poll = 0; poll < 3; poll++) await home.poll()
    const poll = home.device.poll('slow')
    await home.clock.advance(100)
    home.plug.setFaults({silence: true})
    const begun = home.clock.now()
    await home.after(7000, poll)
    expect(home.clock.now() - begun).toBe(7000)
    expect(home.device.unsupported).toEqual([])
  })

  it('and whose long responses are lost twice in a row, time and again, is asked for as many values as before', async () => {
    const home = new VirtualHome()
    for (let poll = 0; poll < 30; poll++) {
      const lost = {loseResponse: true}
      if (poll % 3 < 2) home.plug.next(lost, lost, lost)
      await home.poll()
      expect(home.device.state).toMatchObject(readings)
    }
    expect(tolerated(home)).toMatchObject({left_out: [], batch: undefined})
  })
})

describe('a property that was answered once', () => {
  it('is never left out, but requested alone and hardly ever while it fails its batch', async () => {
    const home = new VirtualHome()
    await home.poll('rare')
    home.plug.setFaults({failingProperties: {power: 'silence'}})
    for (let poll = 0; poll < 5; poll++) await home.poll()
    expect(home.device.unsupported).toEqual([])
    const before = home.plug.received.length
    expect(await home.poll()).toBeLessThan(500)
    expect(home.asked(before)).toEqual([without('power')])
    home.plug.setFaults({})
    await home.poll('rare')
    expect(home.device.state).toMatchObject(readings)
    const after = home.plug.received.length
    await home.poll()
    expect(home.asked(after)).toEqual([names])
  })
})

describe('a property that was left out', () => {
  async function leftOut(): Promise<VirtualHome> {
    const home = new VirtualHome({faults: {failingProperties: {power: 'silence'}}})
    for (let poll = 0; poll < 3; poll++) await home.poll()
    expect(home.device.unsupported).toEqual(['power'])
    return home
  }

  it('is tried again when a caller asks for it by name', async () => {
    const home = await leftOut()
    home.plug.setFaults({})
    const state = await home.after(10_000, home.device.read(home.clock.now() + 10_000, 'power'))
    expect(state['power']).toBe(123)
    expect(home.device.unsupported).toEqual([])
    expect(tolerated(home)).toMatchObject({left_out: [], answered: expect.arrayContaining(['power'])})
  })

  it('is left out again at once when it fails again, and costs the others nothing', async () => {
    const home = await leftOut()
    const before = home.plug.received.length
    const state = await home.after(10_000, home.device.read(home.clock.now() + 10_000, 'power'))
    expect(state).toMatchObject(stateWithout('power'))
    expect(home.asked(before).filter((asked) => asked.includes('power'))).toEqual([
      ['power'],
      ['power'],
      ['power'],
    ])
    expect(home.device.unsupported).toEqual(['power'])
  })

  it('is requested again after a change of firmware', async () => {
    const home = await leftOut()
    home.plug.setFaults({firmware: '2.0.5_0001'})
    await home.after(1000, home.device.identify())
    await home.poll()
    expect(home.device.state).toMatchObject(readings)
    expect(home.device.unsupported).toEqual([])
  })
})

describe('a bad network', () => {
  it.each(Array.from({length: 12}, (_, seed) => seed))(
    'that loses three of ten datagrams for an hour never leaves out a property that works (seed %i)',
    async (seed) => {
      const home = new VirtualHome({random: seeded(seed), faults: {loss: 0.3, loseResponses: 0.3}})
      home.poller.start()
      await home.clock.advance(3_600_000)
      home.poller.stop()
      expect(home.device.unsupported).toEqual([])
      expect(tolerated(home)?.batch).toBeUndefined()
      expect(home.plug.received.length).toBeGreaterThan(100)
    },
    120_000,
  )

  it('and one failing property: it is found in the end, and no other', async () => {
    for (const seed of [1, 2, 3]) {
      const faults = {loss: 0.1, loseResponses: 0.1, failingProperties: {led: 'silence' as const}}
      const home = new VirtualHome({random: seeded(seed), faults})
      home.poller.start()
      await home.clock.advance(3_600_000)
      home.poller.stop()
      expect(home.device.unsupported).toEqual(['led'])
    }
  }, 120_000)
})

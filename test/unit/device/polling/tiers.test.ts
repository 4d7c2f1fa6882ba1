import {describe, expect, it} from 'vitest'
import {childLock, led, miot, relay, watts} from '../../../../src/models/builders.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import type {Model} from '../../../../src/models/model.ts'
import {eight, VirtualHome} from '../../../support/virtual-home.ts'

const HOUR_MS = 3_600_000

/** A strip that cannot take much: the simulator reboots it when it is asked too often (src/simulator/firmware/firmware-profile.ts). */
const strip = builtIn.find('cuco.plug.sp5') ?? eight

/** How often a property was asked for. */
function times(home: VirtualHome, name: string): number {
  return home.asked().filter((asked) => asked.includes(name)).length
}

async function anHour(home: VirtualHome): Promise<VirtualHome> {
  home.poller.start()
  await home.clock.advance(HOUR_MS)
  home.poller.stop()
  return home
}

describe('tiers', () => {
  it('fast is read at every poll, slow every minute, rare at every tenth slow poll, all at first', async () => {
    const model: Model = {
      ...eight,
      properties: {
        state: relay(miot(2, 1)),
        power: watts(miot(11, 2)),
        led: led(miot(13, 1)),
        child_lock: childLock(miot(7, 1)),
      },
    }
    const home = await anHour(new VirtualHome({model, state: {}}))
    expect(times(home, 'state')).toBeGreaterThan(220)
    expect(times(home, 'power')).toBe(times(home, 'state'))
    expect(times(home, 'led')).toBeGreaterThanOrEqual(50)
    expect(times(home, 'led')).toBeLessThanOrEqual(61)
    expect(times(home, 'child_lock')).toBeGreaterThanOrEqual(5)
    expect(times(home, 'child_lock')).toBeLessThanOrEqual(6)
    expect(home.asked()[0]).toEqual(['state', 'power', 'led'])
    expect(home.asked()[1]).toEqual(['child_lock'])
  })

  it('what a command kept a poll from reading is read by the next poll, not by the next of its tier', async () => {
    const home = new VirtualHome({model: {...eight, batch: 1}})
    home.poller.start()
    await home.clock.advance(100)
    void home.device.set('state', 'OFF', home.clock.now() + 10_000)
    await home.clock.advance(14_000)
    expect(home.device.state['temperature']).toBe(null)
    await home.clock.advance(3000)
    home.poller.stop()
    expect(home.device.state['temperature']).toBe(41)
  })
})

describe('a first poll that takes long', () => {
  it('shows the plug, online, a second after its relay was read', async () => {
    const slow = new VirtualHome({model: {...eight, batch: 1, pause: 3000}})
    slow.poller.start()
    await slow.clock.advance(2500)
    expect(slow.device.availability).toEqual({state: 'online'})
    expect(slow.device.state).toMatchObject({state: 'ON', temperature: null})
    slow.poller.stop()
  })

  it('since a property fails its batch: a second after the relay was read alone', async () => {
    const home = new VirtualHome({profile: {failingProperties: {power: 'silence'}}})
    home.poller.start()
    await home.clock.advance(8500)
    expect(home.device.availability).toEqual({state: 'online'})
    expect(home.device.state).toMatchObject({state: 'ON', temperature: null})
    home.poller.stop()
  })
})

describe('a strip that reboots, and switches its sockets, when it is asked too often', () => {
  it.each([
    ['by default', {}],
    ['with poll.interval 5s for all plugs', {interval: 5000, slow_interval: 5000}],
  ])('%s never does in an hour', async (_name, settings) => {
    const home = await anHour(new VirtualHome({model: strip, state: {}, settings}))
    expect(home.plug.uptimeS).toBe(86_400 + HOUR_MS / 1000)
    expect(home.plug.state).toMatchObject({state: 'OFF', state_1: 'OFF', state_2: 'OFF', state_3: 'OFF'})
    expect(times(home, 'state')).toBeGreaterThan(25)
    expect(times(home, 'state')).toBeLessThanOrEqual(33)
  })

  it('would, without its own interval', async () => {
    const {interval: _, pause: __, ...careless} = strip
    const home = await anHour(new VirtualHome({model: careless, state: {}, settings: {interval: 5000}}))
    expect(home.plug.uptimeS).toBeLessThan(HOUR_MS / 1000)
  })

  it('is polled as often as its own poll.interval says: the user knows better', async () => {
    const settings = {interval: 60_000, ignoresModelInterval: true}
    const home = await anHour(new VirtualHome({model: strip, state: {}, settings}))
    expect(times(home, 'state')).toBeGreaterThan(40)
  })
})

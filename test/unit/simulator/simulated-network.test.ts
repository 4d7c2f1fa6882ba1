import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import {afterEach, describe, expect, it} from 'vitest'
import {HELLO, MIIO_PORT} from '../../../src/miio/packet.ts'
import {kilowattHours, miot} from '../../../src/models/builders.ts'
import {builtIn, Catalogue} from '../../../src/models/catalogue.ts'
import type {Model} from '../../../src/models/model.ts'
import {
  LOOPBACK_BROADCAST,
  type SimulatedNetwork,
  simulate,
} from '../../../src/simulator/simulated-network.ts'
import {BROADCAST, loopback} from '../../support/addresses.ts'
import {MiioRequester} from '../../support/miio-requester.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {eight} from '../../support/virtual-home.ts'

const clock = new VirtualClock()
let running: SimulatedNetwork | undefined

afterEach(async () => {
  await running?.stop()
  expect(clock.pending).toBe(0)
})

function make(options: Partial<Parameters<typeof simulate>[0]> = {}): SimulatedNetwork {
  running = simulate({
    count: 5,
    firstAddress: loopback(61, 254),
    seed: 7,
    clock,
    random: seeded(1),
    broadcast: BROADCAST,
    ...options,
  })
  return running
}

it('every plug replies to a broadcast hello from its own address', async () => {
  const {plugs} = make({broadcast: LOOPBACK_BROADCAST})
  await running?.start()
  const client = await new MiioRequester().open()
  client.send(HELLO, LOOPBACK_BROADCAST)
  const missing = new Map(plugs.map((plug) => [plug.address, plug.did]))
  for await (const {packet, from} of client.received()) {
    // Other simulators on this machine receive the broadcast as well.
    if (missing.get(from.address) === packet.readUInt32BE(8)) missing.delete(from.address)
    if (missing.size === 0) break
  }
  client.close()
  expect(missing.size).toBe(0)
})

describe('a simulated network', () => {
  it('has consecutive addresses and the models in turn', () => {
    const {plugs} = make({models: ['chuangmi.plug.v3', 'chuangmi.plug.m1']})
    expect(plugs.map((plug) => plug.address)).toEqual([
      loopback(61, 254),
      loopback(61, 255),
      loopback(62, 0),
      loopback(62, 1),
      loopback(62, 2),
    ])
    expect(plugs.map((plug) => plug.modelId.slice(-2))).toEqual(['v3', 'm1', 'v3', 'm1', 'v3'])
  })

  it('has a device id and a token of its own for each plug, the same for the same seed', () => {
    const identities = (seed: number) =>
      make({seed}).plugs.map(({did, token}) => `${did} ${token.toString('hex')}`)
    expect(identities(3)).toEqual(identities(3))
    expect(new Set([...identities(3), ...identities(4)]).size).toBe(10)
  })

  it('has every model of the catalogue', () => {
    const {ids} = builtIn
    const {plugs} = make({count: ids.length})
    expect(plugs.map((plug) => plug.modelId)).toEqual(ids)
  })

  it('has only the models of its catalogue', () => {
    const catalogue = new Catalogue([eight])
    expect(make({catalogue, models: ['test.plug.eight'], count: 1}).plugs[0]?.model.name).toBe('Test plug')
    expect(() => make({models: ['test.plug.eight']})).toThrow('no definition of the model "test.plug.eight"')
  })

  it('may have no plugs, but not without a model', () => {
    expect(make({count: 0}).plugs).toEqual([])
    expect(() => make({models: []})).toThrow('expected at least one model')
  })
})

describe('a broadcast address that is taken', () => {
  it('is an error with the address, and stops all plugs', async () => {
    const thief = createSocket('udp4')
    thief.bind(MIIO_PORT, BROADCAST)
    await once(thief, 'listening')
    await expect(make().start()).rejects.toThrow(
      `UDP ${BROADCAST}:54321 is taken: is another simulator, or a demo, running? (EADDRINUSE)`,
    )
    thief.close()
    await once(thief, 'close')
    await make().start()
  })

  it('is shared with another simulator', async () => {
    const other = simulate({
      count: 1,
      firstAddress: loopback(63, 1),
      clock,
      random: seeded(2),
      broadcast: BROADCAST,
    })
    await other.start()
    await make({count: 1, firstAddress: loopback(63, 2)}).start()
    await other.stop()
  })
})

describe('readings that move', () => {
  const metered = {models: ['chuangmi.plug.v3'], count: 2}

  it('wander while the relay is on, and are 0 while it is off', async () => {
    const network = make(metered)
    const [on, off] = network.plugs
    network.startDrift(1000)
    const seen = new Set<unknown>()
    for (let tick = 0; tick < 200; tick++) {
      await clock.advance(1000)
      seen.add(on?.state['power'])
      expect(on?.state['power']).toBeGreaterThan(0)
      expect(on?.state['power']).toBeLessThanOrEqual(2200)
      expect(off?.state['power']).toBe(0)
    }
    expect(seen.size).toBeGreaterThan(190)
  })

  const meter: Model = {
    ...eight,
    ids: ['test.plug.meter'],
    properties: {
      ...eight.properties,
      energy: kilowattHours(miot(11, 1), {scale: 0.01}),
    },
  }
  const strip = {models: meter.ids, catalogue: new Catalogue([meter]), count: 1}

  it('keep the voltage near that of the mains; current and energy follow the power', async () => {
    const [plug] = make(strip).plugs
    if (!plug) throw new Error('expected a plug')
    expect(plug.state).toMatchObject({state: 'ON', state_1: 'ON'})
    running?.startDrift(1000)
    let joules = Number(plug.state['power'])
    for (let tick = 0; tick < 3599; tick++) {
      await clock.advance(1000)
      const [power, voltage, current] = ['power', 'voltage', 'current'].map((name) =>
        Number(plug.state[name]),
      )
      expect(voltage).toBeGreaterThan(215)
      expect(voltage).toBeLessThan(245)
      expect(power).toBeLessThanOrEqual(Number(voltage) * Number(current))
      expect(power).toBeGreaterThan(0.9 * Number(voltage) * Number(current))
      joules += Number(power)
    }
    expect(Number(plug.state['energy'])).toBeCloseTo(joules / 3.6e6, 6)
  })

  it('are 0 on a strip while all its sockets are off', async () => {
    const [plug] = make(strip).plugs
    if (plug) plug.state['state_1'] = 'OFF'
    running?.startDrift(1000)
    await clock.advance(5000)
    expect(plug?.state).toMatchObject({state: 'ON', state_1: 'OFF', power: 0, current: 0, energy: 0})
  })

  it('change by a small step', async () => {
    const network = make(metered)
    const [on] = network.plugs
    network.startDrift(1000)
    const before = Number(on?.state['power'])
    await clock.advance(1000)
    expect(Math.abs(Number(on?.state['power']) / before - 1)).toBeLessThan(0.05)
  })

  it('include a temperature that follows the power', async () => {
    const network = make(metered)
    const [plug] = network.plugs
    if (!plug) throw new Error('expected a plug')
    network.startDrift(1000)
    await clock.advance(300_000)
    const warm = Number(plug.state['temperature'])
    expect(warm).toBeGreaterThan(28)
    plug.state['state'] = 'OFF'
    await clock.advance(300_000)
    expect(plug.state['temperature']).toBeLessThan(26)
  })
})

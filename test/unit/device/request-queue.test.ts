/** The queue of a device in front of the real client: the client itself refuses a second request. */
import {beforeEach, describe, expect, it} from 'vitest'
import {Device} from '../../../src/device/device.ts'
import type {MiioClient} from '../../../src/miio/client.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import type {MemoryPlug} from '../../support/memory-network.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {home} from '../miio/client-setup.ts'

const SECOND = 1000

let clock: VirtualClock
let plug: MemoryPlug
let device: Device
let client: MiioClient

beforeEach(() => {
  clock = new VirtualClock()
  const parts = home(clock)
  plug = parts.plug
  client = parts.client
  const identity = {model: 'chuangmi.plug.m1'}
  const findModel = (id: string) => builtIn.find(id)
  device = new Device({name: 'desk', transport: parts.client, clock, identity, findModel})
})

const within = (ms: number) => clock.now() + ms
const code = (promise: Promise<unknown>) =>
  promise.then(
    (value) => (value === false ? 'interrupted' : 'ok'), // as polls are by commands and reads
    (error) => error.code ?? error.name,
  )
const methods = () => plug.requests.map(({method}) => method)

describe('a device', () => {
  it('has one request in flight at any time, whatever is asked at once', async () => {
    plug.delay = 300
    const results = [
      device.poll('rare'),
      device.read(within(10 * SECOND)),
      device.set('state', 'ON', within(10 * SECOND)),
      device.set('led', 'OFF', within(10 * SECOND)),
      device.rawCall('get_prop', ['power'], within(10 * SECOND)),
      device.identify({deadline: within(10 * SECOND)}),
    ].map(code)
    await clock.advance(20 * SECOND)
    expect(await Promise.all(results)).toEqual(['interrupted', 'ok', 'ok', 'ok', 'ok', 'ok'])
    expect(plug.requests.length).toBeGreaterThan(6)
    const gaps = plug.requests.slice(1).map(({at}, index) => at - (plug.requests[index]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(300)
  })

  it('looks for the plug at a new address in its turn: after commands, before polls', async () => {
    plug.delay = 300
    const elsewhere = {host: '192.168.1.77', port: 54321}
    const poll = code(device.poll('rare'))
    await clock.advance(100)
    const move = device.enqueue(() => client.moveTo(elsewhere.host))
    const command = code(device.rawCall('set_power', ['on'], within(10 * SECOND)))
    await clock.advance(300)
    plug.moveTo(elsewhere)
    await clock.advance(20 * SECOND)
    expect([await poll, await command, await move]).toEqual(['interrupted', 'timeout', true])
    expect(client.host).toBe(elsewhere.host)
  })

  it('sends nothing beside a request that a pause of the process has made late', async () => {
    plug.answer = () => []
    const poll = code(device.poll('fast'))
    await clock.advance(1000)
    await clock.jump(180 * SECOND)
    const later = [device.poll('fast'), device.rawCall('get_prop', [], within(60 * SECOND))].map(code)
    await clock.advance(100 * SECOND)
    expect([await poll, await Promise.all(later)]).toEqual(['timeout', ['interrupted', 'timeout']])
  })

  it('answers a command that waits at its deadline, and never sends it', async () => {
    plug.answer = () => []
    const first = code(device.rawCall('get_prop', ['power'], within(10 * SECOND)))
    void code(device.read(within(10 * SECOND)))
    const second = code(device.set('state', 'ON', within(SECOND)))
    await clock.advance(SECOND)
    expect(await second).toBe('expired')
    await clock.advance(20 * SECOND)
    expect(await first).toBe('timeout')
    expect(methods()).not.toContain('set_power')
  })

  it('answers all that wait when it is stopped', async () => {
    plug.answer = () => []
    const results = [
      device.set('state', 'ON', within(10 * SECOND)),
      device.set('led', 'ON', within(10 * SECOND)),
      device.rawCall('get_prop', ['power'], within(10 * SECOND)),
      device.read(within(10 * SECOND)),
      device.identify({deadline: within(10 * SECOND)}),
    ].map(code)
    await clock.advance(100)
    const stopped = device.stop(0)
    await clock.advance(0)
    await stopped
    expect(await Promise.all(results)).toEqual(['timeout', 'expired', 'expired', 'timeout', 'timeout'])
    expect(clock.pending).toBe(0)
    expect(methods()).toEqual(['set_power'])
  })
})

import {beforeEach, describe, expect, it, vi} from 'vitest'
import {BridgeStatus} from '../../../../src/bridge/status/bridge-status.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import {CallFailed} from '../../../support/scripted-plug.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {
  HOUR,
  MINUTE,
  RememberingPublisher,
  SECOND,
  type StagedPlug,
  stagedPlugs,
  testContext,
} from '../stage.ts'

let clock: VirtualClock
let publisher: RememberingPublisher
let plugs: Map<string, StagedPlug>
let status: BridgeStatus

function stage(count: number): void {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  plugs = stagedPlugs(clock, count)
  const source = {
    info: () => ({version: '1.2.3'}),
    metrics: () => ({uptime: clock.now() / 1000}),
    onWarning: () => () => {},
  }
  status = new BridgeStatus(testContext(clock, {publisher, plugs}), source)
}

beforeEach(() => stage(2))

const latest = (leaf: 'devices' | 'health') =>
  JSON.parse(publisher.on(`miio2mqtt/bridge/${leaf}`).at(-1)?.payload ?? 'null')
const times = (leaf: 'devices' | 'health') => publisher.on(`miio2mqtt/bridge/${leaf}`).map(({at}) => at)

describe('the list of devices', () => {
  it('has each plug with its properties and its availability', async () => {
    const [plug] = plugs.values()
    plug?.poller.start()
    const identified = plug?.device.identify()
    await clock.advance(SECOND)
    await identified
    status.devices()
    expect(latest('devices')).toHaveLength(2)
    expect(latest('devices')[0]).toEqual({
      name: 'desk 0',
      did: 4711,
      model: 'chuangmi.plug.m1',
      vendor: 'Xiaomi',
      description: 'beside the window',
      firmware: '1.2.4_16',
      mac: '28:6c:07:0a:0b:0c',
      address: '192.168.1.40',
      availability: {state: 'online'},
      properties: [
        {name: 'state', kind: 'switch', values: ['ON', 'OFF'], access: 'read_write'},
        {name: 'temperature', kind: 'sensor', unit: '°C', access: 'read'},
        {name: 'led', kind: 'switch', values: ['ON', 'OFF'], access: 'read_write'},
        {name: 'rssi', kind: 'sensor', unit: 'dBm', access: 'read'},
        {name: 'last_seen', kind: 'sensor', access: 'read'},
      ],
      filtered: [],
      left_out: [],
      implausible: [],
    })
  })

  it('has the source of energy, and implausible properties, as soon as they change', async () => {
    const [plug] = plugs.values()
    if (!plug) throw new Error('expected a plug')
    const found = {property: 'power', value: 9000, raw: 900_000, why: 'no plug carries more than 5000 W'}
    vi.spyOn(plug.device, 'model', 'get').mockReturnValue(builtIn.find('chuangmi.plug.v3'))
    vi.spyOn(plug.device, 'implausible', 'get').mockReturnValue([found])
    vi.spyOn(plug.device, 'energySource', 'get').mockReturnValue('integrated')
    plug.addTo(status)
    plug.device.emit('metadataChanged')
    await clock.advance(2 * SECOND)
    expect(latest('devices')[0].implausible).toEqual([found])
    const energy = {name: 'energy', kind: 'sensor', unit: 'kWh', access: 'read', source: 'integrated'}
    expect(latest('devices')[0].properties).toContainEqual(energy)
  })

  it('has null for what is not known yet', () => {
    status.devices()
    expect(latest('devices')[1]).toMatchObject({firmware: null, mac: null, availability: {state: 'unknown'}})
  })

  it('has no secrets', async () => {
    const [plug] = plugs.values()
    const identified = plug?.device.identify()
    await clock.advance(SECOND)
    await identified
    status.devices()
    expect(publisher.messages.map(({payload}) => payload).join()).not.toContain('secret')
  })

  it('is published once for many plugs that change together', async () => {
    stage(50)
    for (const plug of plugs.values()) plug.addTo(status)
    for (const plug of plugs.values()) plug.poller.start()
    await clock.advance(5 * SECOND)
    expect(times('devices')).toHaveLength(1)
    expect(
      latest('devices').every(({availability}: {availability: unknown}) =>
        JSON.stringify(availability).includes('online'),
      ),
    ).toBe(true)
  })

  it('follows each change within a second or so', async () => {
    const [plug] = plugs.values()
    plug?.addTo(status)
    plug?.poller.start()
    await clock.advance(MINUTE)
    if (plug) plug.scripted.failure = new CallFailed('bad_token')
    await clock.advance(30 * SECOND)
    expect(latest('devices')[0].availability).toMatchObject({state: 'offline', reason: 'bad_token'})
  })

  it('is not published while nothing changes', async () => {
    for (const plug of plugs.values()) {
      plug.addTo(status)
      plug.poller.start()
    }
    await clock.advance(HOUR)
    expect(times('devices')).toHaveLength(1)
  })
})

describe('the health of the bridge', () => {
  it('is published within 10 s of the start, then about every minute', async () => {
    status.start()
    await clock.advance(10 * MINUTE)
    const [first = 0, ...later] = times('health')
    expect(first).toBeLessThanOrEqual(10 * SECOND)
    expect(later.length).toBeGreaterThanOrEqual(9)
    expect(later.length).toBeLessThanOrEqual(10)
  })

  it('has metrics, and for each plug its counters, its queue and the time of its last response', async () => {
    const [plug] = plugs.values()
    plug?.poller.start()
    status.start()
    await clock.advance(10 * SECOND)
    expect(latest('health')).toEqual({
      uptime: 5,
      devices: {
        'desk 0': {
          requests: 7,
          timeouts: 1,
          retries: 1,
          latency_p50: 2.5,
          latency_p95: null,
          queue: 0,
          last_seen: expect.stringMatching(/^2026-01-01T00:00:00\.\d{3}Z$/),
        },
        'desk 1': expect.objectContaining({last_seen: null}),
      },
    })
  })
})

describe('what the bridge reports about itself', () => {
  it('is retained when it describes a state, and not when it is an event', () => {
    status.state('online')
    status.info()
    status.devices()
    status.health()
    status.event('device_moved', {name: 'desk 0'})
    status.logging({level: 'warn', message: 'something', device: 'desk 0'})
    expect(
      publisher.messages.map(({topic, retain}) => [topic.slice('miio2mqtt/bridge/'.length), retain]),
    ).toEqual([
      ['state', true],
      ['info', true],
      ['devices', true],
      ['health', true],
      ['event', false],
      ['logging', false],
    ])
  })

  it('ends with the bridge', async () => {
    status.start()
    status.devicesSoon()
    status.stopped()
    await clock.advance(HOUR)
    expect(publisher.messages).toMatchObject([
      {topic: 'miio2mqtt/bridge/state', payload: '{"state":"offline"}'},
    ])
    expect(clock.pending).toBe(0)
  })
})

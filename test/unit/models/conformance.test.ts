import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {plugDiscovery} from '../../../src/bridge/homeassistant/plug-discovery.ts'
import {buildRead, buildWrite, decodeResponse, expectOk} from '../../../src/device/codec/property-codec.ts'
import {isWritable} from '../../../src/device/codec/values.ts'
import {Device} from '../../../src/device/device.ts'
import {MiioClient} from '../../../src/miio/client.ts'
import {MiioSocket, type UdpTransport} from '../../../src/miio/socket.ts'
import {isKnownPropertyName, PROPERTY_NAMES, propertyPattern} from '../../../src/models/builder-table.ts'
import {builtIn, definitions} from '../../../src/models/catalogue.ts'
import type {Address, Model, Property, RawValue, Value} from '../../../src/models/model.ts'
import {firmwareOf} from '../../../src/simulator/firmware/firmware.ts'
import type {FirmwareResponse} from '../../../src/simulator/firmware/firmware-messages.ts'
import {type FirmwareContext, firmwareProfileOf} from '../../../src/simulator/firmware/firmware-profile.ts'
import {loopback} from '../../support/addresses.ts'
import {startPlug} from '../../support/bridge.ts'
import {messageProblems} from '../../support/discovery-validator.ts'
import {random} from '../../support/seeds.ts'
import {steadyClock} from '../../support/steady-clock.ts'
import {TOKEN} from '../../support/token.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {StagedPlug, topics} from '../bridge/stage.ts'
import {busyState, FORMS, isOfThePlug, samplesOf} from './forms.ts'

const models = [...builtIn.models]

describe('property names', () => {
  it('have an expected form each, and there is no other form', () => {
    expect([...FORMS.keys()]).toEqual([...PROPERTY_NAMES.keys()])
  })

  it('are a closed list', () => {
    expect(
      ['state', 'state_1', 'state_12', 'cycle_schedule_3', 'led'].map(isKnownPropertyName),
    ).not.toContain(false)
    expect(['state_n', 'state_0', 'led_1', 'State', '', 'toggle'].map(isKnownPropertyName)).not.toContain(
      true,
    )
  })
})

describe('the definitions', () => {
  it('have every model id once', () => {
    const ids = definitions.flatMap((model) => model.ids)
    expect([...new Set(ids)]).toEqual(ids)
  })

  it('use no energy counter of a plug, for the reasons in docs/models.md', () => {
    expect(definitions.filter(({properties}) => 'energy' in properties).map(({ids}) => ids)).toEqual([])
  })

  it('include the plugs of the documents', () => {
    expect(builtIn.ids).toEqual(expect.arrayContaining(DOCUMENTED))
  })

  it.each(definitions.map((model) => [model.ids.join(', '), model] as const))(
    '%s have evidence',
    (_, model) => {
      expect(model.name).not.toBe('')
      expect(model.evidence).toMatch(/^.{10,}\.$/)
      const bare = Object.entries(model.properties).filter(
        ([, property]) => needsEvidence(property) && !property.evidence,
      )
      expect(bare.map(([name]) => name)).toEqual([])
    },
  )
})

describe.each(models)('%s', (id, model) => {
  const properties = Object.entries(model.properties)
  const own = properties.filter(([, property]) => isOfThePlug(property))

  it('begins with its relay, and has the usual name, unit and label of every property', () => {
    expect(properties[0]?.[0]).toBe('state')
    for (const [name, property] of properties) {
      expect(isKnownPropertyName(name), name).toBe(true)
      const {
        kind,
        unit,
        label,
        isWritable: writable,
        lane,
      } = FORMS.get(propertyPattern(name)) ?? expect.fail(name)
      expect(property, name).toMatchObject({kind, ...(unit === undefined ? {} : {unit})})
      expect('unit' in property, name).toBe(unit !== undefined)
      expect(property.label, name).toBe(label?.replace('#', numberOf(name)) ?? null)
      expect(isWritable(property), name).toBe(writable)
      expect(property.lane, name).toBe(lane)
    }
  })

  it('reads each rare property in a request of its own, and disables it in Home Assistant by default', () => {
    const rare = own.filter(([, {lane}]) => lane === 'rare')
    for (const [name, property] of rare)
      expect(property, name).toMatchObject({alone: true, disabledByDefault: true})
  })

  it.each(own)('reads %s in its unit from where it is documented', (name, property) => {
    const {ask, state} = plugIn(id, model)
    const read = buildRead(model, name)
    for (const {raw, value} of samplesOf(property)) {
      expect(decodeResponse(replyWith(model, name, raw), read, model).values[name]).toBe(value)
      state[name] = value
      const answer = resultOf(ask(read.method, read.params))
      expect(decodeResponse(answer, read, model).values).toMatchObject({[name]: value})
    }
  })

  it.each(own.filter(([, property]) => isWritable(property)))(
    'writes %s as it is documented, and nothing else',
    (name, property) => {
      const {ask, state} = plugIn(id, model)
      for (const {raw, value} of samplesOf(property)) {
        const before = {...state}
        const write = buildWrite(name, property, value)
        expect(write).toEqual(documentedWrite(name, property.address, raw, value))
        expectOk(resultOf(ask(write.method, write.params)), write)
        expect(state).toEqual({...before, [name]: value})
      }
    },
  )

  it('has a discovery message that Home Assistant accepts', () => {
    const payload = JSON.stringify(
      plugDiscovery(new StagedPlug(new VirtualClock()), 4711, model, {topics, version: '1.2.3'}),
    )
    expect(
      messageProblems(
        {topic: 'homeassistant/device/miio2mqtt_4711/config', payload, retain: true},
        'homeassistant',
      ),
    ).toEqual([])
    const {components}: {components: Record<string, {platform: string; unit_of_measurement?: string}>} =
      JSON.parse(payload)
    expect(
      Object.entries(components).map(([name, {platform, unit_of_measurement: unit}]) => [
        name,
        platform,
        unit,
      ]),
    ).toEqual(
      properties.map(([name]) => [
        name,
        FORMS.get(propertyPattern(name))?.kind,
        FORMS.get(propertyPattern(name))?.unit,
      ]),
    )
  })
})

describe('over UDP', () => {
  const socket = new MiioSocket({bind: '127.0.0.1'})
  const trips = new Map<string, Promise<void>>()

  beforeAll(async () => {
    await socket.open()
    for (const [index, [id, model]] of models.entries()) {
      const trip = readAndSet(id, model, loopback(1, index + 1), socket)
      trip.catch(() => {}) // its own test fails
      trips.set(id, trip)
    }
  })
  afterAll(() => socket.close())

  it.each(builtIn.ids)('%s is read and set', (id) => trips.get(id) ?? expect.fail(id))
})

/** Reads all properties of a plug on `address`, and sets all writable ones. */
async function readAndSet(id: string, model: Model, address: string, socket: UdpTransport): Promise<void> {
  const state = busyState(model)
  const plug = await startPlug({model: id, address, state: {...state}, profile: WITHOUT_POLL_LIMIT})
  const token = Buffer.from(TOKEN, 'hex')
  const clock = steadyClock
  const transport = new MiioClient({socket, clock, random, token, host: address})
  // The pause is for real firmware.
  const findModel = () => ({...model, pause: 0})
  const device = new Device({name: id, transport, clock, identity: {model: id}, findModel})
  await device.poll('rare')
  expect(device.state).toMatchObject(state)
  expect(device.unsupported).toEqual([])
  for (const [name, property] of Object.entries(model.properties).filter(([, each]) => isWritable(each))) {
    const [{value} = expect.fail(name)] = samplesOf(property)
    await device.set(name, value, clock.now() + 10_000)
    expect(plug.state[name], name).toBe(value)
    expect(device.state[name], name).toBe(value)
  }
  await device.stop(0)
}

/** This test sends all requests at once, unlike a bridge. */
const WITHOUT_POLL_LIMIT = {overPolled: {most: 1000, withinMs: 1000}}

/** The models of docs/protocol.md §3.1 and §3.3. */
const DOCUMENTED = [
  ...['v1', 'v2', 'v3', 'm1', 'm3', 'hmi205', 'hmi206', 'hmi208', '212a01'].map(
    (id) => `chuangmi.plug.${id}`,
  ),
  ...[
    'co1',
    'cp1',
    'cp1m',
    'cp1md',
    'cp2',
    'cp2a',
    'cp3a',
    'cp5',
    'cp5pro',
    'cp5prd',
    'sp5',
    'v2eur',
    'v3',
  ].map((id) => `cuco.plug.${id}`),
  ...['co3d', 'cp2d', 'cp4', 'cp4am', 'cp4m', 'cp5d', 'wp5m', 'wp12', 'cp7pd'].map((id) => `cuco.plug.${id}`),
  ...['psv3', 'tw02', '2a1c1'].map((id) => `qmi.plug.${id}`),
  ...['qmi.powerstrip.v1', 'zimi.powerstrip.v2', 'zimi.plug.zncz01', 'xiaomi.plug.04'],
]

/** The meaning of a number, a text or a code needs evidence. That `true` is on, and 40 are 40 degrees, does not. */
function needsEvidence(property: Property): boolean {
  switch (property.kind) {
    case 'select':
    case 'number':
      return true
    case 'binary_sensor':
      return property.on !== undefined
    case 'sensor':
      return (
        property.raw === 'number' &&
        (property.scale !== 1 || !['temperature', 'duration'].includes(property.deviceClass))
      )
    default:
      return false
  }
}

function plugIn(id: string, model: Model) {
  const plug: FirmwareContext = {
    modelId: id,
    did: 4711,
    token: Buffer.from(TOKEN, 'hex'),
    address: loopback(0, 1),
    uptimeS: 123,
    rssi: -52,
    profile: firmwareProfileOf(id),
    state: busyState(model),
  }
  const firmware = firmwareOf(model)
  return {
    state: plug.state,
    ask: (method: string, params: unknown) => firmware.respond({id: 1, method, params}, plug),
  }
}

function resultOf(answer: FirmwareResponse | undefined): unknown {
  return answer && 'result' in answer ? answer.result : expect.fail(JSON.stringify(answer))
}

/** The documented response of a plug to the request for `name`. */
function replyWith(model: Model, name: string, raw: RawValue): unknown {
  const {address} = model.properties[name] ?? expect.fail(name)
  if (address.via === 'miot')
    return [{did: 'any', siid: address.siid, piid: address.piid, code: 0, value: raw}]
  return buildRead(model, name).properties.map((asked) => (asked === name ? raw : null))
}

function documentedWrite(name: string, address: Address, raw: RawValue, value: Value): unknown {
  if (address.via === 'miot')
    return {
      method: 'set_properties',
      params: [{did: name, siid: address.siid, piid: address.piid, value: raw}],
    }
  if (address.via !== 'get_prop' || !address.write) return expect.fail(`${name} cannot be written`)
  if ('method' in address.write) return {method: address.write.method, params: [raw]}
  return {method: value === 'ON' ? address.write.on : address.write.off, params: []}
}

function numberOf(name: string): string {
  return /\d+$/.exec(name)?.[0] ?? ''
}

import {beforeEach, describe, expect, it} from 'vitest'
import {Device, type DeviceOptions} from '../../../../src/device/device.ts'
import type {EnergyMemory, EnergySource} from '../../../../src/device/state/energy-meter.ts'
import type {EnergyTrackingOptions} from '../../../../src/device/state/energy-tracking.ts'
import {complete, kilowattHours, method, prop, relay, watts} from '../../../../src/models/builders.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import {ScriptedPlug} from '../../../support/scripted-plug.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'

const POLL = 15_000
const counting = complete({
  ids: ['chuangmi.plug.m1'],
  name: 'made up',
  vendor: 'none',
  confidence: 'inferred',
  evidence: '',
  properties: {
    state: relay(prop('power', 'set_power')),
    power: watts(method('get_power')),
    energy: kilowattHours(prop('kwh'), {scale: 0.01}),
  },
})

/** Writes when the test says so. */
class Book implements EnergyTrackingOptions {
  source: EnergySource | undefined
  entered: EnergyMemory | undefined
  #written: EnergyMemory | undefined

  gap() {
    return 3 * POLL
  }

  pending() {
    return this.entered
  }

  persisted() {
    return this.#written
  }

  record(memory: EnergyMemory) {
    this.entered = memory
  }

  write() {
    this.#written = this.entered
  }
}

let clock: VirtualClock
let plug: ScriptedPlug
let book: Book
let device: Device
let changes: number
let described: number
let warnings: string[]

const kept = (source?: EnergySource) => {
  book.source = source
  return {energy: book}
}

function start(choice: Partial<DeviceOptions> = kept(), model = counting) {
  plug = new ScriptedPlug(clock, {power: 'on', watts: 2000, kwh: 1000})
  device = new Device({
    name: 'desk',
    transport: plug,
    clock,
    findModel: () => model,
    identity: {model: 'chuangmi.plug.m1'},
    ...choice,
  })
  changes = 0
  described = 0
  warnings = []
  device.listener = {
    stateChanged: () => changes++,
    metadataChanged: () => described++,
    warning: (text) => warnings.push(text),
  }
}

beforeEach(() => {
  clock = new VirtualClock()
  book = new Book()
  start()
})

async function poll(times = 1) {
  for (let time = 0; time < times; time++) {
    const done = device.poll('slow')
    await clock.advance(POLL)
    await done
  }
}

describe('the energy of a plug', () => {
  it('is shown once it is written, and not before', async () => {
    await poll()
    expect(device.state).toMatchObject({power: 2000, energy: null, energy_today: null})
    book.write()
    await poll()
    expect(device.state).toMatchObject({energy: 10, energy_today: 0})
    plug.values['kwh'] = 1001
    await poll()
    expect(device.state).toMatchObject({energy: 10})
    book.write()
    await poll()
    expect(device.state).toMatchObject({energy: 10.01, energy_today: 0.01})
    expect(changes).toBe(3)
  })

  it('is shown at once after a restart, and changes nothing while it stays', async () => {
    await poll()
    book.write()
    start()
    await poll()
    expect(device.state).toMatchObject({energy: 10, energy_today: 0})
    await poll(4)
    expect(changes).toBe(1)
    expect(book.entered).toBe(book.persisted())
  })

  it('goes on where it was, written or not, when only the plug is made anew by a reload', async () => {
    const v3 = builtIn.find('chuangmi.plug.v3')
    start(kept(), v3)
    plug.values['watts'] = 200_000
    await poll(5)
    const before = book.entered?.total ?? 0
    expect(before).toBeGreaterThan(0.03)
    start(kept(), v3)
    plug.values['watts'] = 200_000
    await poll(2)
    expect(book.entered?.total).toBeGreaterThan(before)
  })

  it('is unknown while the plug does not report it', async () => {
    await poll()
    book.write()
    plug.values['kwh'] = null
    await poll(2)
    expect(device.state).toMatchObject({energy: null, energy_today: 0})
    plug.values['kwh'] = 1000
    await poll()
    expect(device.state).toMatchObject({energy: 10})
  })

  it('is added up from watts where the plug has no counter', async () => {
    const v3 = builtIn.find('chuangmi.plug.v3')
    start(kept(), v3)
    expect(device.energySource).toBe('integrated')
    plug.values['watts'] = 200_000
    await poll(5)
    book.write()
    await poll()
    expect(device.state).toMatchObject({energy: 0.033, energy_today: 0.033})
  })

  it('is what the plug reports where nothing is stored, as for a single command', async () => {
    start({})
    await poll()
    expect(device.state).toMatchObject({energy: 10, energy_today: null})
    expect(device.energySource).toBe('plug')
  })

  it('is added up from the watts when the counter does not count, which is one warning', async () => {
    expect(device.energySource).toBe('plug')
    await poll((1.1 * 3_600_000) / POLL)
    expect(device.energySource).toBe('integrated')
    expect(warnings).toEqual([
      'the plug uses power, but its own energy counter does not count: the bridge counts its energy from now on. If the counter is right, set devices.desk.properties.energy.source to plug',
    ])
    expect(described).toBe(1)
    book.write()
    await poll()
    expect(device.state['energy']).toBeGreaterThan(10.1)
    start()
    await poll()
    expect(device.energySource).toBe('integrated')
    expect(device.state['energy']).toBeGreaterThan(10.1)
    expect(warnings).toEqual([])
  })

  it('is what the counter shows when the user trusts it', async () => {
    start(kept('plug'))
    await poll((2 * 3_600_000) / POLL)
    expect(device.energySource).toBe('plug')
    expect(warnings).toEqual([])
  })

  it('is added up when the user configured that', async () => {
    start(kept('integrated'))
    await poll(2)
    book.write()
    await poll()
    expect(device.energySource).toBe('integrated')
    expect(device.state).toMatchObject({energy: 0.008})
  })
})

describe('a plug', () => {
  it('with a value that cannot be true shows it unchanged, with a warning', async () => {
    plug.values['power'] = 'off'
    await poll(3)
    expect(device.state).toMatchObject({state: 'OFF', power: 2000})
    expect(device.implausible).toEqual([
      {property: 'power', value: 2000, raw: 2000, why: 'it is switched off'},
    ])
    expect(warnings).toHaveLength(1)
    expect(described).toBe(1)
    plug.values['watts'] = 0
    await poll()
    expect(device.implausible).toEqual([])
    expect(described).toBe(2)
  })

  it('is read and written as its owner corrects it', async () => {
    const {power = watts(method('get_power'))} = counting.properties
    const half = {...power, scale: 0.5, precision: 1}
    start({adjust: (model) => ({...model, properties: {...model.properties, power: half}})})
    await poll()
    expect(device.state).toMatchObject({power: 1000})
    expect(device.model?.properties['power']).toBe(half)
  })
})

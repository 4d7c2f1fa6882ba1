/** How plugs are shown in Home Assistant: digits, names in the user's language, and names that can be spoken. */
import {describe, expect, it} from 'vitest'
import {
  bridgeDiscovery,
  groupDiscovery,
  groupId,
} from '../../../../src/bridge/homeassistant/bridge-discovery.ts'
import type {
  DeviceDiscovery,
  DiscoveryComponent,
} from '../../../../src/bridge/homeassistant/discovery-message.ts'
import {plugDiscovery} from '../../../../src/bridge/homeassistant/plug-discovery.ts'
import type {DisplayOptions} from '../../../../src/bridge/plug.ts'
import {applyOverrides} from '../../../../src/device/codec/model-overrides.ts'
import {
  amperes,
  celsius,
  complete,
  leakage,
  miot,
  relay,
  volts,
  watts,
} from '../../../../src/models/builders.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import type {Model} from '../../../../src/models/model.ts'
import {Topics} from '../../../../src/mqtt/topics.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {StagedPlug, topics} from '../stage.ts'

const around = {topics, version: '1.2.3'}
const made = {name: 'Made up', vendor: 'Acme', confidence: 'inferred', evidence: 'made up'} as const

/** As it is sent: without undefined members. */
function message(
  model: Model,
  {name = 'desk', ...appearance}: DisplayOptions & {name?: string} = {},
): DeviceDiscovery {
  const plug = new StagedPlug(new VirtualClock(), {name, appearance})
  return JSON.parse(JSON.stringify(plugDiscovery(plug, 4711, model, around)))
}

function componentsOf(properties: Model['properties'], appearance: DisplayOptions = {}) {
  const model = complete({...made, ids: ['acme.plug.one'], properties})
  return message(model, appearance).components
}
const digitsOf = ({suggested_display_precision: digits}: DiscoveryComponent = {platform: ''}) => digits

describe('a measured value is shown with its significant digits', () => {
  it.each([
    [0.001, 3],
    [0.01, 2],
    [0.1, 1],
    [1, 0],
    [0.0001, 3],
  ])('amperes in steps of %s A have %i', (scale, digits) => {
    expect(digitsOf(componentsOf({current: amperes(miot(3, 1), {scale})})['current'])).toBe(digits)
  })

  it('also after the configuration has corrected the scale', () => {
    const properties = {state: relay(miot(2, 1)), current: amperes(miot(3, 1))}
    const {model} = applyOverrides(complete({...made, ids: ['acme.plug.one'], properties}), {
      current: {scale: 0.001},
    })
    expect(digitsOf(message(model).components['current'])).toBe(3)
  })

  it.each([
    [{offset: -1.5}, 1],
    [{offset: 2}, 0],
    [{scale: 2.5}, 1],
    [{scale: 0.1, offset: 0.25}, 1],
    [{scale: 1 / 60}, 1],
  ])('degrees that their owner corrects by %j have %i', (correction, wanted) => {
    const properties = {state: relay(miot(2, 1)), temperature: celsius(miot(3, 1))}
    const {model} = applyOverrides(complete({...made, ids: ['acme.plug.one'], properties}), {
      temperature: correction,
    })
    expect(digitsOf(message(model).components['temperature'])).toBe(wanted)
    const defined = {state: relay(miot(2, 1)), temperature: celsius(miot(3, 1), correction)}
    expect(digitsOf(componentsOf(defined)['temperature'])).toBe(wanted)
  })

  const most: Readonly<Record<string, number>> = {
    kWh: 3,
    A: 3,
    W: 1,
    V: 1,
    mA: 1,
    '%': 1,
    '°C': 1,
    min: 1,
    dBm: 0,
  }

  it.each([...builtIn.models])(
    'of %s: as many as its firmware reports, and no more than its unit is worth',
    (_, model) => {
      const {components} = message(model)
      const measured = Object.entries(model.properties).flatMap(([name, property]) =>
        property.kind === 'sensor' && property.raw === 'number' ? [[name, property] as const] : [],
      )
      for (const [name, {precision, unit}] of measured)
        expect([name, digitsOf(components[name])]).toEqual([
          name,
          Math.min(precision, most[unit] ?? Number.NaN),
        ])
    },
  )
})

/** The announced names; `undefined` where Home Assistant has its own. */
function namesOf(components: Readonly<Record<string, DiscoveryComponent>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(components).map(([key, {name}]) => [key, name]))
}

describe('a name that Home Assistant has in every language', () => {
  const meter = {state: relay(miot(2, 1)), power: watts(miot(3, 1)), voltage: volts(miot(3, 2))}

  it('is left out where Home Assistant has the same; others are announced', () => {
    expect(namesOf(componentsOf(meter))).toEqual({
      state: null,
      power: undefined,
      voltage: undefined,
      energy: 'Energy',
      energy_today: 'Energy today',
      rssi: 'Signal',
      last_seen: 'Last seen',
    })
    expect(componentsOf(meter)['power']).not.toHaveProperty('name')
  })

  it('is announced where two sensors of the plug would have it', () => {
    const both = {...meter, current: amperes(miot(3, 3)), leakage_current: leakage(miot(3, 4))}
    expect(namesOf(componentsOf(both))).toMatchObject({
      current: 'Current',
      leakage_current: 'Leakage current',
    })
    expect(namesOf(componentsOf(both, {filtered: ['leakage_current']}))).toMatchObject({current: undefined})
    expect(namesOf(componentsOf(meter, {filtered: ['energy_today']}))).toMatchObject({energy: undefined})
  })

  it('is announced where the user or the definition has another', () => {
    const own = {
      homeassistant: {enabled: true, entities: {power: {name: 'Load'}, voltage: {name: 'Voltage'}}},
    }
    expect(namesOf(componentsOf(meter, own))).toMatchObject({power: 'Load', voltage: 'Voltage'})
    const labelled = {...meter, power: watts(miot(3, 1), {label: 'Heating power'})}
    expect(namesOf(componentsOf(labelled))).toMatchObject({power: 'Heating power'})
  })

  it('changes no id of an entity', () => {
    for (const [, model] of builtIn.models)
      for (const [key, component] of Object.entries(message(model).components)) {
        const suffix = model.properties[key]?.label === null ? '' : `_${key}`
        expect(component['unique_id']).toBe(`miio2mqtt_4711_${key}`)
        expect(component['default_entity_id']).toBe(`${component.platform}.desk${suffix}`)
      }
  })

  it('is that of the restart button of the bridge, too', () => {
    const {components}: DeviceDiscovery = JSON.parse(JSON.stringify(bridgeDiscovery(around)))
    expect(components['restart']).toMatchObject({
      device_class: 'restart',
      unique_id: 'miio2mqtt_bridge_miio2mqtt_restart',
      default_entity_id: 'button.miio2mqtt_restart',
    })
    expect(components['restart']).not.toHaveProperty('name')
    expect(namesOf(components)).toMatchObject({connection: 'Connection', discover: 'Discover plugs'})
  })
})

describe('a name with levels', () => {
  const [[, model] = expect.fail('no model')] = builtIn.models

  it.each([
    ['kitchen/kettle', 'kitchen kettle', 'switch.kitchen_kettle'],
    ['a/b/c', 'a b c', 'switch.a_b_c'],
    ['desk', 'desk', 'switch.desk'],
    ['Küche/Lampe 1', 'Küche Lampe 1', 'switch.kuche_lampe_1'],
  ])('%s is shown as %j, and its entities keep their ids', (name, shown, id) => {
    const discovery = message(model, {name})
    expect(discovery['device']).toMatchObject({name: shown, identifiers: ['miio2mqtt_4711']})
    expect(discovery.components['state']).toMatchObject({
      default_entity_id: id,
      unique_id: 'miio2mqtt_4711_state',
      command_topic: `miio2mqtt/${name}/set/state`,
    })
    expect(discovery['state_topic']).toBe(`miio2mqtt/${name}`)
  })

  it('is shown as configured', () => {
    const discovery = message(model, {
      name: 'kitchen/kettle',
      homeassistant: {enabled: true, name: 'Tea/coffee'},
    })
    expect(discovery['device']).toMatchObject({name: 'Tea/coffee'})
  })

  it('of a group is shown in the same way, under the same id', () => {
    const discovery = groupDiscovery({name: 'ground floor/all', settings: {members: []}}, around)
    expect(discovery['device']).toMatchObject({
      name: 'ground floor all',
      identifiers: [groupId('ground floor/all', topics)],
    })
    expect(discovery['components']).toMatchObject({state: {default_entity_id: 'switch.ground_floor_all'}})
  })
})

it('the bridge has its base topic in its name unless it is the usual one', () => {
  const name = (base: string) => Object(bridgeDiscovery({...around, topics: new Topics(base)})['device']).name
  expect([name('miio2mqtt'), name('home/plugs')]).toEqual(['miio2mqtt', 'miio2mqtt (home/plugs)'])
})

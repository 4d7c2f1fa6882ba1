import {describe, expect, it} from 'vitest'
import {discoveryProblems, type PublishedDiscovery} from '../../../support/discovery-validator.ts'

const TOPIC = 'homeassistant/device/plug_1/config'
const STATE = {
  state: 'ON',
  power: 12.5,
  energy: 1.2,
  mode: 'eco',
  seen: '2026-01-01T00:00:00+00:00',
  timer: 5,
}

/** A device with one component of each kind, and nothing wrong. */
function goodConfig() {
  const entity = (platform: string, key: string) => ({
    platform,
    unique_id: `plug_1_${key}`,
    default_entity_id: `${platform}.desk_${key}`,
    name: key,
    value_template: `{{ value_json.${key} }}`,
  })
  return {
    device: {
      identifiers: ['plug_1'],
      connections: [['mac', '28:6c:07:0a:0b:0c']],
      name: 'Desk',
      via_device: 'bridge',
    },
    origin: {name: 'bridge', support_url: 'https://example.org'},
    state_topic: 'b/desk',
    availability: [{topic: 'b/desk/availability', value_template: '{{ value_json.state }}'}],
    availability_mode: 'all',
    qos: 1,
    components: {
      relay: {...entity('switch', 'state'), name: null, command_topic: 'b/desk/set', device_class: 'outlet'},
      power: {
        ...entity('sensor', 'power'),
        device_class: 'power',
        unit_of_measurement: 'W',
        state_class: 'measurement',
      },
      energy: {
        ...entity('sensor', 'energy'),
        device_class: 'energy',
        unit_of_measurement: 'kWh',
        state_class: 'total_increasing',
      },
      mode: {...entity('select', 'mode'), options: ['eco', 'boost'], command_topic: 'b/desk/set/mode'},
      seen: {...entity('sensor', 'seen'), device_class: 'timestamp'},
      timer: {...entity('number', 'timer'), min: 0, max: 60, command_topic: 'b/desk/set/timer'},
      press: {
        platform: 'button',
        unique_id: 'plug_1_press',
        default_entity_id: 'button.desk_press',
        name: 'Press',
        command_topic: 'b/desk/press',
      },
    } as Record<string, Record<string, unknown>>,
  }
}

type Config = ReturnType<typeof goodConfig>

/** A run without a fault, in order: parent, device, availability, state. */
function goodRun(): PublishedDiscovery[] {
  const parent = {device: {identifiers: ['bridge'], name: 'Bridge'}, origin: {name: 'bridge'}, components: {}}
  return [
    {topic: 'homeassistant/device/bridge/config', payload: JSON.stringify(parent), retain: true, at: 0},
    {topic: TOPIC, payload: JSON.stringify(goodConfig()), retain: true, at: 10},
    {topic: 'b/desk/availability', payload: '{"state":"online"}', retain: true, at: 20},
    {topic: 'b/desk', payload: JSON.stringify(STATE), retain: true, at: 30},
  ]
}

/** The problems of a run whose discovery message was changed. */
function spoiled(spoil: (config: Config) => unknown): string[] {
  const config = goodConfig()
  const payload = spoil(config) ?? config
  return changed(TOPIC, {payload: typeof payload === 'string' ? payload : JSON.stringify(payload)})
}

/** The problems of a run of which one message was changed. */
function changed(topic: string, change: Partial<PublishedDiscovery>): string[] {
  return discoveryProblems(
    goodRun().map((message) => (message.topic === topic ? {...message, ...change} : message)),
  )
}

/** Sets members of an object. */
const put = (target: object | undefined, members: object) => void Object.assign(target ?? {}, members)
const drop = (target: object | undefined, key: string) => void Reflect.deleteProperty(target ?? {}, key)

describe('the validator of discovery messages', () => {
  it('finds nothing wrong with a correct run', () => {
    expect(discoveryProblems(goodRun())).toEqual([])
  })

  it.each<[string, (config: Config) => unknown, RegExp]>([
    ['a list instead of an object', (config) => [config], /expected a JSON object/],
    [
      'JSON with a comma too many',
      (config) => JSON.stringify(config).replace(/}$/, ',}'),
      /expected a JSON object/,
    ],
    ['text that holds JSON', (config) => JSON.stringify(JSON.stringify(config)), /expected a JSON object/],
    ['no origin', (config) => drop(config, 'origin'), /origin is missing/],
    ['no device', (config) => drop(config, 'device'), /device is missing/],
    ['no components', (config) => drop(config, 'components'), /components is missing/],
    ['a base topic at the root', (config) => put(config, {'~': 'b'}), /unknown key ~/],
    [
      'an expiry at the root',
      (config) => put(config, {message_expiry_interval: 60}),
      /unknown key message_expiry/,
    ],
    [
      'a component without unique_id',
      ({components}) => drop(components['power'], 'unique_id'),
      /unique_id is missing/,
    ],
    [
      'a platform only new releases know',
      ({components}) => put(components['seen'], {platform: 'datetime'}),
      /platform "datetime"/,
    ],
    ['an unknown key in device', ({device}) => put(device, {ip: '192.168.1.40'}), /device: unknown key ip/],
    ['null in device', ({device}) => put(device, {sw_version: null}), /sw_version: expected text, got null/],
    ['a number in device', ({device}) => put(device, {serial_number: 4711}), /serial_number: expected text/],
    [
      'flat connections',
      ({device}) => put(device, {connections: ['mac', '28:6c']}),
      /connections: expected a list of pairs/,
    ],
    ['a device by no name', ({device}) => drop(device, 'name'), /device: name is missing/],
    [
      'a device without an identifier of its own',
      ({device}) => put(device, {identifiers: undefined, connections: undefined}),
      /neither identifiers nor/,
    ],
    [
      'a link without a scheme',
      ({origin}) => put(origin, {support_url: 'example.org'}),
      /support_url: expected an address/,
    ],
    [
      'both kinds of availability',
      (config) => put(config, {availability_topic: 'b/x'}),
      /both availability and/,
    ],
    [
      'both kinds of availability by inheritance',
      ({components}) => put(components['power'], {availability_topic: 'b/x'}),
      /both availability and/,
    ],
    [
      'an unknown key in availability',
      ({components}) => put(components['power'], {availability: [{topic: 'b/x', mode: 'all'}]}),
      /availability: unknown key mode/,
    ],
    [
      'a unit of another class',
      ({components}) => put(components['power'], {unit_of_measurement: 'kWh'}),
      /unit is none of its class/,
    ],
    [
      'a unit misspelt',
      ({components}) => put(components['energy'], {unit_of_measurement: 'kwh'}),
      /unit is none of its class/,
    ],
    [
      'a class without its unit',
      ({components}) => drop(components['power'], 'unit_of_measurement'),
      /unit is none of its class/,
    ],
    [
      'a unit on a time',
      ({components}) => put(components['seen'], {unit_of_measurement: 's'}),
      /unit is none of its class/,
    ],
    [
      'a state class of another class',
      ({components}) => put(components['energy'], {state_class: 'measurement'}),
      /state class is none/,
    ],
    ['options on a number', ({components}) => put(components['power'], {options: ['a']}), /options are for/],
    [
      'an enum without options',
      ({components}) => put(components['seen'], {device_class: 'enum'}),
      /options are for/,
    ],
    [
      'no options at all',
      ({components}) => put(components['mode'], {options: []}),
      /options: expected a list/,
    ],
    [
      'a reset without a total',
      ({components}) => put(components['power'], {last_reset_value_template: '{{ value }}'}),
      /last_reset_value_template is for/,
    ],
    [
      'a sensor as configuration',
      ({components}) => put(components['power'], {entity_category: 'config'}),
      /cannot be configuration/,
    ],
    [
      'an unknown category',
      ({components}) => put(components['mode'], {entity_category: 'system'}),
      /entity_category: expected one of/,
    ],
    [
      'an icon without a set',
      ({components}) => put(components['mode'], {icon: 'flash'}),
      /icon: expected an icon/,
    ],
    [
      'a template that is none',
      ({components}) => put(components['power'], {value_template: '{{ value_json.power }'}),
      /value_template: expected a template/,
    ],
    [
      'a minimum above the maximum',
      ({components}) => put(components['timer'], {min: 90}),
      /min must be below max/,
    ],
    [
      'the same unique_id twice',
      ({components}) => put(components['power'], {unique_id: 'plug_1_energy'}),
      /another sensor has the unique_id/,
    ],
    [
      'object_id',
      ({components}) => put(components['power'], {object_id: 'desk_power'}),
      /unknown key object_id/,
    ],
    [
      'an entity id without a platform',
      ({components}) => put(components['power'], {default_entity_id: 'desk_power'}),
      /default_entity_id: expected the platform/,
    ],
    [
      'an entity id of another platform',
      ({components}) => put(components['power'], {default_entity_id: 'switch.desk'}),
      /default_entity_id: expected the platform/,
    ],
    [
      'the name of the device in that of an entity',
      ({components}) => put(components['power'], {name: 'Desk power'}),
      /repeats the name/,
    ],
    [
      'two main entities',
      ({components}) => put(components['mode'], {name: null}),
      /more than one component is called like/,
    ],
    ['a switch without a name', ({components}) => drop(components['relay'], 'name'), /has no name/],
    [
      'a parent by its name',
      ({device}) => put(device, {via_device: 'Bridge'}),
      /no device has the identifier Bridge/,
    ],
    [
      'commands that are kept',
      ({components}) => put(components['relay'], {retain: true}),
      /would be retained/,
    ],
    [
      'a wildcard in a topic',
      ({components}) => put(components['relay'], {command_topic: 'b/+/set'}),
      /command_topic: expected a topic/,
    ],
    [
      'a truth value as a payload',
      ({components}) => put(components['relay'], {payload_on: true}),
      /payload_on: expected text/,
    ],
    ['a QoS there is not', (config) => put(config, {qos: 3}), /qos: expected one of/],
    [
      'a key with a space',
      ({components}) => put(components, {'my relay': {...components['press'], unique_id: 'x'}}),
      /not a key for a component/,
    ],
    [
      'a switch that expects other words',
      ({components}) => put(components['relay'], {payload_on: 'on'}),
      /ON is no state/,
    ],
    [
      'a key that is never published',
      ({components}) => put(components['power'], {value_template: '{{ value_json.watts }}'}),
      /finds nothing in b\/desk/,
    ],
    [
      'a topic nothing is published on',
      ({components}) => put(components['power'], {state_topic: 'b/other'}),
      /nothing was published on b\/other/,
    ],
    [
      'an availability without its template',
      (config) => put(config, {availability: [{topic: 'b/desk/availability'}]}),
      /is no availability/,
    ],
  ])('sees %s', (_, spoil, problem) => {
    expect(spoiled(spoil)).toContainEqual(expect.stringMatching(problem))
  })

  it.each<[string, Partial<typeof STATE> | Record<string, unknown>, RegExp]>([
    ['words where a number is expected', {power: 'unavailable'}, /unavailable is no state/],
    ['a value in another case', {state: 'on'}, /on is no state/],
    ['a truth value', {state: true}, /True is no state/],
    ['a number out of its range', {timer: 61}, /61 is no state/],
    ['a word that is no option', {mode: 'turbo'}, /turbo is no state/],
    ['a time without its zone', {seen: '2026-01-01T00:00:00'}, /2026-01-01T00:00:00 is no state/],
    ['a text that is too long', {mode: 'x'.repeat(256)}, /x is no state/],
    ['a key that is missing', {power: undefined}, /value_json.power }} finds nothing/],
  ])('sees %s in a state', (_, values, problem) => {
    const payload = JSON.stringify({...STATE, ...values})
    expect(changed('b/desk', {payload})).toContainEqual(expect.stringMatching(problem))
  })

  it('takes null for unknown', () => {
    const unknown = Object.fromEntries(Object.keys(STATE).map((key) => [key, null]))
    expect(changed('b/desk', {payload: JSON.stringify(unknown)})).toEqual([])
  })

  it.each([
    ['discovery', TOPIC],
    ['availability', 'b/desk/availability'],
    ['state', 'b/desk'],
  ])('sees %s that is not retained', (_, topic) => {
    expect(changed(topic, {retain: false})).toContainEqual(expect.stringMatching(/not retained/))
  })

  it('accepts a command that is', () => {
    const command = {topic: 'b/desk/set', payload: 'ON', retain: true, at: 40}
    expect(discoveryProblems([...goodRun(), command])).toEqual([
      expect.stringMatching(/command on b\/desk\/set was retained/),
    ])
  })

  it('sees a topic that is none for discovery', () => {
    const elsewhere = goodRun().map((message) =>
      message.topic === TOPIC ? {...message, topic: TOPIC.replace('plug_1', 'plug 1')} : message,
    )
    expect(discoveryProblems(elsewhere)).toContainEqual(
      expect.stringMatching(/not a topic for device discovery/),
    )
  })

  it('sees an availability in the wrong words', () => {
    expect(changed('b/desk/availability', {payload: '{"state":"ONLINE"}'})).toContainEqual(
      expect.stringMatching(/ONLINE is no availability/),
    )
  })

  it('sees two messages for one device that come too close, and leaves those alone that do not', () => {
    const other = {...goodConfig(), qos: 0}
    const again = (at: number) => ({topic: TOPIC, payload: JSON.stringify(other), retain: true, at})
    expect(discoveryProblems([...goodRun(), again(1500)])).toEqual([expect.stringMatching(/within 1490 ms/)])
    expect(discoveryProblems([...goodRun(), again(2500)])).toEqual([])
    expect(discoveryProblems([...goodRun(), ...goodRun()])).toEqual([])
  })

  it('sees a counter that falls', () => {
    const later = {topic: 'b/desk', payload: JSON.stringify({...STATE, energy: 1.1}), retain: true, at: 40}
    expect(discoveryProblems([...goodRun(), later])).toEqual([expect.stringMatching(/the counter falls/)])
  })

  it('expects no state of what was never available', () => {
    const absent = goodRun()
      .filter(({topic}) => topic !== 'b/desk')
      .map((message) =>
        message.topic === 'b/desk/availability' ? {...message, payload: '{"state":"offline"}'} : message,
      )
    expect(discoveryProblems(absent)).toEqual([])
  })

  it('lets a component go that is reduced to its platform', () => {
    expect(spoiled(({components}) => put(components, {power: {platform: 'sensor'}}))).toEqual([])
  })
})

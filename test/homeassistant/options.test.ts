/** The options of config.yaml for entities (docs/home-assistant.md), and their effect in Home Assistant. */
import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridgeOptions} from '../support/bridge.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'
import {type HomeAssistant, itEndsWithoutComplaint, openHome, reload} from './hass.ts'

/** The ids of the disabled entities of one device. */
async function disabled(hass: HomeAssistant, part: string): Promise<string[]> {
  const enabled = new Set((await hass.entities()).map(({entity_id}) => entity_id))
  return (await hass.registered()).filter((id) => id.includes(part) && !enabled.has(id)).sort()
}

describe('plugs with options for Home Assistant', async () => {
  const {broker, hass} = await openHome(loopback(9, 3))
  const user = await Watcher.open(broker)
  const meter = {model: 'chuangmi.plug.v3', state: {power: 100}} as const
  const plain = await startPlug({...meter, address: loopback(4, 1)})
  const kettle = await startPlug({...meter, address: loopback(4, 2)})
  const server = await startPlug({...meter, address: loopback(4, 3)})
  const strip = await startPlug({model: 'cuco.plug.cp7pd', address: loopback(4, 4)})
  const timer = await startPlug({model: 'cuco.plug.v3', address: loopback(4, 5)})
  const devices = {
    'kitchen/kettle': {
      filtered: ['rssi', 'temperature'],
      properties: {power: {scale: 0.001, offset: 2}},
      homeassistant: {
        name: 'Tea kettle',
        entities: {
          state: {device_class: 'switch', icon: 'mdi:kettle-steam'},
          usb: {name: 'Night light', icon: 'mdi:lamp'},
          led: {enabled: false},
        },
      },
    },
    server: {homeassistant: {enabled: false}},
    strip: {retain: false, qos: 0},
    timer: {homeassistant: {entities: {countdown: {enabled: true}, child_lock: {enabled: true}}}},
  }
  const choice = (more: Partial<TestBridgeOptions> = {}): TestBridgeOptions => ({
    broker,
    plugs: {plain, 'kitchen/kettle': kettle, server, strip, timer},
    config: {
      mqtt: {url: broker.url, output: 'attribute_and_json'},
      poll: {interval: '1s', slow_interval: '1s'},
    },
    devices,
    ...more,
  })
  let bridge = await startBridge(choice())

  it('have the name, the class, the icons and the labels of their own', async () => {
    await hass.becomes('switch.tea_kettle', 'off')
    expect(await hass.entity('switch.tea_kettle')).toMatchObject({
      attributes: {friendly_name: 'Tea kettle', device_class: 'switch', icon: 'mdi:kettle-steam'},
    })
    expect(await hass.called('switch', 'Tea kettle Night light')).toMatchObject({
      attributes: {device_class: 'switch', icon: 'mdi:lamp'},
    })
    expect(await hass.entity('switch.plain')).toMatchObject({
      attributes: {friendly_name: 'plain', device_class: 'outlet'},
    })
  })

  it('have the enabled entities, and none that is disabled or filtered', async () => {
    expect(await disabled(hass, 'tea_kettle')).toEqual([
      'sensor.tea_kettle_last_seen',
      'switch.tea_kettle_led',
    ])
    const signal = hass.idOf('sensor.plain_rssi', 'sensor.plain_signal')
    expect(await disabled(hass, 'plain')).toEqual(['sensor.plain_last_seen', signal])
    expect(await hass.registered()).not.toContain('sensor.tea_kettle_temperature')
    await hass.becomes('switch.timer_child_lock', 'off', 40_000)
  })

  it('are switched at the topics of their name in the file', async () => {
    await hass.call('switch', 'turn_on', {entity_id: 'switch.tea_kettle'})
    await until(() => kettle.state['state'] === 'ON', {what: 'the relay is on'})
    await hass.becomes('switch.tea_kettle', 'on')
    await user.waitFor('miio2mqtt/kitchen/kettle/state', ({payload}) => payload === 'ON')
  })

  it('show corrected numbers', async () => {
    await hass.becomes('sensor.plain_power', '100')
    const corrected = Number((await hass.entity('sensor.tea_kettle_power'))?.state)
    const raw = 100 / 0.01 // the value of the firmware of this model for 100 W
    expect(corrected).toBeCloseTo(raw * 0.001 + 2)
  })

  it('are not announced when that is switched off, and work on MQTT like any other', async () => {
    await user.waitFor('miio2mqtt/server/power')
    expect((await hass.registered()).filter((id) => id.includes('server'))).toEqual([])
  })

  it('are set, each kind of entity by its own service', async () => {
    await hass.call('select', 'select_option', {entity_id: 'select.timer_power_on_behavior', option: 'off'})
    await hass.becomes('select.timer_power_on_behavior', 'off')
    expect(timer.state['power_on_behavior']).toBe('off')
    await hass.call('number', 'set_value', {entity_id: 'number.timer_countdown', value: 30})
    await hass.becomes('number.timer_countdown', '30')
    expect(timer.state['countdown']).toBe(30)
    await hass.call('switch', 'turn_on', {entity_id: 'switch.timer_child_lock'})
    await hass.becomes('switch.timer_child_lock', 'on')
    const second = await hass.called('switch', 'strip Socket 2')
    await hass.call('switch', 'turn_on', {entity_id: second.entity_id})
    await hass.becomes(second.entity_id, 'on')
    expect([strip.state['state_1'], strip.state['state_2']]).toEqual(['OFF', 'ON'])
  })

  it('are announced again after a restart of Home Assistant, with all states that are not retained', async () => {
    await hass.end()
    await hass.run()
    await hass.becomes('switch.strip', strip.state['state'] === 'ON' ? 'on' : 'off', 40_000)
    await hass.becomes('switch.tea_kettle', 'on')
  })

  it('change their options while the bridge runs', async () => {
    const other = {
      ...devices,
      'kitchen/kettle': {homeassistant: {name: 'Pot', entities: {usb: {icon: 'mdi:usb'}}}},
    }
    expect(await reload(bridge, choice({devices: other}))).toBe(true)
    await hass.called('switch', 'Pot USB')
    expect(await hass.entity('switch.tea_kettle')).toMatchObject({
      state: 'on',
      attributes: {friendly_name: 'Pot', device_class: 'outlet'},
    })
    await hass.becomes('sensor.tea_kettle_power', '100')
  })

  it('are removed when their announcement is switched off', async () => {
    const away = {...devices, plain: {homeassistant: {enabled: false}}}
    expect(await reload(bridge, choice({devices: away}))).toBe(true)
    await hass.isRidOf('plain')
    await user.publish('miio2mqtt/plain/set', 'ON')
    await until(() => plain.state['state'] === 'ON', {what: 'it is switched over MQTT'})
  })

  const moved = {url: broker.url, base_topic: 'home/plugs'}
  const startAnew = async (more: Record<string, unknown>) => {
    const {folder} = bridge
    await bridge.daemon.stop()
    bridge = await startBridge(choice({folder, config: {...choice().config, ...more}}))
  }

  it('are removed when they are announced on another topic, and return', async () => {
    await startAnew({homeassistant: {discovery_prefix: 'elsewhere'}})
    await hass.isEmpty()
    await startAnew({})
    await hass.becomes('switch.plain', 'on')
  })

  it('move with the bridge to another topic, and leave no retained message on the old one', async () => {
    await startAnew({mqtt: moved})
    await hass.called('sensor', 'miio2mqtt (home/plugs) Version')
    await hass.becomes('switch.plain', 'on')
    await hass.isRidOf('miio2mqtt_version', 'miio2mqtt')
    const left = async () =>
      [...(await user.retained()).keys()].filter((topic) => topic.startsWith('miio2mqtt/'))
    await until(async () => (await left()).length === 0, {what: 'nothing on the old topics', within: 20_000})
  })

  it('are removed with the bridge when Home Assistant is switched off', async () => {
    await startAnew({mqtt: moved, homeassistant: {enabled: false}})
    await hass.isEmpty()
  })

  itEndsWithoutComplaint(hass)
})

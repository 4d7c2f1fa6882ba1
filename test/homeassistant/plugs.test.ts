/** Plugs from their first announcement to their removal, with a real Home Assistant, a real broker, the bridge and simulated plugs. */
import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridgeOptions} from '../support/bridge.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'
import {itEndsWithoutComplaint, openHome, reload} from './hass.ts'

describe('plugs in a real Home Assistant', async () => {
  const {broker, hass} = await openHome(loopback(9, 1))
  const user = await Watcher.open(broker)
  const desk = await startPlug({model: 'chuangmi.plug.v3', address: loopback(2, 1)})
  const kettle = await startPlug({model: 'chuangmi.plug.m1', address: loopback(2, 2)})
  const choice = (more: Partial<TestBridgeOptions> = {}): TestBridgeOptions => ({
    broker,
    plugs: {desk, 'kitchen/kettle': kettle},
    config: {poll: {interval: '1s', slow_interval: '1s', offline_after: 1}},
    devices: {'kitchen/kettle': {area: 'Kitchen', icon: 'mdi:kettle'}},
    ...more,
  })
  let bridge = await startBridge(choice())

  it('appear with the intended names, units and classes', async () => {
    await hass.becomes('switch.desk', 'off')
    await hass.becomes('switch.kitchen_kettle', 'off')
    expect(await hass.entity('sensor.desk_power')).toMatchObject({
      attributes: {
        unit_of_measurement: 'W',
        device_class: 'power',
        state_class: 'measurement',
        friendly_name: 'desk Power',
      },
    })
    expect(await hass.template("{{ device_attr('switch.desk', 'manufacturer') }}")).toBe('Xiaomi')
    expect(await hass.template("{{ device_attr('switch.desk', 'name') }}")).toBe('desk')
    expect(await hass.entity('switch.kitchen_kettle')).toMatchObject({
      attributes: {friendly_name: 'kitchen kettle'},
    })
  })

  it('have the area and the icon of the configuration', async () => {
    expect(await hass.template("{{ area_name('switch.kitchen_kettle') }}")).toBe('Kitchen')
    expect(await hass.template("{{ area_name('switch.desk') }}")).toBe('None')
    expect(await hass.entity('switch.kitchen_kettle')).toMatchObject({attributes: {icon: 'mdi:kettle'}})
  })

  it('are switched by its service, and follow the button on the plug', async () => {
    await hass.call('switch', 'turn_on', {entity_id: 'switch.desk'})
    await until(() => desk.state['state'] === 'ON', {what: 'the relay is on'})
    await hass.becomes('switch.desk', 'on')
    desk.state['state'] = 'OFF'
    await hass.becomes('switch.desk', 'off')
    desk.state['power'] = 41.5
    await hass.becomes('sensor.desk_power', '41.5')
  })

  it('are unavailable, each by itself, while they do not respond, and return with their current state', async () => {
    kettle.setFaults({silence: true})
    await hass.becomes('switch.kitchen_kettle', 'unavailable', 40_000)
    await hass.becomes('sensor.kitchen_kettle_temperature', 'unavailable')
    expect(await hass.entity('switch.desk')).toMatchObject({state: 'off'})
    kettle.state['state'] = 'ON'
    kettle.setFaults({})
    await hass.becomes('switch.kitchen_kettle', 'on', 40_000)
  })

  it('are unavailable while the bridge is stopped, and return with it', async () => {
    const {folder} = bridge
    await bridge.daemon.stop()
    await hass.becomes('switch.desk', 'unavailable')
    bridge = await startBridge(choice({folder}))
    await hass.becomes('switch.desk', 'off')
  })

  it('are available again after a restart of Home Assistant', async () => {
    const before = await hass.registered()
    await hass.end()
    user.forget()
    await hass.run()
    await hass.becomes('switch.desk', 'off')
    await hass.becomes('sensor.desk_power', '41.5')
    expect((await hass.registered()).sort()).toEqual(before.sort())
  })

  it('are available again after the broker lost all retained messages', async () => {
    await user.waitFor('homeassistant/status', ({payload}) => payload === 'online', 20_000)
    await broker.restart()
    await hass.becomes('switch.desk', 'unavailable')
    await hass.becomes('switch.desk', 'off', 60_000)
    await hass.becomes('sensor.desk_power', '41.5')
  })

  it('lose the entity of a property while it is filtered', async () => {
    const filtered = {desk: {filtered: ['power', 'led']}, ...choice().devices}
    expect(await reload(bridge, choice({devices: filtered}))).toBe(true)
    await hass.losesEntities('desk_power')
    await hass.losesEntities('desk_led')
    await hass.becomes('switch.desk', 'off')
    desk.setFaults({silence: true}) // the retained message does not list them until the plug has responded
    expect(await reload(bridge, choice())).toBe(true)
    await hass.becomes('sensor.desk_power', 'unavailable')
    desk.setFaults({})
    await hass.becomes('sensor.desk_power', '41.5', 40_000)
    await hass.becomes('switch.desk_led', 'off')
  })

  it('are removed while they are disabled, and return to their area', async () => {
    const kitchen = {area: 'Kitchen', icon: 'mdi:kettle'}
    expect(await reload(bridge, choice({devices: {'kitchen/kettle': {...kitchen, disabled: true}}}))).toBe(
      true,
    )
    await hass.isRidOf('kettle', 'kitchen kettle')
    expect(await reload(bridge, choice())).toBe(true)
    await hass.becomes('switch.kitchen_kettle', 'on')
    expect(await hass.template("{{ area_name('switch.kitchen_kettle') }}")).toBe('Kitchen')
  })

  it('keep entities and history when they are renamed, and leave no entity when they are removed', async () => {
    const of = async (name: string) => (await hass.registered()).filter((id) => id.includes(name)).sort()
    const before = await of('desk')
    expect(await reload(bridge, choice({plugs: {table: desk, 'kitchen/kettle': kettle}}))).toBe(true)
    await until(async () => (await hass.entity('switch.desk'))?.attributes['friendly_name'] === 'table', {
      what: 'the entity has the new name',
      within: 20_000,
    })
    expect(await of('desk')).toEqual(before)
    expect(await of('table')).toEqual([])
    await hass.becomes('switch.desk', 'off')
    await hass.call('switch', 'turn_on', {entity_id: 'switch.desk'})
    await until(() => desk.state['state'] === 'ON', {what: 'the relay is on'})
    expect(await reload(bridge, choice({plugs: {table: desk}, devices: {}}))).toBe(true)
    await hass.isRidOf('kettle', 'kitchen kettle')
  })

  it('can be replaced by a new plug under the same name', async () => {
    const other = await startPlug({model: 'chuangmi.plug.v3', address: loopback(2, 3)})
    expect(await reload(bridge, choice({plugs: {table: other}, devices: {}}))).toBe(true)
    const serial = (id: string) => hass.template(`{{ device_attr('${id}', 'serial_number') }}`)
    await until(async () => (await serial('switch.desk')) === 'None', {
      what: 'the old one is gone',
      within: 20_000,
    })
    const {entity_id} = await hass.called('switch', 'table')
    expect(await serial(entity_id)).toBe(String(other.did))
    await hass.call('switch', 'turn_on', {entity_id})
    await until(() => other.state['state'] === 'ON', {what: 'the relay of the new one is on'})
  })

  it('leave no entity when they are renamed and removed while the bridge is stopped', async () => {
    const {folder} = bridge
    await reload(bridge, choice())
    await hass.becomes('switch.kitchen_kettle', 'on')
    await hass.isRidOf('table')
    await bridge.daemon.stop()
    bridge = await startBridge(choice({folder, plugs: {shelf: desk}, devices: {}}))
    await hass.isRidOf('kettle', 'kitchen kettle')
    expect(await hass.template("{{ device_attr('switch.desk', 'name') }}")).toBe('shelf')
    await hass.becomes('switch.desk', 'on')
  })

  itEndsWithoutComplaint(hass)
})

/** The full half: Home Assistant itself, a real broker, the bridge, and simulated plugs. */
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config.ts'
import type {SimulatedPlug} from '../../src/simulator/plug.ts'
import {type Bridge, configText, startBridge, startPlug} from '../support/bridge.ts'
import {type Broker, startMosquitto} from '../support/mosquitto.ts'
import {until} from '../support/wait.ts'
import {HomeAssistant} from './hass.ts'
import {type Python, pythonWithHomeAssistant} from './python.ts'

describe('two plugs in a real Home Assistant', () => {
  let python: Python
  let broker: Broker
  let hass: HomeAssistant
  let bridge: Bridge
  let desk: SimulatedPlug
  let kettle: SimulatedPlug

  const state = async (id: string) => (await hass.entity(id))?.state
  const becomes = (id: string, wanted: string) =>
    until(async () => (await state(id)) === wanted, {what: `${id} is ${wanted}`, within: 20_000})

  beforeAll(async () => {
    python = await pythonWithHomeAssistant()
    broker = await startMosquitto()
    hass = await HomeAssistant.start(python, '127.90.9.1', broker)
    desk = await startPlug({model: 'chuangmi.plug.v3', address: '127.90.2.1'})
    kettle = await startPlug({model: 'chuangmi.plug.m1', address: '127.90.2.2'})
    bridge = await startBridge({broker, plugs: {desk, 'kitchen/kettle': kettle}})
  })
  afterAll(() => hass?.remove())

  it('appear with the names, units and classes that were meant', async () => {
    await becomes('switch.desk', 'off')
    await becomes('switch.kitchen_kettle', 'off')
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
  })

  it('are switched by its service, and follow the button on the plug', async () => {
    await hass.call('switch', 'turn_on', {entity_id: 'switch.desk'})
    await until(() => desk.state['state'] === 'ON', {what: 'the relay is on'})
    await becomes('switch.desk', 'on')
    desk.state['state'] = 'OFF'
    await becomes('switch.desk', 'off')
    desk.state['power'] = 41.5
    await becomes('sensor.desk_power', '41.5')
  })

  it('are unavailable while the bridge is gone, and come back with it', async () => {
    const {folder} = bridge
    await bridge.daemon.stop()
    await becomes('switch.desk', 'unavailable')
    bridge = await startBridge({broker, plugs: {desk, 'kitchen/kettle': kettle}, folder})
    await becomes('switch.desk', 'off')
  })

  it('are there again after Home Assistant itself was started anew', async () => {
    await hass.end()
    await hass.run()
    await becomes('switch.desk', 'off')
    await becomes('sensor.desk_power', '41.5')
  })

  it('keep entities and history when a plug is renamed, and leave no ghost when one is removed', async () => {
    const change = (plugs: Record<string, SimulatedPlug>) => {
      const edited = parseConfig(configText({broker, plugs}), {file: 'config.yaml', env: {}})
      return bridge.daemon.reload({...edited, state_dir: bridge.config.state_dir})
    }
    expect(await change({table: desk, 'kitchen/kettle': kettle})).toBe(true)
    await until(async () => (await hass.entity('switch.desk'))?.attributes['friendly_name'] === 'table', {
      what: 'the entity has the new name',
      within: 20_000,
    })
    await becomes('switch.desk', 'off')
    await hass.call('switch', 'turn_on', {entity_id: 'switch.desk'})
    await until(() => desk.state['state'] === 'ON', {what: 'the relay is on'})
    expect(await change({table: desk})).toBe(true)
    await until(async () => (await hass.entities()).every(({entity_id}) => !entity_id.includes('kettle')), {
      what: 'nothing of the removed plug',
      within: 20_000,
    })
  })

  it('leave its log without a word of complaint', async () => {
    expect(await hass.complaints()).toEqual([])
    const count = (await hass.entities()).length
    console.log(
      `Home Assistant ${python.homeAssistant} on Python ${python.version}: ${count} entities, 0 complaints`,
    )
  })
})

/** Groups in Home Assistant: a device each, with one switch. */
import {describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridgeOptions} from '../support/bridge.ts'
import {until} from '../support/wait.ts'
import {itEndsWithoutComplaint, openHome, reload} from './hass.ts'

const EVENING = {members: ['desk', 'kitchen/kettle', 'strip'], area: 'Kitchen', icon: 'mdi:weather-night'}

describe('groups in a real Home Assistant', async () => {
  const {broker, hass} = await openHome(loopback(9, 2))
  const desk = await startPlug({model: 'chuangmi.plug.v3', address: loopback(3, 1)})
  const kettle = await startPlug({model: 'chuangmi.plug.m1', address: loopback(3, 2)})
  const strip = await startPlug({model: 'cuco.plug.cp2', address: loopback(3, 3)})
  const choice = (groups: Record<string, unknown>, folder?: string): TestBridgeOptions => ({
    broker,
    plugs: {desk, 'kitchen/kettle': kettle, strip},
    config: {poll: {interval: '1s', slow_interval: '1s', offline_after: 1}, groups},
    devices: {strip: {homeassistant: {enabled: false}}},
    ...(folder === undefined ? {} : {folder}),
  })
  let bridge = await startBridge(choice({evening: EVENING, 'house/all': {members: ['desk']}}))
  const all = (wanted: 'ON' | 'OFF', plugs: readonly SimulatedPlug[] = [desk, kettle, strip]) =>
    until(() => plugs.every(({state}) => state['state'] === wanted), {what: `all members are ${wanted}`})

  it('appear as a device and a switch with their own name, area and icon', async () => {
    await hass.becomes('switch.evening', 'off')
    await hass.becomes('switch.house_all', 'off')
    expect(await hass.entity('switch.evening')).toMatchObject({
      attributes: {friendly_name: 'evening', icon: 'mdi:weather-night'},
    })
    expect(await hass.template("{{ area_name('switch.evening') }}")).toBe('Kitchen')
    expect(await hass.template("{{ device_attr('switch.evening', 'model') }}")).toBe('Group')
    expect(await hass.template("{{ device_attr('switch.house_all', 'name') }}")).toBe('house all')
    expect((await hass.registered()).filter((id) => id.includes('evening'))).toEqual(['switch.evening'])
  })

  it('switch every member, also one that is not announced to Home Assistant', async () => {
    await hass.call('switch', 'turn_on', {entity_id: 'switch.evening'})
    await all('ON')
    for (const id of ['switch.evening', 'switch.desk', 'switch.kitchen_kettle', 'switch.house_all'])
      await hass.becomes(id, 'on')
    expect((await hass.registered()).filter((id) => id.includes('strip'))).toEqual([])
    await hass.call('switch', 'turn_off', {entity_id: 'switch.evening'})
    await all('OFF')
    for (const id of ['switch.evening', 'switch.desk', 'switch.kitchen_kettle', 'switch.house_all'])
      await hass.becomes(id, 'off')
  })

  it('are on as long as any member is, however it was switched', async () => {
    strip.state['state'] = 'ON'
    await hass.becomes('switch.evening', 'on')
    await hass.call('switch', 'toggle', {entity_id: 'switch.desk'})
    await hass.becomes('switch.house_all', 'on')
    strip.state['state'] = 'OFF'
    await hass.becomes('switch.desk', 'on')
    expect(await hass.entity('switch.evening')).toMatchObject({state: 'on'})
    await hass.call('switch', 'turn_off', {entity_id: 'switch.desk'})
    await hass.becomes('switch.evening', 'off')
  })

  it('switch the available members, and are unavailable only when all members are', async () => {
    desk.setFaults({silence: true})
    await hass.becomes('switch.house_all', 'unavailable', 40_000)
    await hass.becomes('switch.desk', 'unavailable')
    await hass.call('switch', 'turn_on', {entity_id: 'switch.evening'})
    await all('ON', [kettle, strip])
    await hass.becomes('switch.evening', 'on')
    desk.setFaults({})
    const isBack = async () => (await hass.entity('switch.house_all'))?.state !== 'unavailable'
    await until(isBack, {what: 'the group of one is available', within: 40_000})
    await hass.call('switch', 'turn_off', {entity_id: 'switch.evening'})
    await all('OFF')
    await hass.becomes('switch.evening', 'off')
  })

  it('are unknown while no member is on and one is unavailable', async () => {
    kettle.setFaults({silence: true})
    await hass.becomes('switch.evening', 'unknown')
    kettle.setFaults({})
    await hass.becomes('switch.evening', 'off', 40_000)
  })

  it('become other devices when they are renamed, and leave no entity of the old name', async () => {
    expect(await reload(bridge, choice({night: EVENING, 'house/all': {members: ['desk']}}))).toBe(true)
    await hass.becomes('switch.night', 'off')
    await hass.isRidOf('evening')
    await hass.call('switch', 'turn_on', {entity_id: 'switch.night'})
    await all('ON')
    await hass.becomes('switch.night', 'on')
  })

  it('follow their new members', async () => {
    expect(await reload(bridge, choice({night: {...EVENING, members: ['desk']}}))).toBe(true)
    await hass.isRidOf('house')
    await hass.call('switch', 'turn_off', {entity_id: 'switch.desk'})
    await hass.becomes('switch.night', 'off')
    expect(kettle.state['state']).toBe('ON')
  })

  it('are all available again after a restart of Home Assistant or the bridge', async () => {
    await hass.end()
    await hass.run()
    await hass.becomes('switch.night', 'off')
    const {folder} = bridge
    await bridge.daemon.stop()
    await hass.becomes('switch.night', 'unavailable')
    bridge = await startBridge(choice({night: EVENING}, folder))
    await hass.becomes('switch.night', 'on')
  })

  it('leave no entity when they were removed while the bridge was stopped', async () => {
    const {folder} = bridge
    await bridge.daemon.stop()
    bridge = await startBridge(choice({}, folder))
    await hass.isRidOf('night')
    await hass.becomes('switch.desk', 'off')
  })

  it('return each time they are configured again', async () => {
    for (const _ of ['once', 'twice']) {
      expect(await reload(bridge, choice({night: EVENING}))).toBe(true)
      await hass.becomes('switch.night', 'on')
      expect(await hass.template("{{ area_name('switch.night') }}")).toBe('Kitchen')
      expect(await reload(bridge, choice({}))).toBe(true)
      await hass.isRidOf('night')
    }
  })

  itEndsWithoutComplaint(hass)
})

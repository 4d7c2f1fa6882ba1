/** A Home Assistant in another language: it translates the names that it knows, and keeps the ids that the bridge proposes. */
import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {until} from '../support/wait.ts'
import {itEndsWithoutComplaint, openHome} from './hass.ts'

describe('a plug in a Home Assistant whose owner reads German', async () => {
  const {broker, hass} = await openHome(loopback(9, 6), 'de')
  const kettle = await startPlug({model: 'chuangmi.plug.v3', address: loopback(1, 1), state: {power: 41.5}})
  await startBridge({broker, plugs: {'kitchen/kettle': kettle}})

  it('has German names where Home Assistant has them, and ours for the rest', async () => {
    const power = await hass.called('sensor', 'kitchen kettle Leistung')
    expect(power.entity_id).toBe(hass.idOf('sensor.kitchen_kettle_power', 'sensor.kitchen_kettle_leistung'))
    await hass.called('sensor', 'kitchen kettle Temperatur')
    await hass.called('sensor', 'kitchen kettle Energy today')
    await hass.called('switch', 'kitchen kettle LED')
    await hass.called('switch', 'kitchen kettle')
  })

  it('works like any other', async () => {
    const {entity_id} = await hass.called('sensor', 'kitchen kettle Leistung')
    await hass.becomes(entity_id, '41.5')
    await hass.call('switch', 'turn_on', {entity_id: 'switch.kitchen_kettle'})
    await until(() => kettle.state['state'] === 'ON', {what: 'the relay is on'})
  })

  itEndsWithoutComplaint(hass)
})

/** Plugs of unknown models, and of models that the user defines: in Home Assistant they are plugs like any other. */
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {
  action,
  button,
  minutesSetting,
  miot,
  powerOnBehavior,
  prop,
  relay,
  watts,
} from '../../src/models/builders.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import type {Model} from '../../src/models/model.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startPlug} from '../support/bridge.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'
import {itEndsWithoutComplaint, openHome} from './hass.ts'

const made = {name: 'Made up', vendor: 'Acme', confidence: 'inferred', evidence: 'made up'} as const
/** The definitions of the simulated plugs. */
const firmware: readonly Model[] = [
  {...made, ids: ['acme.plug.miot'], properties: {state: relay(miot(2, 1)), power: watts(miot(3, 1))}},
  {...made, ids: ['acme.plug.legacy'], properties: {state: relay(prop('power', 'set_power'))}},
  {...made, ids: ['acme.plug.older'], properties: {state: relay(prop('on', 'set_power'))}},
  {
    ...made,
    ids: ['acme.plug.own'],
    properties: {
      state: relay(miot(2, 1)),
      power: watts(miot(3, 1), {scale: 0.1}),
      power_on_behavior: powerOnBehavior(miot(2, 2), [
        [0, 'previous'],
        [1, 'on'],
        [2, 'off'],
      ]),
      nap: minutesSetting('Nap', miot(8, 2), {max: 60}),
      refresh: button('Refresh', action(5, 1)),
    },
  },
]

/** The user's definition of the last one (docs/adding-a-plug.md). */
const DEFINITION = `ids: [acme.plug.own]
name: ACME plug with a meter
vendor: ACME
properties:
  state: {miot: 2.1}
  power: {miot: 3.1, scale: 0.1}
  power_on_behavior: {miot: 2.2, values: {0: previous, 1: on, 2: off}}
  nap: {is: minutes_setting, miot: 8.2, max: 60}
  refresh: {is: button, action: 5.1}
`

describe('plugs of unknown models in a real Home Assistant', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-strangers-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const catalogue = new Catalogue(firmware)
  const start = (kind: string, address: string) => startPlug({catalogue, model: `acme.plug.${kind}`, address})
  const plugs = {
    miot: await start('miot', loopback(5, 1)),
    legacy: await start('legacy', loopback(5, 2)),
    older: await start('older', loopback(5, 3)),
    own: await start('own', loopback(5, 4)),
  }
  const {broker, hass} = await openHome(loopback(9, 4))
  const enabled = {nap: {enabled: true}, refresh: {enabled: true}}
  const config = {models: 'models'}
  const devices = {own: {homeassistant: {entities: enabled}}}
  await mkdir(join(folder, 'models'))
  await writeFile(join(folder, 'models', 'own.yaml'), DEFINITION)
  await writeFile(join(folder, 'config.yaml'), configText({broker, plugs, config, devices}))
  const bridge = new Program(['run'], {cwd: folder})

  it.each(['miot', 'legacy', 'older', 'own'] as const)(
    '%s: appears, is switched, and follows',
    async (name) => {
      const id = `switch.${name}`
      await hass.becomes(id, 'off')
      expect(await hass.template(`{{ device_attr('${id}', 'model_id') }}`)).toBe(`acme.plug.${name}`)
      await hass.call('switch', 'turn_on', {entity_id: id})
      await until(() => plugs[name].state['state'] === 'ON', {what: 'the relay is on'})
      await hass.becomes(id, 'on')
      plugs[name].state['state'] = 'OFF'
      await hass.becomes(id, 'off')
    },
  )

  it('have the relay, and the properties of every plug, when they have no definition', async () => {
    for (const name of ['miot', 'legacy', 'older'])
      expect((await hass.registered()).filter((id) => id.includes(name)).sort()).toEqual([
        `sensor.${name}_last_seen`,
        hass.idOf(`sensor.${name}_rssi`, `sensor.${name}_signal`),
        `switch.${name}`,
      ])
  })

  it("have all properties of the user's definition, which can be set", async () => {
    plugs.own.state['power'] = 41.5
    await hass.becomes('sensor.own_power', '41.5')
    expect(await hass.entity('sensor.own_power')).toMatchObject({
      attributes: {device_class: 'power', unit_of_measurement: 'W', state_class: 'measurement'},
    })
    await hass.call('select', 'select_option', {entity_id: 'select.own_power_on_behavior', option: 'on'})
    await hass.becomes('select.own_power_on_behavior', 'on')
    const nap = await hass.called('number', 'own Nap')
    expect(nap).toMatchObject({attributes: {min: 0, max: 60, step: 1, unit_of_measurement: 'min'}})
    await hass.call('number', 'set_value', {entity_id: nap.entity_id, value: 20})
    await until(() => plugs.own.state['nap'] === 20, {what: 'the nap is set'})
    const refresh = await hass.called('button', 'own Refresh')
    await hass.call('button', 'press', {entity_id: refresh.entity_id})
    await until(() => plugs.own.received.some(({method}) => method === 'action'), {what: 'it is pressed'})
    expect(await hass.template("{{ device_attr('switch.own', 'manufacturer') }}")).toBe('ACME')
  })

  it('lose a property that is removed from the definition', async () => {
    await writeFile(join(folder, 'models', 'own.yaml'), DEFINITION.replace(/ {2}(?:nap|refresh): .*\n/g, ''))
    await writeFile(join(folder, 'config.yaml'), configText({broker, plugs, config}))
    bridge.signal('SIGHUP')
    await hass.losesEntities('own_nap')
    await hass.losesEntities('own_refresh')
    await hass.becomes('switch.own', 'off')
  })

  itEndsWithoutComplaint(hass)
})

/** The bridge itself as a device of Home Assistant: the program as a process, with a file of its own. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {version} from '../../src/app/version.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {configText, inReachOfBroadcasts, startPlug} from '../support/bridge.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'
import {itEndsWithoutComplaint, openHome} from './hass.ts'

describe('the bridge in a real Home Assistant', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-hass-bridge-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const desk = await startPlug({model: 'chuangmi.plug.v3', address: loopback(6, 1)})
  const kettle = await startPlug({address: loopback(6, 2)})
  await inReachOfBroadcasts([desk, kettle])
  const {broker, hass} = await openHome(loopback(9, 5))
  const user = await Watcher.open(broker)
  const config = {
    network: {broadcast: [BROADCAST]},
    state_dir: join(folder, 'state'),
    groups: {evening: {members: ['desk', 'kettle']}},
  }
  await writeFile(join(folder, 'config.yaml'), configText({broker, plugs: {desk, kettle}, config}))
  let bridge = new Program(['run'], {cwd: folder})
  const info = async () => JSON.parse((await user.retained()).get('miio2mqtt/bridge/info') ?? '{}')
  /** One entity of each kind that depends on the bridge. */
  const followers = ['switch.desk', 'sensor.desk_power', 'switch.evening', 'sensor.miio2mqtt_version']

  it('is a device, to which the plugs and groups belong, with its connection and its version', async () => {
    await hass.becomes('binary_sensor.miio2mqtt_connection', 'on')
    await hass.becomes('sensor.miio2mqtt_version', version)
    expect(await hass.entity('binary_sensor.miio2mqtt_connection')).toMatchObject({
      attributes: {device_class: 'connectivity', friendly_name: 'miio2mqtt Connection'},
    })
    await hass.becomes('switch.desk', 'off')
    await hass.becomes('switch.evening', 'off')
    const own = await hass.template("{{ device_id('sensor.miio2mqtt_version') }}")
    for (const id of ['switch.desk', 'switch.kettle', 'switch.evening'])
      expect(await hass.template(`{{ device_attr('${id}', 'via_device_id') }}`)).toBe(own)
  })

  it('logs at the level that is selected there', async () => {
    await hass.becomes('select.miio2mqtt_log_level', 'info')
    for (const option of ['debug', 'warn', 'info']) {
      await hass.call('select', 'select_option', {entity_id: 'select.miio2mqtt_log_level', option})
      await hass.becomes('select.miio2mqtt_log_level', option)
      expect(await info()).toMatchObject({log_level: option})
    }
  })

  it('looks for plugs when its button is pressed', async () => {
    user.forget()
    const {entity_id} = await hass.called('button', 'miio2mqtt Discover plugs')
    await hass.call('button', 'press', {entity_id})
    // Plugs of other tests may receive the same broadcast.
    const found = await user.waitFor('miio2mqtt/bridge/event', ({payload}) => {
      const {type, data} = JSON.parse(payload)
      return type === 'device_discovered' && data.did === desk.did
    })
    expect(JSON.parse(found.payload).data).toMatchObject({address: desk.address, name: 'desk'})
    const answer = await user.waitFor('miio2mqtt/bridge/response/discover', () => true, 20_000)
    expect(JSON.parse(answer.payload)).toMatchObject({status: 'ok'})
  })

  it('restarts when its button is pressed, with the current file, and all entities return', async () => {
    const {started} = await info()
    const edited = configText({broker, plugs: {desk, kettle}, config, devices: {desk: {icon: 'mdi:desk'}}})
    await writeFile(join(folder, 'config.yaml'), edited)
    const {entity_id} = await hass.called('button', 'miio2mqtt Restart')
    await hass.call('button', 'press', {entity_id})
    await until(async () => (await info()).started > started, {what: 'it has started anew', within: 20_000})
    await until(async () => (await hass.entity('switch.desk'))?.attributes['icon'] === 'mdi:desk', {
      what: 'the icon of the edited file',
      within: 20_000,
    })
    await hass.becomes('switch.desk', 'off')
    await hass.becomes('switch.evening', 'off')
    await hass.becomes('binary_sensor.miio2mqtt_connection', 'on')
  })

  it('makes all entities unavailable when it is killed, except for its connection', async () => {
    await bridge.abandon()
    await hass.becomes('binary_sensor.miio2mqtt_connection', 'off')
    for (const id of followers) await hass.becomes(id, 'unavailable')
    const left = (await hass.entities()).filter(({entity_id}) =>
      /miio2mqtt|desk|kettle|evening/.test(entity_id),
    )
    expect(left.filter(({state}) => state !== 'unavailable').map(({entity_id}) => entity_id)).toEqual([
      'binary_sensor.miio2mqtt_connection',
    ])
    desk.state['state'] = 'ON'
    bridge = new Program(['run'], {cwd: folder})
    await hass.becomes('switch.desk', 'on')
    await hass.becomes('switch.evening', 'on')
    await hass.becomes('binary_sensor.miio2mqtt_connection', 'on')
  })

  it('is available again, with its plugs, after Home Assistant restarted while it was stopped', async () => {
    bridge.signal('SIGTERM')
    await bridge.waitForEnd()
    await hass.end()
    await hass.run()
    await hass.becomes('binary_sensor.miio2mqtt_connection', 'off')
    await hass.becomes('switch.desk', 'unavailable')
    bridge = new Program(['run'], {cwd: folder})
    await hass.becomes('switch.desk', 'on')
  })

  itEndsWithoutComplaint(hass)
})

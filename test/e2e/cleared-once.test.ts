import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug} from '../support/bridge.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

/** Stale messages are cleared after seconds: here in a fifth of that. */
const clock = new SteadyClock(5)

describe('a plug that is removed a moment before a restart of the bridge', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const recorder = await MessageRecorder.open(broker)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-cleared-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const desk = await startPlug({address: loopback(1, 1), clock})
  const lamp = await startPlug({address: loopback(1, 2), clock})
  const topic = `homeassistant/device/miio2mqtt_${lamp.did}/config`
  const removals = () => recorder.on(topic).filter(({payload}) => payload === '').length

  it('is removed from Home Assistant once, and the rest of its messages is cleared after the start', async () => {
    const {daemon, config, stop} = await startBridge({broker, clock, folder, plugs: {desk, lamp}})
    await until(() => recorder.on(topic).length > 0, {what: 'the discovery message of the lamp'})
    await user.waitFor('miio2mqtt/lamp')
    const edited = parseConfig(configText({broker, plugs: {desk}}), {file: 'config.yaml', env: {}})
    expect(await daemon.reload({...edited, state_dir: config.state_dir})).toBe(true)
    await until(() => removals() > 0, {what: 'the lamp is removed'})
    await stop()
    await startBridge({broker, clock, folder, plugs: {desk}})
    await until(async () => !(await user.retained()).has('miio2mqtt/lamp'), {what: 'its state is cleared'})
    expect(removals()).toBe(1)
  })
})

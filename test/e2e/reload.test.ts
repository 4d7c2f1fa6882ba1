import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {type Config, parseConfig} from '../../src/config/config.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug, type TestBridgeOptions} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

const ONLINE = '{"state":"online"}'
const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-reload-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

/** Five times as fast: the messages of an old name are cleared 5 s after the discovery message of the new one. */
const clock = new SteadyClock(5)

/** The configuration of `choice`, as from an edited file, with the state folder of the bridge that runs. */
function edited(choice: TestBridgeOptions, {state_dir}: Config): Config {
  return {...parseConfig(configText(choice), {file: 'config.yaml', env: {}}), state_dir}
}

interface Announcement {
  device: {identifiers: string[]}
  components: Record<string, {unique_id: string}>
}

async function stage(): Promise<{
  broker: Mosquitto
  user: Watcher
  recorder: MessageRecorder
  home: CommandClient
}> {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  return {broker, user, recorder: await MessageRecorder.open(broker), home: new CommandClient(broker, user)}
}

const configTopic = (did: number) => `homeassistant/device/miio2mqtt_${did}/config`
/** Topics with a retained message whose name contains `part`. */
async function retainedTopics(user: Watcher, part: string): Promise<string[]> {
  const retained = await user.retained()
  return [...retained]
    .flatMap(([topic, payload]) => (topic.includes(part) && payload !== '' ? [topic] : []))
    .sort()
}

describe('an edited configuration', async () => {
  const {broker, user, recorder, home} = await stage()
  const desk = await startPlug({address: loopback(1, 1), clock})
  const lamp = await startPlug({address: loopback(1, 2), clock})
  const fan = await startPlug({address: loopback(1, 3), clock})
  const bridge = await startBridge({broker, plugs: {desk, lamp}, clock})
  const change = (choice: Omit<TestBridgeOptions, 'broker'>) =>
    bridge.daemon.reload(edited({broker, ...choice}, bridge.config))
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
  for (const {did} of [desk, lamp]) await user.waitFor(configTopic(did))

  it('adds a plug, which is announced and takes commands', async () => {
    expect(await change({plugs: {desk, lamp, 'hall/fan': fan}})).toBe(true)
    await home.waitForAvailability('hall/fan', 'online')
    await user.waitFor(configTopic(fan.did))
    expect(await home.mosquittoPub('hall/fan', 'set', 'ON')).toMatchObject({
      status: 'ok',
      data: {state: 'ON'},
    })
  })

  it('changes one plug, and does not identify the others again', async () => {
    const polls = desk.received.length
    expect(await change({plugs: {desk, lamp, 'hall/fan': fan}, devices: {lamp: {area: 'Office'}}})).toBe(true)
    await until(() => recorder.on(configTopic(lamp.did)).at(-1)?.payload.includes('"Office"'), {
      what: 'a discovery message with the area',
    })
    expect(desk.received.slice(polls).filter(({method}) => method === 'miIO.info')).toEqual([])
    expect(home.availabilities('desk')).toEqual(['online'])
    expect(home.availabilities('hall/fan')).toEqual(['online'])
  })

  it('A disabled plug gets no packet, is offline, and is removed from Home Assistant.', async () => {
    await change({
      plugs: {desk, lamp, 'hall/fan': fan},
      devices: {lamp: {area: 'Office', disabled: true}},
    })
    await home.waitForAvailability('lamp', 'disabled')
    let packets = 0
    lamp.receive = () => void packets++
    await until(() => recorder.on(configTopic(lamp.did)).at(-1)?.payload === '', {
      what: 'an empty discovery message',
    })
    expect(await home.mosquittoPub('lamp', 'set', 'OFF')).toMatchObject({error: {code: 'disabled'}})
    expect(await home.mosquittoPub('lamp', 'get', '')).toMatchObject({error: {code: 'disabled'}})
    const polls = desk.received.length
    await until(() => desk.received.length > polls + 3, {what: 'polls of a plug that is not disabled'})
    expect(packets).toBe(0)
    const retained = await user.retained()
    expect(retained.has(configTopic(lamp.did))).toBe(false)
    expect(JSON.parse(retained.get('miio2mqtt/lamp/availability') ?? '{}')).toMatchObject({
      state: 'offline',
      reason: 'disabled',
    })
  })

  it('removes a plug, which gets no packet any more, also not for a command on its topics', async () => {
    await user.publish(`homeassistant/device/other_${fan.did}/config`, '{}', {retain: true, qos: 1})
    await change({plugs: {desk}})
    const polls = fan.received.length
    await user.publish('miio2mqtt/hall/fan/set', 'OFF', {qos: 1})
    expect(await home.mosquittoPub('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(fan.received).toHaveLength(polls)
    await until(async () => (await retainedTopics(user, 'hall/fan')).length === 0, {
      what: 'nothing of it is left',
    })
    expect(await retainedTopics(user, 'other_')).toEqual([`homeassistant/device/other_${fan.did}/config`])
  })

  it('is applied over the same connection, and with the bridge online all the time', async () => {
    expect(recorder.on('miio2mqtt/bridge/state').map(({payload}) => payload)).toEqual([ONLINE])
    expect(bridge.log.filter(({message}) => String(message).startsWith('connected to'))).toHaveLength(1)
    const listed = recorder.on('miio2mqtt/bridge/devices').at(-1)?.payload ?? '[]'
    expect(JSON.parse(listed).map(({name}: {name: string}) => name)).toEqual(['desk'])
  })

  it('with another broker, base topic or network needs a restart, and changes nothing before', async () => {
    expect(await change({plugs: {}, config: {mqtt: {url: broker.url, base_topic: 'other'}}})).toBe(false)
    expect(await home.mosquittoPub('desk', 'set', 'OFF')).toMatchObject({status: 'ok'})
  })
})

describe('a plug that was removed or renamed', async () => {
  const {broker, user, recorder} = await stage()
  const desk = await startPlug({address: loopback(2, 1), clock})
  const lamp = await startPlug({address: loopback(2, 2), clock})
  const fan = await startPlug({address: loopback(2, 3), clock})
  /** With a topic for each value. */
  const config = {mqtt: {url: broker.url, output: 'attribute_and_json'}}
  const start = async (plugs: Record<string, SimulatedPlug>) => {
    user.forget()
    const bridge = await startBridge({broker, plugs, config, folder, clock})
    for (const [name, {did}] of Object.entries(plugs)) {
      await user.waitFor(configTopic(did), ({payload}) => payload.includes(`"${name}"`))
      await user.waitFor(`miio2mqtt/${name}/led`)
    }
    return bridge
  }
  const nothingIsLeft = (part: string) =>
    until(async () => (await retainedTopics(user, part)).length === 0, {what: `nothing of ${part} is left`})
  const announced = ({did}: SimulatedPlug) => recorder.on(configTopic(did)).map(({payload}) => payload)
  /** The ids of the plug and its entities in the discovery message with this name. */
  async function identity(plug: SimulatedPlug, name: string): Promise<unknown> {
    const message = await until(
      () => announced(plug).findLast((payload) => payload.includes(`"miio2mqtt/${name}"`)),
      {
        what: `a discovery message of ${name}`,
      },
    )
    const {device, components}: Announcement = JSON.parse(message)
    const ids = Object.entries(components).map(([key, {unique_id}]) => [key, unique_id])
    return {identifiers: device.identifiers, ids}
  }

  it('A plug that is removed from the configuration leaves nothing on the broker, live or between two runs.', async () => {
    const first = await start({desk, lamp, fan})
    expect(await retainedTopics(user, 'fan')).toEqual(
      expect.arrayContaining(['miio2mqtt/fan', 'miio2mqtt/fan/led']),
    )
    await first.daemon.reload(edited({broker, plugs: {desk, lamp}, config}, first.config))
    await nothingIsLeft('fan')
    expect(await retainedTopics(user, String(fan.did))).toEqual([])
    await first.stop()
    expect(await retainedTopics(user, 'lamp')).toEqual(
      expect.arrayContaining(['miio2mqtt/lamp', 'miio2mqtt/lamp/availability', 'miio2mqtt/lamp/led']),
    )
    const second = await start({desk})
    await nothingIsLeft('lamp')
    expect(await retainedTopics(user, String(lamp.did))).toEqual([])
    expect(await retainedTopics(user, String(desk.did))).toEqual([configTopic(desk.did)])
    await second.stop()
  })

  it('A renamed plug leaves nothing under its old name, and keeps its unique ids.', async () => {
    const first = await start({desk, lamp})
    const before = await identity(desk, 'desk')
    const renamed = {'office/desk': desk, lamp}
    await first.daemon.reload(edited({broker, plugs: renamed, config}, first.config))
    expect(await identity(desk, 'office/desk')).toEqual(before)
    await nothingIsLeft('miio2mqtt/desk')
    await first.stop()
    const second = await start({table: desk, lamp})
    expect(await identity(desk, 'table')).toEqual(before)
    await nothingIsLeft('office/desk')
    expect(await retainedTopics(user, String(desk.did))).toEqual([configTopic(desk.did)])
    expect(announced(desk)).not.toContain('') // it was never removed from Home Assistant
    await second.stop()
  })

  it('while the broker was not reachable leaves nothing there once it is reachable', async () => {
    const bridge = await start({desk, lamp})
    broker.freeze()
    await bridge.daemon.reload(edited({broker, plugs: {desk}, config}, bridge.config))
    broker.thaw()
    await nothingIsLeft('lamp')
    expect(await retainedTopics(user, String(lamp.did))).toEqual([])
    await bridge.stop()
  })
})

describe('a plug that is removed before its first response', async () => {
  const {broker, user} = await stage()
  const desk = await startPlug({address: loopback(3, 1)})
  const silent = await startPlug({address: loopback(3, 2), faults: {silence: true}})

  it('does not delay `online` any longer', async () => {
    const bridge = await startBridge({broker, plugs: {desk, silent}})
    await user.waitFor('miio2mqtt/desk/availability', ({payload}) => payload === ONLINE)
    expect(user.on('miio2mqtt/bridge/state')).toEqual([])
    await bridge.daemon.reload(edited({broker, plugs: {desk}}, bridge.config))
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    await bridge.stop()
  })
})

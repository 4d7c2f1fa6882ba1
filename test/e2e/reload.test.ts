import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {type Config, parseConfig} from '../../src/config.ts'
import {type BridgeChoice, configText, startBridge, startPlug} from '../support/bridge.ts'
import {Conversation} from '../support/conversation.ts'
import {type Broker, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Recorder} from '../support/recorder.ts'
import {until} from '../support/wait.ts'

const ONLINE = '{"state":"online"}'
const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-reload-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

/** The configuration of `choice` as an edited file would say it, in the folder of the bridge that runs. */
function edited(choice: BridgeChoice, {state_dir}: Config): Config {
  return {...parseConfig(configText(choice), {file: 'config.yaml', env: {}}), state_dir}
}

async function stage(): Promise<{broker: Broker; user: Watcher; recorder: Recorder; home: Conversation}> {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  return {broker, user, recorder: await Recorder.open(broker), home: new Conversation(broker, user)}
}

const configTopic = (did: number) => `homeassistant/device/miio2mqtt_${did}/config`
/** What still lies there, and is not empty. */
async function lying(user: Watcher, part: string): Promise<string[]> {
  const retained = await user.retained()
  return [...retained]
    .flatMap(([topic, payload]) => (topic.includes(part) && payload !== '' ? [topic] : []))
    .sort()
}

describe('an edited configuration', async () => {
  const {broker, user, recorder, home} = await stage()
  const desk = await startPlug({address: '127.87.1.1'})
  const lamp = await startPlug({address: '127.87.1.2'})
  const fan = await startPlug({address: '127.87.1.3'})
  const bridge = await startBridge({broker, plugs: {desk, lamp}})
  const change = (choice: Omit<BridgeChoice, 'broker'>) =>
    bridge.daemon.reload(edited({broker, ...choice}, bridge.config))
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
  for (const {did} of [desk, lamp]) await user.waitFor(configTopic(did))

  it('adds a plug, which is announced and takes commands', async () => {
    expect(await change({plugs: {desk, lamp, 'hall/fan': fan}})).toBe(true)
    await home.isNow('hall/fan', 'online')
    await user.waitFor(configTopic(fan.did))
    expect(await home.type('hall/fan', 'set', 'ON')).toMatchObject({status: 'ok', data: {state: 'ON'}})
  })

  it('changes one plug, and does not so much as ask the others', async () => {
    const polls = desk.received.length
    expect(await change({plugs: {desk, lamp, 'hall/fan': fan}, devices: {lamp: {area: 'Office'}}})).toBe(true)
    await until(() => recorder.on(configTopic(lamp.did)).at(-1)?.payload.includes('"Office"'), {
      what: 'Home Assistant is told of the area',
    })
    expect(desk.received.slice(polls).filter(({method}) => method === 'miIO.info')).toEqual([])
    expect(home.availabilities('desk')).toEqual(['online'])
    expect(home.availabilities('hall/fan')).toEqual(['online'])
  })

  it('renames a plug: nothing of the old name is left, and Home Assistant keeps the device', async () => {
    const {components} = JSON.parse(recorder.on(configTopic(lamp.did)).at(-1)?.payload ?? '{}')
    await change({
      plugs: {desk, 'office/lamp': lamp, 'hall/fan': fan},
      devices: {'office/lamp': {area: 'Office'}},
    })
    await home.isNow('office/lamp', 'online')
    await until(() => recorder.on(configTopic(lamp.did)).at(-1)?.payload.includes('office/lamp'), {
      what: 'Home Assistant is told of the name',
    })
    await until(async () => (await lying(user, 'miio2mqtt/lamp')).length === 0, {
      what: 'nothing of the old name',
    })
    expect(recorder.on(configTopic(lamp.did)).map(({payload}) => payload)).not.toContain('')
    const renamed = JSON.parse(recorder.on(configTopic(lamp.did)).at(-1)?.payload ?? '{}')
    expect(renamed.components.state.unique_id).toBe(components.state.unique_id)
    expect(await home.type('office/lamp', 'set', 'ON')).toMatchObject({status: 'ok'})
  })

  it('disables a plug: it gets no packet, and Home Assistant forgets it', async () => {
    await change({
      plugs: {desk, 'office/lamp': lamp, 'hall/fan': fan},
      devices: {'office/lamp': {area: 'Office', disabled: true}},
    })
    await home.isNow('office/lamp', 'disabled')
    const polls = lamp.received.length
    await until(() => recorder.on(configTopic(lamp.did)).at(-1)?.payload === '', {what: 'it is forgotten'})
    expect(await home.type('office/lamp', 'set', 'OFF')).toMatchObject({error: {code: 'disabled'}})
    expect(lamp.received).toHaveLength(polls)
  })

  it('removes a plug: no packet goes to it, and nothing of it lies on the broker', async () => {
    await user.publish(`homeassistant/device/other_${fan.did}/config`, '{}', {retain: true, qos: 1})
    await change({plugs: {desk}})
    await until(async () => (await lying(user, 'fan')).length === 0, {what: 'everything of it is cleared'})
    await until(async () => (await lying(user, 'office/lamp')).length === 0, {what: 'nor of the other'})
    expect(await lying(user, String(lamp.did))).toEqual([])
    const polls = fan.received.length
    await user.publish('miio2mqtt/hall/fan/set', 'OFF', {qos: 1})
    expect(await home.type('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(fan.received).toHaveLength(polls)
    expect(await lying(user, 'other_')).toEqual([`homeassistant/device/other_${fan.did}/config`])
  })

  it('was taken over without losing the broker, and with the bridge online all the time', async () => {
    expect(recorder.on('miio2mqtt/bridge/state').map(({payload}) => payload)).toEqual([ONLINE])
    expect(bridge.log.filter(({message}) => String(message).startsWith('connected to'))).toHaveLength(1)
    const listed = recorder.on('miio2mqtt/bridge/devices').at(-1)?.payload ?? '[]'
    expect(JSON.parse(listed).map(({name}: {name: string}) => name)).toEqual(['desk'])
  })

  it('with another broker, base topic or network takes a new start, and changes nothing before', async () => {
    expect(await change({plugs: {}, config: {mqtt: {url: broker.url, base_topic: 'other'}}})).toBe(false)
    expect(await home.type('desk', 'set', 'OFF')).toMatchObject({status: 'ok'})
  })
})

describe('a plug that was removed or renamed', async () => {
  const {broker, user} = await stage()
  const desk = await startPlug({address: '127.87.2.1'})
  const lamp = await startPlug({address: '127.87.2.2'})

  it('while the bridge was down leaves nothing on the broker after the next start', async () => {
    const first = await startBridge({broker, plugs: {desk, lamp}, folder})
    for (const {did} of [desk, lamp]) await user.waitFor(configTopic(did))
    await user.waitFor('miio2mqtt/lamp')
    await first.stop()
    expect(await lying(user, 'lamp')).toEqual(['miio2mqtt/lamp', 'miio2mqtt/lamp/availability'])
    const second = await startBridge({broker, plugs: {table: desk}, folder})
    await until(async () => (await lying(user, 'lamp')).length === 0, {what: 'everything of it is cleared'})
    await user.waitFor('miio2mqtt/table')
    expect(await lying(user, 'miio2mqtt/desk')).toEqual([])
    expect(await lying(user, String(lamp.did))).toEqual([])
    expect(await lying(user, String(desk.did))).toEqual([configTopic(desk.did)])
    await second.stop()
  })

  it('while the broker was away leaves nothing there when it is back', async () => {
    user.forget()
    const bridge = await startBridge({broker, plugs: {desk, lamp}, folder})
    await user.waitFor('miio2mqtt/lamp/availability', ({payload}) => payload === ONLINE)
    await user.waitFor(configTopic(lamp.did), ({payload}) => payload !== '')
    broker.freeze()
    await bridge.daemon.reload(edited({broker, plugs: {desk}}, bridge.config))
    broker.thaw()
    await until(async () => (await lying(user, 'lamp')).length === 0, {what: 'everything of it is cleared'})
    expect(await lying(user, String(lamp.did))).toEqual([])
    await bridge.stop()
  })
})

describe('a plug that is removed before it was heard', async () => {
  const {broker, user} = await stage()
  const desk = await startPlug({address: '127.87.3.1'})
  const silent = await startPlug({address: '127.87.3.2', faults: {silence: true}})

  it('keeps the bridge waiting no longer: it goes online with the others', async () => {
    const bridge = await startBridge({broker, plugs: {desk, silent}})
    await user.waitFor('miio2mqtt/desk/availability', ({payload}) => payload === ONLINE)
    expect(user.on('miio2mqtt/bridge/state')).toEqual([])
    await bridge.daemon.reload(edited({broker, plugs: {desk}}, bridge.config))
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    await bridge.stop()
  })
})

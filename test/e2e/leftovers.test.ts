import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {Catalogue} from '../../src/models/catalogue.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridge, type TestBridgeOptions} from '../support/bridge.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

/** Retained messages are read for 2 s, and those below an old name cleared 5 s later: here in a fifth of that. */
const clock = new SteadyClock(5)
const broker = await startMosquitto()
const user = await Watcher.open(broker)
const recorder = await MessageRecorder.open(broker)
const desk = await startPlug({address: loopback(4, 1), clock})
const lamp = await startPlug({address: loopback(4, 2), clock})
const fan = await startPlug({address: loopback(4, 3), clock})
const ofOthers = {
  'homeassistant/device/zigbee_1/config': '{"device":{"identifiers":["zigbee_1"]},"components":{}}',
  'homeassistant/device/miio2mqtt_notes/config': 'not even JSON',
  'homeassistant/sensor/miio2mqtt_x/config': '{"state_topic":"miio2mqtt/gone","unique_id":"x"}',
}
for (const [topic, payload] of Object.entries(ofOthers))
  await user.publish(topic, payload, {retain: true, qos: 1})

const configTopic = ({did}: {did: number}) => `homeassistant/device/miio2mqtt_${did}/config`

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-leftovers-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  return folder
}

async function retainedOn(...parts: string[]): Promise<string[]> {
  const topics = [...(await user.retained()).keys()]
  return topics.filter((topic) => parts.some((part) => topic.includes(part))).sort()
}

async function cleared(...parts: string[]): Promise<void> {
  let left: string[] = []
  await until(
    async () => {
      left = await retainedOn(...parts)
      return left.length === 0
    },
    {what: () => `${left} to be cleared`},
  )
}

async function start(choice: Omit<TestBridgeOptions, 'broker'>, base = 'miio2mqtt'): Promise<TestBridge> {
  const config = {mqtt: {url: broker.url, base_topic: base}, ...choice.config}
  const bridge = await startBridge({broker, clock, ...choice, config})
  const state = `${base}/bridge/state`
  await until(async () => (await user.retained()).get(state) === '{"state":"online"}', {what: 'online'})
  const announced = Object.entries(choice.plugs).filter(([name]) => !choice.devices?.[name])
  await until(() => announced.every(([, plug]) => recorder.on(configTopic(plug)).length > 0), {
    what: 'the discovery messages of all plugs',
  })
  return bridge
}

describe('a bridge that lost its state folder', () => {
  it('clears the retained messages of removed plugs and groups, and none of others', async () => {
    const groups = {all: {members: ['desk', 'attic/fan']}, old: {members: ['desk']}}
    const plugs = {desk, lamp, 'attic/fan': fan}
    const devices = {'attic/fan': {homeassistant: {enabled: false}}}
    const before = await start({plugs: {desk, lamp}, config: {groups: {old: {members: ['desk']}}}})
    await before.stop()
    const other = await start({plugs, devices, config: {groups}}, 'elsewhere')
    const ofTheOther = await retainedOn('elsewhere/')
    const after = await start({plugs: {table: desk}})
    await cleared('miio2mqtt/desk', 'miio2mqtt/lamp', 'miio2mqtt/old')
    // The other bridge has the lamp, too, and announced it last.
    expect(await retainedOn(configTopic(lamp))).toEqual([configTopic(lamp)])
    expect(await retainedOn('miio2mqtt_group_old')).toHaveLength(1)
    expect(await retainedOn('elsewhere/')).toEqual(ofTheOther)
    for (const [topic, payload] of Object.entries(ofOthers))
      expect((await user.retained()).get(topic)).toBe(payload)
    await Promise.all([after.stop(), other.stop()])
  })
})

describe('a bridge that lost its state folder, and a plug that does not respond', () => {
  it('leaves it in Home Assistant until the device id is known', async () => {
    const before = await start({plugs: {desk, lamp}}, 'quiet')
    await before.stop()
    desk.setFaults({silence: true})
    const after = await start({plugs: {desk}}, 'quiet')
    await cleared('quiet/lamp', configTopic(lamp))
    expect((await user.retained()).get(configTopic(desk))).toContain('"quiet/desk"')
    desk.setFaults({})
    await until(() => recorder.on('quiet/desk/availability').at(-1)?.payload.includes('online'), {
      what: 'the plug to respond again',
    })
    expect(recorder.on(configTopic(desk)).at(-1)?.payload).toContain('"quiet/desk"')
    await after.stop()
  })
})

describe('a plug that moves from one bridge to another', () => {
  it('stays in Home Assistant when it is removed from the first', async () => {
    const folder = await newFolder()
    const first = await start({plugs: {desk, fan}, folder}, 'cellar')
    await first.stop()
    const second = await start({plugs: {fan}}, 'roof')
    await until(async () => (await user.retained()).get(configTopic(fan))?.includes('"roof/fan"'), {
      what: 'the discovery message of the fan on the roof',
    })
    const again = await start({plugs: {desk}, folder}, 'cellar')
    await cleared('cellar/fan')
    expect((await user.retained()).get(configTopic(fan))).toContain('"roof/fan"')
    expect(recorder.on(configTopic(fan)).map(({payload}) => payload)).not.toContain('')
    await Promise.all([again.stop(), second.stop()])
  })
})

describe('a bridge that moves', () => {
  it('to another base topic leaves nothing under the old one', async () => {
    const folder = await newFolder()
    const first = await start({plugs: {desk, lamp}, folder}, 'old/base')
    await first.stop()
    expect(await retainedOn('old/base/', 'bridge_old_base')).toHaveLength(10)
    const second = await start({plugs: {desk, lamp}, folder}, 'new/base')
    await cleared('old/base/', 'bridge_old_base')
    expect((await user.retained()).get(configTopic(lamp))).toContain('"new/base/lamp"')
    await second.stop()
  })

  it('to another discovery prefix leaves nothing under the old one', async () => {
    const folder = await newFolder()
    const first = await start({plugs: {desk}, folder}, 'steady')
    await first.stop()
    const config = {homeassistant: {discovery_prefix: 'ha'}}
    const second = await start({plugs: {desk}, folder, config}, 'steady')
    await cleared(configTopic(desk), 'homeassistant/device/miio2mqtt_bridge_steady')
    expect(await retainedOn('ha/device')).toHaveLength(2)
    await second.stop()
  })
})

describe('a state that is not retained any more', () => {
  it('is cleared on the broker, with its values', async () => {
    const folder = await newFolder()
    const output = {mqtt: {url: broker.url, base_topic: 'fleeting', output: 'attribute_and_json'}}
    const first = await start({plugs: {desk, lamp}, folder, config: output}, 'fleeting')
    await until(async () => (await retainedOn('fleeting/desk', 'fleeting/lamp')).length === 14, {
      what: 'all values',
    })
    await first.stop()
    const devices = {desk: {retain: false}}
    const second = await start({plugs: {desk, lamp}, devices, folder, config: output}, 'fleeting')
    const isOfDesk = ['fleeting/desk/availability']
    await until(async () => (await retainedOn('fleeting/desk')).join() === isOfDesk.join(), {
      what: 'the state to be cleared',
    })
    expect(await retainedOn('fleeting/lamp')).toHaveLength(7)
    await second.stop()
  })
})

describe('a plug whose model has another definition', () => {
  it('has the entities that it lost removed first, also when the bridge was updated meanwhile', async () => {
    const folder = await newFolder()
    const first = await start({plugs: {lamp}, folder}, 'updated')
    await first.stop()
    const {temperature: _, ...properties} = lamp.model.properties
    const catalogue = new Catalogue([{...lamp.model, properties}])
    const from = recorder.on(configTopic(lamp)).length
    const second = await start({plugs: {lamp}, folder, catalogue}, 'updated')
    const discovery = await until(
      () => {
        const messages = recorder.on(configTopic(lamp)).slice(from)
        return messages.length > 1 ? messages : undefined
      },
      {what: 'two discovery messages'},
    )
    const [removal, later] = discovery.map(({payload}) => JSON.parse(payload).components)
    expect(removal.temperature).toEqual({platform: 'sensor'})
    expect(Object.keys(later)).toEqual(Object.keys(removal).filter((key) => key !== 'temperature'))
    await second.stop()
    const third = await start({plugs: {lamp}, folder, catalogue}, 'updated')
    expect(recorder.on(configTopic(lamp)).at(-1)?.payload).not.toContain('temperature')
    await third.stop()
  })
})

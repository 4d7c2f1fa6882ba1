import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {Secret} from '../../../src/common/secret.ts'
import {isPublishedUnder} from '../../../src/mqtt/topics.ts'
import {StateStore} from '../../../src/storage/state-store.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

let folder: string
let log: RememberingLog

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-published-'))
  log = new RememberingLog()
})

afterEach(() => rm(folder, {recursive: true}))

const file = () => join(folder, 'state.json')

/** A store that has read a file with these fields, beside those that every file has. */
async function opened(fields: object): Promise<StateStore> {
  await writeFile(file(), JSON.stringify({version: 1, client_id: 'c', plugs: {}, ...fields}))
  return StateStore.open(folder, {clock: new VirtualClock(), log, random: seeded(1)})
}

const published = (topics: unknown[], bases: unknown[] = ['home/plugs']) => ({
  published: {bases, topics, isAll: true},
})
const warnings = () => log.messages('warn')

describe('the topics of a state file', () => {
  const OURS = [
    'home/plugs/desk',
    'home/plugs/desk/availability',
    'home/plugs/kitchen/kettle/power',
    'home/plugs/bridge/state',
    'home/plugs/bridge/devices',
    'homeassistant/device/miio2mqtt_7/config',
    'my/own/prefix/device/miio2mqtt_bridge_home_plugs_0a1b2c3d/config',
  ]

  it('are accepted when this bridge may have published them', async () => {
    const store = await opened(published(OURS))
    expect(store.publishedTopics).toEqual({bases: ['home/plugs'], topics: OURS, isAll: true})
    expect(warnings()).toEqual([])
  })

  it.each([
    ['', 'home/plugs/#', 'home/plugs/+/x', '#', '+', 'homeassistant/#'],
    ['$SYS/x', '$SYS/broker/uptime', '$share/home/plugs/desk'],
    ['zigbee2mqtt/bridge/state', 'home/plugs', 'home/plugsx/desk', 'home', 'other/home/plugs/desk'],
    ['home/plugs/', '/home/plugs/desk', 'home/plugs//desk', 'home/plugs/a\0b', 'home/plugs/a\nb'],
    ['home/plugs/\ud800', `home/plugs/${'x'.repeat(65_536)}`],
    ['homeassistant/device/other_7/config', 'homeassistant/switch/miio2mqtt_7/config'],
    ['homeassistant/device/miio2mqtt_7/state', 'homeassistant/device/miio2mqtt_7/config/x'],
    ['homeassistant/device/miio2mqtt_+/config', '#/device/miio2mqtt_7/config', '/device/miio2mqtt_7/config'],
    [
      'home/plugs/desk/set',
      'home/plugs/desk/set/led',
      'home/plugs/desk/get',
      'home/plugs/bridge/request/restart',
    ],
  ])('are dropped otherwise, so that they are never cleared: %j', async (...foreign) => {
    const store = await opened(published([...foreign, 'home/plugs/desk']))
    expect(store.publishedTopics?.topics).toEqual(['home/plugs/desk'])
    expect(warnings()).toHaveLength(1)
    expect(warnings()[0]).toContain('published.topics')
    expect(warnings()[0]).toContain(file())
  })

  it('are not accepted below an invalid base topic', async () => {
    const bases = ['#', '', '+', '$SYS', 'a/#', '/', 'a//b', 7, null, {toString: 1}, ['x']]
    const topics = ['zigbee2mqtt/bridge/state', '$SYS/x', 'a/b', 'x/y', 7, null, ['home/x'], {toString: 1}]
    const store = await opened(published(topics, bases))
    expect(store.publishedTopics).toEqual({bases: [], topics: [], isAll: true})
    expect(warnings()).toHaveLength(1)
  })

  it.each([
    ['a list', []],
    ['a text', 'x'],
    ['null', null],
    ['without topics', {bases: ['home/plugs']}],
    ['with a text for topics', {bases: ['home/plugs'], topics: 'home/plugs/desk'}],
  ])('are unknown when they are %s', async (_, value) => {
    const store = await opened({published: value})
    expect(store.publishedTopics).toBeUndefined()
    expect(warnings()).toHaveLength(1)
  })

  it('may be a million, of which the valid ones are accepted, with one short warning', async () => {
    const many = Array.from({length: 1_000_000}, (_, index) =>
      index % 2 === 0 ? `zigbee2mqtt/${index}` : `home/plugs/${index}`,
    )
    const store = await opened(published(many))
    expect(store.publishedTopics?.topics).toHaveLength(500_000)
    expect(warnings()).toHaveLength(1)
    expect(warnings()[0]?.length).toBeLessThan(1_000)
  }, 60_000)

  it('are checked by a function without files', () => {
    expect(isPublishedUnder([], 'homeassistant/device/miio2mqtt_7/config')).toBe(true)
    expect(isPublishedUnder(['a', 'b'], 'b/x')).toBe(true)
    expect(isPublishedUnder(['a'], 'b/x')).toBe(false)
  })
})

describe('the client id of a state file', () => {
  it.each([
    ['empty', ''],
    ['longer than a packet can hold', 'x'.repeat(65_536)],
    ['longer in bytes than a packet can hold', 'ü'.repeat(32_768)],
    ['with a zero', 'a\0b'],
    ['with a line break', 'a\nb'],
    ['with half a character', 'a\ud800'],
    ['a number', 7],
    ['null', null],
    ['missing', undefined],
  ])('that is %s is replaced by a new one, which is kept', async (_, id) => {
    const store = await opened({client_id: id, plugs: {7: {fingerprint: 'ab', name: 'desk'}}})
    expect(store.clientId).toMatch(/^miio2mqtt_[0-9a-f]{8}$/)
    expect(store.find({id: 7, token: new Secret('00')})).toEqual({did: 7, name: 'desk'})
    expect(warnings()).toEqual([expect.stringContaining('client_id')])
    expect(JSON.parse(await readFile(file(), 'utf8'))).toMatchObject({client_id: store.clientId})
    await store.close()
  })
})

describe('the rest of a state file', () => {
  it('has firmwares, of which each valid entry is kept', async () => {
    const good = {batch: 2, left_out: ['led']}
    const store = await opened({firmwares: {'m 1': good, 'm 2': 5, 'm 3': {batch: -1, left_out: 'x'}}})
    expect(store.capabilities('m', '1')).toEqual(good)
    expect(store.capabilities('m', '2')).toBeUndefined()
    expect(store.capabilities('m', '3')).toEqual({})
    expect(warnings()).toEqual([expect.stringContaining('firmwares.m 2')])
  })

  it('has a thousand firmwares at most', async () => {
    const store = await opened({})
    for (let version = 0; version < 2_000; version++)
      store.rememberCapabilities('m', `${version}`, {batch: 1})
    expect(store.capabilities('m', '999')).toBeUndefined()
    expect(store.capabilities('m', '1000')).toEqual({batch: 1})
    await store.close()
  })

  it('has discovery entries, of which each valid one is kept', async () => {
    const store = await opened({
      announced: {
        devices: {miio2mqtt_7: 'a', other: 'a', miio2mqtt_0: 'a', 'miio2mqtt_7/x': 'a', miio2mqtt_8: 5},
        sets: {a: {state: 'switch'}, b: 7, c: {'{{ x }}': 'switch'}, d: {state: 'a"b'}},
      },
    })
    expect(store.discovery).toEqual({devices: {miio2mqtt_7: 'a'}, sets: {a: {state: 'switch'}}})
    expect(warnings()).toHaveLength(1)
  })

  it.each(['announced', 'firmwares', 'plugs'])('loses only %s when that is no mapping', async (key) => {
    const store = await opened({[key]: [1, 2]})
    expect(store.clientId).toBe('c')
    expect(warnings()).toEqual([expect.stringContaining(`"${key}"`)])
  })
})

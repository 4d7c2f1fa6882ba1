import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {
  configText,
  inReachOfBroadcasts,
  startBridge,
  startPlug,
  type TestBridge,
  type TestBridgeOptions,
  TOKEN,
} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

const broker = await startMosquitto()
const user = await Watcher.open(broker)
const DID = 7_001

let bases = 0

/** A bridge with a base topic of its own. */
async function start(choice: Omit<TestBridgeOptions, 'broker'>) {
  const base = `twins${++bases}`
  const full: TestBridgeOptions = {
    ...choice,
    broker,
    config: {mqtt: {url: broker.url, base_topic: base}, ...choice.config},
  }
  const bridge = await startBridge(full)
  const availability = (name: string) => {
    const last = user.on(`${base}/${name}/availability`).at(-1)
    return last && JSON.parse(last.payload)
  }
  const reaches = (name: string, wanted: {state: string; reason?: string}) =>
    until(() => availability(name)?.state === wanted.state && availability(name).reason === wanted.reason, {
      within: 20_000,
      what: () => `${name} is ${JSON.stringify(wanted)}, not ${JSON.stringify(availability(name))}`,
    })
  const command = async (name: string, payload: string) => {
    user.forget()
    await user.publish(`${base}/${name}/set`, payload)
    return JSON.parse((await user.waitFor(`${base}/${name}/response`)).payload)
  }
  return {bridge, base, full, availability, reaches, command}
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-twins-'))
  onTestFinished(() => rm(folder, {recursive: true, force: true}))
  return folder
}

const warnings = ({log}: TestBridge) =>
  log.filter(({level}) => level === 'warn').map(({message}) => String(message))
const reload = ({bridge, full}: Awaited<ReturnType<typeof start>>, plugs: TestBridgeOptions['plugs']) =>
  bridge.daemon.reload({
    ...parseConfig(configText({...full, plugs, devices: {}}), {file: 'config.yaml', env: {}}),
    state_dir: bridge.config.state_dir,
  })

describe('a device', () => {
  it('that two configured plugs turn out to be works under the first name, and the second takes its place when that is gone.', async () => {
    const folder = await newFolder()
    const desk = await startPlug({address: loopback(31, 1), did: DID})
    const clone = await startPlug({address: loopback(31, 2), did: DID})
    const lamp = await startPlug({address: loopback(31, 3), did: 7_002})
    const house = await start({folder, plugs: {desk, copy: clone, lamp}})
    await house.reaches('desk', {state: 'online'})
    await house.reaches('lamp', {state: 'online'})
    await house.reaches('copy', {state: 'offline', reason: 'duplicate'})
    expect(warnings(house.bridge)).toEqual([
      expect.stringMatching(
        /^copy \(127\.[\d.]+\) is the same plug as desk \(device id 7001\): copy is not contacted/,
      ),
    ])

    const asked = clone.received.length
    expect(await house.command('copy', 'ON')).toMatchObject({
      status: 'error',
      error: {code: 'duplicate', message: expect.stringContaining('desk')},
    })
    expect(await house.command('desk', 'ON')).toMatchObject({status: 'ok'})
    const polls = desk.received.length
    await until(() => desk.received.length > polls + 4, {within: 20_000, what: 'more polls of desk'})
    expect(clone.received).toHaveLength(asked)
    const announced = user.on(`homeassistant/device/miio2mqtt_${DID}/config`)
    for (const {payload} of announced) expect(JSON.parse(payload).state_topic).toBe(`${house.base}/desk`)
    await house.bridge.daemon.reload(house.bridge.config)
    const state = JSON.parse(await readFile(join(folder, 'state.json'), 'utf8'))
    expect(state.plugs[DID].name).toBe('desk')

    user.forget()
    expect(await reload(house, {copy: clone, lamp})).toBe(true)
    await house.reaches('copy', {state: 'online'})
    expect(await house.command('copy', 'ON')).toMatchObject({status: 'ok'})
    const announcement = async () =>
      (await user.retained()).get(`homeassistant/device/miio2mqtt_${DID}/config`) ?? ''
    await until(async () => (await announcement()).includes(`"state_topic":"${house.base}/copy"`), {
      within: 20_000,
      what: 'the copy is announced',
    })
    const refused = /^copy: refused state ON on .*: copy is the same plug as desk/
    expect(warnings(house.bridge)).toEqual([expect.anything(), expect.stringMatching(refused)])
    await house.bridge.stop()
  }, 60_000)

  it('that is configured by its address and by its id is found out, at the first start and at the next', async () => {
    const folder = await newFolder()
    const desk = await startPlug({address: loopback(31, 4), did: 7_003})
    await inReachOfBroadcasts([desk])
    const config = {network: {broadcast: [BROADCAST]}}
    const plugs = {desk, again: desk}
    const devices = {desk: {}, again: {host: undefined, id: 7_003, token: TOKEN}}
    for (let run = 1; run <= 2; run++) {
      user.forget()
      const house = await start({folder, plugs, devices, config})
      await house.reaches('desk', {state: 'online'})
      await house.reaches('again', {state: 'offline', reason: 'duplicate'})
      expect(warnings(house.bridge).filter((text) => text.includes('same plug'))).toHaveLength(1)
      await house.bridge.stop()
    }
  }, 60_000)

  it('is that of the plug that reaches it, when the other one leads nowhere', async () => {
    const folder = await newFolder()
    const desk = await startPlug({address: loopback(31, 5), did: 7_004})
    const first = await start({folder, plugs: {old: desk}})
    await first.reaches('old', {state: 'online'})
    await first.bridge.stop()
    await desk.moveTo(loopback(31, 6))
    user.forget()
    const devices = {old: {host: loopback(31, 5)}, new: {id: 7_004}}
    const second = await start({folder, plugs: {old: desk, new: desk}, devices})
    await second.reaches('new', {state: 'online'})
    await second.reaches('old', {state: 'offline', reason: 'duplicate'})
    expect(await second.command('new', 'ON')).toMatchObject({status: 'ok'})
    await second.bridge.stop()
  }, 60_000)
})

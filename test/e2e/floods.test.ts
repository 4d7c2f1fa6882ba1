import {createSocket, type Socket} from 'node:dgram'
import {once} from 'node:events'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {HELLO, helloReply} from '../../src/miio/packet.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const ends: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

/** Receives hellos that are broadcast, and replies to each as very many plugs. */
async function crowd(count: number): Promise<{hellos: number}> {
  const socket: Socket = createSocket({type: 'udp4', reuseAddr: true})
  const received = {hellos: 0}
  ends.push(() => socket.close())
  socket.on('message', (datagram, {address, port}) => {
    if (!datagram.equals(HELLO)) return
    received.hellos++
    const reply = (from: number) => {
      for (let did = from; did < Math.min(count, from + 50); did++)
        socket.send(helloReply(1_000_000 + did, 7), port, address)
      if (from + 50 < count) setImmediate(() => reply(from + 50))
    }
    reply(0)
  })
  socket.bind(54321, BROADCAST)
  await once(socket, 'listening')
  return received
}

describe('a bridge with too many messages', async () => {
  const broker = await startMosquitto({config: ['max_queued_messages 0']})
  const user = await Watcher.open(broker, ['miio2mqtt/bridge/#', 'miio2mqtt/desk/response'])
  const received = await crowd(1500)
  const home = new CommandClient(broker, user)
  const desk = await startPlug({address: loopback(3, 1)})
  for (let at = 0; at < 2000; at++) await user.publish(`miio2mqtt/x${at}/set`, 'ON', {retain: true, qos: 0})
  await user.publish('miio2mqtt/last/set', 'ON', {retain: true, qos: 1})
  await startBridge({broker, plugs: {desk}, config: {network: {broadcast: [BROADCAST]}}})
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'), 30_000)

  it('warns of a few of the retained commands on made-up names, and still takes commands', async () => {
    expect(await home.publish('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    const warnings = home.warnings().filter((text) => text.includes('ignored a retained message'))
    expect(warnings).toHaveLength(30)
  })

  it('searches the network once for all requests, and lists 1,000 plugs at most', async () => {
    for (let at = 0; at < 40; at++)
      void user.publish('miio2mqtt/bridge/request/discover', `{"timeout":2,"transaction":${at}}`)
    const responses = () => user.on('miio2mqtt/bridge/response/discover')
    await until(() => responses().length >= 40, {within: 60_000, what: 'forty answers'})
    const answers = responses().map(({payload}) => JSON.parse(payload))
    expect(received.hellos).toBeLessThanOrEqual(2)
    const found = answers.filter(({status}) => status === 'ok')
    expect(found).toHaveLength(32)
    expect(found.every(({data, truncated}) => data.length === 1000 && truncated === true)).toBe(true)
    const refused = answers.filter(({error}) => error?.code === 'queue_full')
    expect(refused).toHaveLength(8)
    expect(home.events('device_discovered')).toHaveLength(1000)
  })
})

describe('requests to restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-floods-'))
  ends.push(() => rm(folder, {recursive: true, force: true}))
  const broker = await startMosquitto({config: ['max_queued_messages 0']})
  const user = await Watcher.open(broker, ['miio2mqtt/bridge/#'])
  const desk = await startPlug({address: loopback(3, 2)})
  const file = join(folder, 'config.yaml')
  await writeFile(file, configText({broker, plugs: {desk}, config: {state_dir: join(folder, 'state')}}))
  const program = new Program(['run', '--config', file])
  ends.push(async () => {
    program.signal('SIGTERM')
    await program.waitForEnd()
  })
  const onlines = () =>
    user.on('miio2mqtt/bridge/state').filter(({payload}) => payload.includes('online')).length
  await until(() => onlines() === 1, {within: 30_000, what: 'online'})

  it('of which three hundred come at once cause one restart, and get no second response', async () => {
    for (let at = 0; at < 300; at++)
      void user.publish('miio2mqtt/bridge/request/restart', `{"transaction":${at}}`, {qos: 0})
    await until(() => onlines() === 2, {within: 60_000, what: 'online again'})
    await user.publish('miio2mqtt/bridge/request/info', '{}', {qos: 1})
    await user.waitFor('miio2mqtt/bridge/response/info')
    const answers = user.on('miio2mqtt/bridge/response/restart').map(({payload}) => JSON.parse(payload))
    expect(answers.length).toBeGreaterThan(0)
    expect(new Set(answers.map(({transaction}) => transaction)).size).toBe(answers.length)
    expect(answers.every(({status}) => status === 'ok')).toBe(true)
    // Requests that reach the broker only after the bridge has disconnected may cause another restart, but not at once.
    expect(onlines()).toBeLessThanOrEqual(3)
  })
})

import {describe, expect, it} from 'vitest'
import {HEADER_BYTES} from '../../src/miio/packet.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

describe('what a plug tells', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const plugs = {
    corrected: await startPlug({address: loopback(1, 1), model: 'cuco.plug.cp1md'}),
    seen: await startPlug({address: loopback(1, 2)}),
  }
  const {corrected, seen} = plugs
  await startBridge({
    broker,
    plugs,
    // Every question is asked by a test.
    config: {poll: {interval: '1h', slow_interval: '1h', command_timeout: '1s'}},
    devices: {
      corrected: {
        properties: {
          power: {scale: 0.5, offset: -2},
          voltage: {offset: 1.5},
          current: {scale: 0.01},
        },
      },
    },
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')

  /** What is published after the plug was asked. */
  async function readingOf(name: string): Promise<Record<string, unknown>> {
    const before = home.states(name).length
    await home.publish(name, 'get', '')
    return home.waitForState(name, () => true, before)
  }

  it('A scale or an offset in the configuration changes the published number accordingly.', async () => {
    // The plug counts in 1 W, 0.1 V and 0.001 A.
    Object.assign(corrected.state, {state: 'ON', power: 46, voltage: 230.1, current: 0.2})
    expect(await readingOf('corrected')).toMatchObject({power: 46 * 0.5 - 2, voltage: 231.6, current: 2})
  })

  it('last_seen is an ISO 8601 time that advances only when the plug really answered.', async () => {
    const from = new Date().toISOString()
    const {last_seen: first} = await readingOf('seen')
    expect(first).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(String(first) >= from && String(first) <= new Date().toISOString()).toBe(true)

    seen.setFaults({silence: true})
    expect(await home.publish('seen', 'get', '')).toMatchObject({error: {code: 'timeout'}})
    seen.setFaults({})
    let isSpoiled = true
    const send = seen.send.bind(seen)
    seen.send = (packet, to) => {
      // Of what is no hello, the checksum.
      if (isSpoiled && packet.length > HEADER_BYTES) packet.writeUInt8(packet.readUInt8(20) ^ 1, 20)
      send(packet, to)
    }
    expect(await home.publish('seen', 'set', 'ON')).toMatchObject({error: {code: 'timeout'}})
    user.forget()
    await user.publish('homeassistant/status', 'online') // everything is published again
    const {payload} = await user.waitFor('miio2mqtt/seen')
    expect(JSON.parse(payload).last_seen).toBe(first)

    isSpoiled = false
    await until(async () => (await home.publish('seen', 'get', '')).status === 'ok', {what: 'an answer'})
    const {last_seen: second} = await readingOf('seen')
    expect(String(second) > String(first)).toBe(true)
  })
})

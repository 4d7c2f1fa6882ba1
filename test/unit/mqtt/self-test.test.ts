import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, inject, it} from 'vitest'
import {type Mosquitto, startMosquitto} from '../../support/mosquitto.ts'
import {PUBLISH, publishTo, ScriptedBroker} from '../../support/scripted-broker.ts'
import {type Choice, connected, testConnection, warnings} from '../../support/test-connection.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'

const TOPIC = 'b/bridge/request/self_test'
const folder = mkdtempSync(join(tmpdir(), 'miio2mqtt-test-'))
afterAll(() => rmSync(folder, {recursive: true, force: true}))

/** mosquitto with one access list for all clients. */
function mosquitto(...rights: string[]): Promise<Mosquitto> {
  const list = join(folder, `acl-${rights.length}-${rights.join('').length}`)
  writeFileSync(list, rights.map((right) => `topic ${right}\n`).join(''))
  return startMosquitto({config: [`acl_file ${list}`, 'log_type all']})
}

function onOwnClock(url: string, choice: Choice = {}) {
  const clock = new VirtualClock()
  return {clock, ...testConnection(url, {clock, selfTestTopic: TOPIC, ...choice})}
}

/** Whether the broker has logged an acknowledgement. */
const acknowledged = (broker: Mosquitto) => () => /Sending PUBACK to test/.test(broker.log)

describe.skipIf(!inject('tools').mosquitto)('the self-test', () => {
  it.each([5, 4] as const)(
    'warns once when the access list denies to read (MQTT version %i)',
    async (version) => {
      const broker = await mosquitto('write b/#')
      const {clock, connection, log} = onOwnClock(broker.url, {broker: {version}})
      connection.start()
      await connected(connection)
      await until(acknowledged(broker), {what: 'the acknowledgement'})
      await until(
        async () => {
          await clock.advance(1000)
          return warnings(log).length > 0
        },
        {what: 'the warning'},
      )
      await clock.advance(60_000)
      expect(warnings(log)).toEqual([expect.stringMatching(/request\/self_test.*access list .* read/)])
      expect(connection.connected).toBe(true)
    },
  )

  it.each([5, 4] as const)(
    'warns of nothing when messages are delivered (MQTT version %i)',
    async (version) => {
      const broker = await mosquitto('readwrite b/#')
      const {clock, connection, log, received} = onOwnClock(broker.url, {broker: {version}})
      connection.start()
      await connected(connection)
      await until(() => connection.counters.received === 1, {what: 'the message'})
      connection.delivery.publish({topic: 'b/desk', payload: 'x', retain: false, qos: 1})
      await until(() => connection.counters.published === 1, {what: 'the acknowledgement of a later one'})
      await clock.advance(60_000)
      expect(warnings(log)).toEqual([])
      expect(received).toEqual([])
    },
  )

  it('warns of nothing when the access list also denies to publish: the test shows nothing then', async () => {
    const broker = await mosquitto('read b/#', 'write b/desk')
    const {clock, connection, log} = onOwnClock(broker.url)
    connection.start()
    await connected(connection)
    await until(acknowledged(broker), {what: 'the acknowledgement'})
    // A message of the connection's own shows that the response to the first was processed.
    connection.delivery.publish({topic: 'b/desk', payload: 'x', retain: false, qos: 1})
    await until(() => connection.counters.published === 1, {what: 'the acknowledgement of the second'})
    await clock.advance(60_000)
    expect(warnings(log)).toEqual([])
  })
})

describe('the message of the self-test', () => {
  it('is never passed on, nor is anything else on its topic', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== PUBLISH) return false
      line.send(publishTo(line, TOPIC, broker.published.at(-1)?.payload ?? ''))
      for (const text of ['', 'x', '{"nonce":"y"}']) line.send(publishTo(line, TOPIC, text))
      line.send(publishTo(line, 'b/desk/set', 'ON'))
      return false
    })
    const {connection, received} = onOwnClock(broker.url)
    connection.start()
    await until(() => received.length > 0, {what: 'the command'})
    expect(received).toEqual(['b/desk/set ON'])
    expect(broker.published).toMatchObject([{topic: TOPIC, retain: false, qos: 1}])
  })

  it('is not mistaken for that of another bridge', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type === PUBLISH) line.send(publishTo(line, TOPIC, '{"nonce":"of another"}'))
      return false
    })
    const {clock, connection, log} = onOwnClock(broker.url)
    connection.start()
    await until(() => connection.counters.received === 1, {what: 'the message of the other'})
    await until(
      async () => {
        await clock.advance(1000)
        return warnings(log).length > 0
      },
      {what: 'the warning'},
    )
    expect(warnings(log)).toEqual([expect.stringContaining('does not deliver')])
  })

  it('is not sent when a subscription was denied: there is a warning already', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== 8) return false
      line.send(0x90, 5, packet.body.subarray(0, 2), 0, 1, 0x87)
      return true
    })
    const {connection} = onOwnClock(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish({topic: 'b/desk', payload: 'x', retain: false, qos: 1})
    await until(() => broker.published.length > 0, {what: 'a message'})
    expect(broker.published.map(({topic}) => topic)).toEqual(['b/desk'])
  })

  it('leaves no timer behind when the connection ends', async () => {
    const broker = await ScriptedBroker.start()
    const {clock, connection} = onOwnClock(broker.url)
    connection.start()
    await connected(connection)
    const stopped = connection.stop(100)
    await clock.advance(300)
    await stopped
    expect(clock.pending).toBe(0)
  })
})

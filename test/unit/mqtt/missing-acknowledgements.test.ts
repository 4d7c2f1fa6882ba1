import {describe, expect, it} from 'vitest'
import {PUBLISH, type Script, ScriptedBroker, SUBSCRIBE, UNSUBSCRIBE} from '../../support/scripted-broker.ts'
import {type Choice, connected, message, testConnection, warnings} from '../../support/test-connection.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'

/** On a clock of its own, which the test moves. */
async function setUp(script: Script, choice: Choice = {}) {
  const broker = await ScriptedBroker.start(script)
  const clock = new VirtualClock()
  const made = testConnection(broker.url, {clock, ...choice})
  /** Lets time pass in small steps until `condition` is met; the real sockets get their turn in between. */
  const pass = (condition: () => boolean, what: string) =>
    until(
      async () => {
        await clock.advance(500)
        return condition()
      },
      {what},
    )
  return {broker, clock, pass, ...made}
}

describe('a broker that responds to pings, and acknowledges', () => {
  it('no PUBLISH is disconnected after 10 s, and so is the next one, with one warning', async () => {
    const {broker, clock, pass, connection, log} = await setUp(({type}) => type === PUBLISH)
    connection.on('connected', () => connection.delivery.publish(message('b/info', 'x')))
    connection.start()
    await until(() => broker.published.length === 1, {what: 'the message'})
    await clock.advance(9_900)
    expect(connection.connected).toBe(true)
    await clock.advance(200)
    expect(connection.connected).toBe(false)
    await pass(() => broker.published.length >= 4, 'four connections')
    expect(warnings(log)).toEqual([
      expect.stringMatching(/has not acknowledged .* for 10 s .*: connecting to mqtt:.* again$/),
    ])
    expect(broker.published.map(({topic}) => topic)).toEqual(Array(broker.published.length).fill('b/info'))
  })

  it('no SUBSCRIBE counts as attempted after 10 s, with a warning, and is used as soon as it does', async () => {
    let isIgnoring = true
    const {broker, clock, pass, connection, log} = await setUp(({type}) => isIgnoring && type === SUBSCRIBE)
    let attempts = 0
    connection.on('attempted', () => attempts++)
    connection.start()
    await until(() => broker.versions.length === 1, {what: 'the connect'})
    await pass(() => attempts === 1, 'the end of the attempt')
    expect(warnings(log)).toEqual([expect.stringMatching(/has not acknowledged/)])
    isIgnoring = false
    await pass(() => connection.connected, 'the connection')
    expect(clock.now()).toBeGreaterThan(10_000)
  })

  it('no UNSUBSCRIBE does not block for ever', async () => {
    let filters = ['b/one', 'b/two']
    const {pass, connection} = await setUp(({type}) => type === UNSUBSCRIBE, {commands: () => filters})
    connection.start()
    await connected(connection)
    filters = ['b/one']
    let isOver = false
    void connection.resubscribe().then(() => {
      isOver = true
    })
    await pass(() => isOver, 'the end of the call')
    await pass(() => connection.connected, 'the next connection')
  })

  it('every PUBLISH slowly stays connected, however long the queue', async () => {
    const waiting: (() => void)[] = []
    const {broker, clock, connection, log} = await setUp((packet, line) => {
      if (packet.type !== PUBLISH) return false
      const id = packet.body.subarray(2 + packet.body.readUInt16BE(0)).subarray(0, 2)
      waiting.push(() => line.send(0x40, 2, id))
      return true
    })
    connection.start()
    await connected(connection)
    for (let number = 0; number < 8; number++) connection.delivery.publish(message(`b/${number}`, 'x'))
    await until(() => waiting.length === 8, {what: 'all messages'})
    for (let number = 0; number < 8; number++) {
      await clock.advance(7000)
      waiting[number]?.()
      await until(() => connection.counters.published === number + 1, {what: 'the acknowledgement'})
    }
    await clock.advance(60_000)
    expect(broker.versions).toHaveLength(1)
    expect(warnings(log)).toEqual([])
  })

  it('all but one message is disconnected, too, and that message is withheld', async () => {
    const {broker, pass, connection, log} = await setUp(
      ({type, body}) => type === PUBLISH && body.includes('b/never'),
    )
    connection.on('connected', () => {
      for (const topic of ['b/1', 'b/never', 'b/2']) connection.delivery.publish(message(topic, 'x'))
    })
    connection.start()
    let ticks = 0
    await pass(() => {
      if (connection.connected && ticks++ % 8 === 0) connection.delivery.publish(message('b/tick', 'x'))
      return warnings(log).some((line) => line.includes('b/never'))
    }, 'the warning')
    const {length} = broker.versions
    await pass(() => broker.versions.length > length && connection.connected, 'the next connection')
    await until(() => broker.published.at(-1)?.topic === 'b/2', {what: 'what comes after it'})
    expect(broker.published.filter(({topic}) => topic === 'b/never')).toHaveLength(2)
  })

  it('nothing does not hold up a stop', async () => {
    const {clock, connection} = await setUp(({type}) => type === PUBLISH)
    connection.start()
    await connected(connection)
    for (let number = 0; number < 5000; number++) connection.delivery.publish(message(`b/${number}`, 'x'))
    const stopped = connection.stop(1000)
    await clock.advance(2100)
    await stopped
    expect(clock.pending).toBe(0)
  })
})

describe('a stop with thousands of messages waiting', () => {
  it.each([
    [0, 5],
    [1, 5],
    [1, 4],
  ] as const)('ends in good order (QoS %i, MQTT version %i)', async (qos, version) => {
    const {connection, log, clock} = await setUp(({type}) => type === PUBLISH, {broker: {version}})
    connection.start()
    await connected(connection)
    for (let number = 0; number < 20_000; number++)
      connection.delivery.publish(message(`b/${number}`, 'x'.repeat(100), {qos}))
    const stopped = connection.stop(500)
    await clock.advance(1100)
    await stopped
    expect(log.messages('warn')).toEqual([])
    expect(log.messages('error')).toEqual([])
  })
})

import {describe, expect, it} from 'vitest'
import {publishSize} from '../../../src/mqtt/outgoing-message.ts'
import {
  type BrokerConnection,
  CONNECT,
  connack,
  filtersIn,
  idOf,
  PUBLISH,
  ScriptedBroker,
  SUBSCRIBE,
} from '../../support/scripted-broker.ts'
import {connected, message, testConnection, warnings} from '../../support/test-connection.ts'
import {until} from '../../support/wait.ts'

/** Properties of a CONNACK (MQTT 5.0 §3.2.2.3). */
const MAXIMUM_QOS_0 = Buffer.of(0x24, 0)
const MAXIMUM_QOS_1 = Buffer.of(0x24, 1)
const NO_RETAIN = Buffer.of(0x25, 0)
const NO_WILDCARDS = Buffer.of(0x28, 0)
const packetSize = (bytes: number) => Buffer.from([0x27, 0, 0, bytes >> 8, bytes & 255])

const brokerWith = (...properties: Buffer[]) =>
  ScriptedBroker.start((packet, line) => {
    if (packet.type !== CONNECT) return false
    line.send(connack(line, 0, Buffer.concat(properties)))
    return true
  })

/** The flags of a CONNECT (§3.1.2.3): whether its will is retained, and its QoS. */
function willIn(body: Buffer) {
  const flags = body[7] ?? 0
  return {retain: (flags & 0x20) !== 0, qos: (flags >> 3) & 3}
}

describe('a broker that takes', () => {
  it('QoS 0 only gets nothing else, with one warning over all connections', async () => {
    const broker = await brokerWith(MAXIMUM_QOS_0)
    const {connection, log} = testConnection(broker.url)
    connection.on('connected', () => connection.delivery.publish(message('b/x', 'x')))
    connection.start()
    await until(() => broker.published.length === 1, {what: 'the message'})
    connection.reconnect('a test')
    await until(() => broker.published.length === 2, {what: 'the message again'})
    expect(broker.published).toMatchObject([
      {topic: 'b/x', qos: 0, retain: true},
      {topic: 'b/x', qos: 0, retain: true},
    ])
    expect(warnings(log).filter((line) => line.includes('has no'))).toEqual([
      expect.stringMatching(/^the broker mqtt:\S+ has no QoS 1 /),
    ])
  })

  it('QoS 1 at most gets that, without a warning', async () => {
    const broker = await brokerWith(MAXIMUM_QOS_1)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish(message('b/x', 'x'))
    await until(() => broker.published.length === 1, {what: 'the message'})
    expect(broker.published).toMatchObject([{qos: 1, retain: true}])
    expect(warnings(log)).toEqual([])
  })

  it('no retained messages gets them without the flag, the newest of each topic', async () => {
    const broker = await brokerWith(NO_RETAIN)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish(message('b/x', 'x'))
    await until(() => broker.published.length === 1, {what: 'the message'})
    expect(broker.published).toMatchObject([{qos: 1, retain: false}])
    expect(warnings(log)).toEqual([expect.stringMatching(/has no retained messages/)])
  })

  it('one message at a time gets no second one before it has acknowledged the first, not even the self-test', async () => {
    let unacknowledged = 0
    let most = 0
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type === CONNECT) line.send(connack(line, 0, Buffer.of(0x21, 0, 1)))
      if (packet.type !== PUBLISH) return packet.type === CONNECT
      most = Math.max(most, ++unacknowledged)
      setImmediate(() => {
        unacknowledged--
        line.send(0x40, 2, idOf(packet))
      })
      return true
    })
    const {connection} = testConnection(broker.url, {selfTestTopic: 'b/bridge/request/self_test'})
    connection.on('connected', () => {
      for (let number = 0; number < 20; number++) connection.delivery.publish(message(`b/${number}`, 'x'))
    })
    connection.start()
    await until(() => connection.counters.published === 20, {what: 'all messages'})
    expect(most).toBe(1)
  })

  it('no wildcards gets no filter with them, and a warning says that no command is received', async () => {
    const requested: string[] = []
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type === SUBSCRIBE) requested.push(...filtersIn(packet, line.version))
      if (packet.type !== CONNECT) return false
      line.send(connack(line, 0, NO_WILDCARDS))
      return true
    })
    const {connection, log} = testConnection(broker.url, {
      statusTopics: () => ['homeassistant/status'],
      selfTestTopic: 'b/bridge/request/self_test',
    })
    connection.start()
    await connected(connection)
    expect(requested).toEqual(['homeassistant/status'])
    expect(warnings(log)).toEqual([expect.stringMatching(/has no subscriptions with wildcards .*command/)])
  })
})

describe('a broker that refuses the last will', () => {
  const refusing = (isTaken: (will: {retain: boolean; qos: number}) => number) =>
    ScriptedBroker.start((packet, line: BrokerConnection) => {
      if (packet.type !== CONNECT) return false
      const code = isTaken(willIn(packet.body))
      line.send(connack(line, code))
      if (code !== 0) line.socket.end()
      return true
    })

  it.each([
    ['its QoS', (will: {retain: boolean; qos: number}) => (will.qos > 0 ? 0x9b : 0), {qos: 0, retain: true}],
    [
      'that it is retained',
      (will: {retain: boolean; qos: number}) => (will.retain ? 0x9a : 0),
      {qos: 1, retain: false},
    ],
    [
      'both',
      (will: {retain: boolean; qos: number}) => (will.retain ? 0x9a : will.qos > 0 ? 0x9b : 0),
      {qos: 0, retain: false},
    ],
  ])('for %s gets a will without it, and messages without it, too', async (_what, code, published) => {
    const broker = await refusing(code)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish(message('b/x', 'x'))
    await until(() => broker.published.length === 1, {what: 'the message'})
    expect(broker.published).toMatchObject([published])
    expect(new Set(broker.versions)).toEqual(new Set([5]))
    expect(warnings(log)).toEqual([expect.stringMatching(/^the broker mqtt:\S+ has no /)])
  })

  it('also with less is not tried again and again', async () => {
    const broker = await refusing(() => 0x9b)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await until(() => warnings(log).length > 0, {what: 'the warning'})
    expect(broker.versions).toEqual([5, 5])
    expect(warnings(log)).toEqual([`cannot use the broker ${broker.url}: QoS not supported`])
  })
})

describe('a broker that takes packets of so many bytes', () => {
  it.each([
    ['letters', message('b/x', 'x'.repeat(90))],
    ['letters beyond ASCII', message('b/灯', '灯'.repeat(30))],
    [
      'content type and expiry',
      message('b/x', 'x'.repeat(60), {contentType: 'application/json', expiresIn: 60_000}),
    ],
    ['correlation data', message('b/x', 'x'.repeat(30), {correlationData: Buffer.alloc(60)})],
  ])('gets a message that just fits, and none that is larger: %s', async (_what, sized) => {
    const size = publishSize(sized)
    const broker = await brokerWith(packetSize(size))
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish({...sized, payload: `${sized.payload}x`})
    connection.delivery.publish(sized)
    await until(() => broker.published.length === 1, {what: 'the message'})
    expect(broker.published).toMatchObject([{payload: sized.payload}])
    expect(warnings(log)).toEqual([
      `${sized.topic} has ${size + 1} bytes, more than the broker accepts (${size}): it is not published`,
    ])
  })

  it('is warned of for twenty topics, and the rest is counted', async () => {
    const broker = await brokerWith(packetSize(100))
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    for (let times = 0; times < 2; times++)
      for (let at = 0; at < 500; at++) connection.delivery.publish(message(`b/x${at}`, 'x'.repeat(100)))
    expect(warnings(log)).toHaveLength(21)
    expect(warnings(log).at(-1)).toMatch(/^other messages are larger than the broker accepts/)
    expect(connection.counters.failed).toBe(1000)
  })

  it('is compared with the size that the packet has on the wire', async () => {
    const topics = ['b/x', `b/${'x'.repeat(130)}`, 'b/灯/😀']
    const payloads = ['', 'x', 'ü'.repeat(60), '灯'.repeat(5000), 'x'.repeat(2_200_000)]
    const extras = [
      {},
      {contentType: 'application/json' as const},
      {correlationData: Buffer.alloc(200), expiresIn: 1, contentType: 'text/plain' as const},
    ]
    const all = topics.flatMap((topic) =>
      payloads.flatMap((payload) =>
        extras.flatMap((extra) =>
          ([0, 1] as const).map((qos) => message(topic, payload, {...extra, qos, retain: false})),
        ),
      ),
    )
    const broker = await ScriptedBroker.start()
    const {connection} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    for (const [index, one] of all.entries()) {
      connection.delivery.publish(one)
      await until(() => broker.published.length > index, {what: 'the message'})
    }
    expect(broker.published.map(({size}) => size)).toEqual(all.map(publishSize))
  })
})

it('Filters are subscribed to in packets of eight at most, and all of them.', async () => {
  const filters = Array.from({length: 20}, (_, at) => `b/${at}/set`)
  const requested: string[][] = []
  const broker = await ScriptedBroker.start(({type, body}) => {
    if (type === SUBSCRIBE) requested.push(body.toString().match(/b\/\d+\/set/g) ?? [])
    return false
  })
  const {connection} = testConnection(broker.url, {commands: () => filters})
  connection.start()
  await connected(connection)
  expect(requested.map((packet) => packet.length)).toEqual([8, 8, 4])
  expect(requested.flat()).toEqual(filters)
})

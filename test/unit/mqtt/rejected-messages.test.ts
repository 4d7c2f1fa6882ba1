import {connect as connectClient, type IClientOptions} from 'mqtt'
import {describe, expect, it} from 'vitest'
import {PUBLISH, type Script, ScriptedBroker} from '../../support/scripted-broker.ts'
import {type Choice, connected, message, testConnection, warnings} from '../../support/test-connection.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'

/** On a clock that the test moves, so that no waiting between two attempts takes any time. */
async function setUp(script: Script, choice: Choice = {}) {
  const broker = await ScriptedBroker.start(script)
  return {broker, ...withClock(broker.url, choice)}
}

function withClock(url: string, choice: Choice = {}) {
  const clock = new VirtualClock()
  let isWaiting = false
  const connect = (options: IClientOptions) => {
    isWaiting = false
    return connectClient(options)
  }
  const made = testConnection(url, {clock, connect, ...choice})
  for (const event of ['attempted', 'disconnected'] as const)
    made.connection.on(event, () => {
      isWaiting = !made.connection.connected
    })
  /** Waits for `condition`. The clock stands still but between two attempts to connect: sockets have all the time that they need. */
  const pass = (condition: () => boolean, what: string) =>
    until(
      async () => {
        if (isWaiting) await clock.advance(1000)
        return condition()
      },
      {what, within: 60_000},
    )
  return {clock, pass, ...made}
}

const endsOver =
  (...topics: string[]): Script =>
  ({type, body}, {socket}) => {
    const isOne = type === PUBLISH && topics.some((topic) => body.subarray(2).indexOf(topic) === 0)
    if (isOne) socket.end()
    return isOne
  }

const HOUR = 60 * 60_000
/** A result on a topic that the sender of a command chose. */
const onSenderTopic = (topic: string) =>
  message(topic, 'answer', {retain: false, fallbackTopic: 'b/desk/response'})

describe('a message that the broker ends connections over', () => {
  it.each([0, 1, 60, 150])(
    'is withheld after the second, and nothing else is lost (%i before it)',
    async (before) => {
      const others = Array.from({length: 200}, (_, index) => `b/${index}`)
      const {broker, pass, connection, log} = await setUp(endsOver('b/poison'))
      connection.on('connected', () => {
        for (const topic of [...others.slice(0, before), 'b/poison', ...others.slice(before)])
          connection.delivery.publish(message(topic, 'x'))
      })
      connection.start()
      await pass(() => broker.published.filter(({line}) => line === 3).length >= 200, 'all others')
      expect(broker.published.filter(({topic}) => topic === 'b/poison').map(({line}) => line)).toEqual([1, 2])
      expect(new Set(broker.published.filter(({line}) => line === 3).map(({topic}) => topic))).toEqual(
        new Set(others),
      )
      expect(warnings(log)).toEqual([
        `lost the connection to ${broker.url}`,
        `two connections in a row to ${broker.url} ended when b/poison was published: it is not published for an hour`,
      ])
    },
  )

  it('is tried again after an hour', async () => {
    const {broker, clock, pass, connection, log} = await setUp(endsOver('b/poison'))
    connection.on('connected', () => {
      for (const topic of ['b/fine', 'b/poison']) connection.delivery.publish(message(topic, 'x'))
    })
    connection.start()
    await pass(() => warnings(log).length === 2, 'the warning')
    await pass(() => connection.connected, 'the connection')
    const {length} = broker.published
    connection.delivery.publish(message('b/poison', 'x'))
    connection.delivery.publish(message('b/fine', 'x'))
    await until(() => broker.published.length > length, {what: 'the other message'})
    await clock.advance(HOUR)
    connection.delivery.publish(message('b/poison', 'x'))
    await until(() => broker.published.filter(({topic}) => topic === 'b/poison').length === 3, {
      what: 'the third try',
    })
  })

  it('is found although there are several of its kind', async () => {
    const poisons = ['b/poison/1', 'b/poison/2', 'b/poison/3']
    const {broker, pass, connection, log} = await setUp(endsOver(...poisons))
    connection.on('connected', () => {
      for (const topic of ['b/1', ...poisons, 'b/2']) connection.delivery.publish(message(topic, 'x'))
    })
    connection.start()
    await pass(() => warnings(log).length === 4, 'all warnings')
    await pass(() => connection.connected, 'the connection')
    await until(() => broker.published.at(-1)?.topic === 'b/2', {what: 'the last message'})
    expect(broker.versions).toHaveLength(5) // one more than there are, and the one that stays
    for (const topic of poisons)
      expect(
        warnings(log).filter((line) => line.includes(`ended when ${topic} was published:`)),
      ).toHaveLength(1)
  })

  it('is found also when the broker answers it with an unreadable packet', async () => {
    const {broker, pass, connection, log} = await setUp(({type, body}, line) => {
      const isOne = type === PUBLISH && body.includes('b/poison')
      if (isOne) line.send(0x41, 2, 0, 1)
      return isOne
    })
    connection.on('connected', () => {
      for (const topic of ['b/1', 'b/poison', 'b/2']) connection.delivery.publish(message(topic, 'x'))
    })
    connection.start()
    await pass(
      () => broker.published.at(-1)?.topic === 'b/2' && broker.versions.length === 3,
      'the last message',
    )
    expect(warnings(log)).toContainEqual(expect.stringContaining('ended when b/poison was published:'))
  })

  it('is not assumed when every connection ends, whatever is sent', async () => {
    const broken = 6
    const {broker, pass, connection} = await setUp(({type}, {socket, number}) => {
      const isOver = number <= broken && type === PUBLISH
      if (isOver) socket.end()
      return isOver
    })
    const topics = ['b/1', 'b/2', 'b/3', 'b/4']
    connection.on('connected', () => {
      for (const topic of topics) connection.delivery.publish(message(topic, 'x'))
    })
    connection.start()
    await pass(() => broker.published.filter((one) => one.line > broken).length >= 4, 'all messages')
    const [first] = broker.published.filter((one) => one.line > broken)
    expect(
      new Set(broker.published.filter((one) => one.line === first?.line).map(({topic}) => topic)),
    ).toEqual(new Set(topics))
  })

  it('is not assumed when a broker says that it goes away, or is killed while nothing is in flight', async () => {
    const goneFrom = 4
    const {broker, pass, connection, log} = await setUp(({type, body}, line) => {
      const isOne = line.number <= goneFrom && type === PUBLISH && body.includes('b/2')
      if (isOne) line.socket.end(Buffer.of(0xe0, 1, 0x8b))
      return isOne
    })
    connection.on('connected', () => {
      for (const topic of ['b/1', 'b/2', 'b/3']) connection.delivery.publish(message(topic, 'x'))
    })
    connection.start()
    await pass(() => broker.published.filter(({line}) => line > goneFrom).length === 3, 'all messages')
    expect(warnings(log).filter((line) => line.includes('in a row'))).toEqual([])
  })
})

describe('responses on topics that senders of commands chose', () => {
  it('are not sent for an hour after two connections ended over them, whatever the topics; others are', async () => {
    const {broker, clock, pass, connection, log} = await setUp(endsOver('x/'))
    connection.start()
    await connected(connection)
    for (const number of [1, 2]) {
      connection.delivery.publish(onSenderTopic(`x/${number}`))
      await pass(() => !connection.connected, 'the end of the connection')
      await pass(() => connection.connected, 'the next connection')
    }
    connection.delivery.publish(onSenderTopic('x/3'))
    connection.delivery.publish(message('b/desk', 'x'))
    await until(() => broker.published.at(-1)?.topic === 'b/desk', {what: 'the state'})
    expect(broker.published.map(({topic}) => topic)).toEqual(['x/1', 'x/2', 'b/desk/response', 'b/desk'])
    expect(warnings(log)).toEqual([
      `lost the connection to ${broker.url}`,
      expect.stringMatching(/response topic x\/2,.* not used for an hour/),
    ])
    await until(() => connection.counters.published === 2, {what: 'the acknowledgements'})
    await clock.advance(HOUR)
    connection.delivery.publish(onSenderTopic('x/5'))
    await until(() => broker.published.at(-1)?.topic === 'x/5', {what: 'the answer'})
  })

  it('of QoS 0, too, when the connection ends right after them', async () => {
    const {broker, pass, connection, log} = await setUp(endsOver('x/'))
    connection.start()
    await connected(connection)
    for (const number of [1, 2]) {
      connection.delivery.publish({...onSenderTopic(`x/${number}`), qos: 0})
      await until(() => !connection.connected, {what: 'the end of the connection'})
      await pass(() => connection.connected, 'the next connection')
    }
    expect(warnings(log).at(-1)).toMatch(/response topic x\/2,/)
    connection.delivery.publish({...onSenderTopic('x/3'), qos: 0})
    connection.delivery.publish(message('b/desk', 'x'))
    await until(() => broker.published.at(-1)?.topic === 'b/desk', {what: 'the state'})
    expect(broker.published.map(({topic}) => topic)).toEqual(['x/1', 'x/2', 'b/desk/response', 'b/desk'])
  })

  it('are sent while connections end for other reasons', async () => {
    let isOver: (() => void) | undefined
    const {broker, pass, connection} = await setUp(({type}, {socket}) => {
      isOver = () => socket.destroy()
      return type === 0
    })
    connection.start()
    await connected(connection)
    for (let number = 0; number < 4; number++) {
      const before = connection.counters.published
      connection.delivery.publish(onSenderTopic(`x/${number}`))
      await until(() => connection.counters.published > before, {what: 'the acknowledgement'})
      isOver?.()
      await until(() => !connection.connected, {what: 'the end of the connection'})
      await pass(() => connection.connected, 'the next connection')
    }
    expect(broker.published.map(({topic}) => topic)).toEqual(['x/0', 'x/1', 'x/2', 'x/3'])
  })
})

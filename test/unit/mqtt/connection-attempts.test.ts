import {createServer, type Socket} from 'node:net'
import {afterEach, describe, expect, it} from 'vitest'
import {CONNECT, PUBLISH, ScriptedBroker} from '../../support/scripted-broker.ts'
import {connected, message, testConnection, warnings} from '../../support/test-connection.ts'
import {until} from '../../support/wait.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Closes the connection at the first so many attempts in MQTT 5. */
const closingAttempts = (times: number) => {
  let left = times
  return ScriptedBroker.start((packet, line) => {
    if (packet.type !== CONNECT || line.version !== 5 || left-- <= 0) return false
    line.socket.destroy()
    return true
  })
}

describe('a broker that closes the connection without a CONNACK', () => {
  it('once, as while it starts, is used in MQTT 5 all the same', async () => {
    const broker = await closingAttempts(1)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    expect(broker.versions).toEqual([5, 4, 5])
    expect(log.lines.map(({fields}) => fields)).toEqual([{mqtt: '5'}])
  })

  it('at each attempt in MQTT 5 is used in 3.1.1', async () => {
    const broker = await closingAttempts(Number.POSITIVE_INFINITY)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish(message('b/x', 'x'))
    await until(() => broker.published.length === 1, {what: 'the message'})
    expect(broker.versions).toEqual([5, 4, 5, 4])
    expect(log.lines.map(({fields}) => fields)).toEqual([{mqtt: '3.1.1'}])
  })

  it('is tried in MQTT 5 first at the next connection, however short this one was', async () => {
    const broker = await closingAttempts(2)
    const {connection} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    expect(broker.versions.at(-1)).toBe(4)
    const again = connected(connection)
    connection.reconnect('a test')
    await again
    expect(broker.versions.at(-1)).toBe(5)
  })
})

describe('an attempt that cannot even begin', () => {
  const tls = (more: Record<string, string>) => ({
    urls: ['mqtts://127.0.0.1:9'],
    tls: {verify: true, ...more},
  })
  it.each([
    [
      'a key that is none',
      tls({key: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'}),
      /check mqtt\.ca, mqtt\.cert and mqtt\.key/,
    ],
    [
      'a certificate that is none',
      tls({cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'}),
      /check mqtt\.ca/,
    ],
    [
      'a user name beyond what MQTT has room for',
      {username: 'ü'.repeat(35_000)},
      /mqtt\.username has 70000 bytes/,
    ],
    [
      'a password beyond that',
      {username: 'x', password: 'y'.repeat(65_536)},
      /mqtt\.password has 65536 bytes/,
    ],
    ['a client id beyond that', {clientId: 'y'.repeat(65_536)}, /mqtt\.client_id has 65536 bytes/],
    ['a password without a user name', {password: 'y'}, /cannot use the broker/],
    ['a URL of another protocol', {urls: ['http://127.0.0.1']}, /expected mqtt:\/\//],
    ['a URL that is none', {urls: ['mqtt://']}, /cannot use the broker/],
  ])('for %s is one that failed, with one warning, and is tried again', async (_what, broker, words) => {
    const {connection, log} = testConnection('mqtt://127.0.0.1:9', {broker})
    let tried = 0
    connection.on('attempted', () => tried++)
    connection.start()
    await until(() => tried >= 2, {what: 'a second attempt'})
    expect(warnings(log)).toEqual([expect.stringMatching(words)])
    expect(warnings(log).join().length).toBeLessThan(300)
    await connection.stop(100)
  })

  it('for an error that the client throws is one that failed', async () => {
    const {connection, log} = testConnection('mqtt://127.0.0.1:9', {
      connect: () => {
        throw new Error('no room')
      },
    })
    const tried = new Promise<void>((resolve) => connection.once('attempted', resolve))
    connection.start()
    await tried
    expect(warnings(log)).toEqual(['cannot use the broker mqtt://127.0.0.1:9: no room'])
  })

  it('leaves no socket behind', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket.on('close', () => sockets.delete(socket))))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const {connection} = testConnection(`mqtt://127.0.0.1:${port}`, {broker: {password: 'x'}})
    let tried = 0
    connection.on('attempted', () => tried++)
    connection.start()
    await until(() => tried >= 2, {what: 'a second attempt'})
    await connection.stop(100)
    await until(() => sockets.size === 0, {what: 'the end of every socket'})
  })
})

describe('a server that is no broker', () => {
  it('is warned of as none, and nothing else happens', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const {connection, log} = testConnection(`mqtt://127.0.0.1:${port}`)
    const tried = new Promise<void>((resolve) => connection.once('attempted', resolve))
    connection.start()
    await tried
    expect(warnings(log)).toEqual([expect.stringMatching(/cannot use the broker .*: its answer is not MQTT/)])
  })
})

describe('responses that the broker does not take', () => {
  it('are dropped, and counted in one warning and in the counters', async () => {
    const broker = await ScriptedBroker.start(({type}) => type === PUBLISH)
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    for (let number = 0; number < 12_000; number++)
      connection.delivery.publish(message('b/answers', String(number), {retain: false}))
    await until(() => warnings(log).length > 0, {what: 'the warning'})
    expect(warnings(log)).toEqual([expect.stringMatching(/1900 answers and events were dropped/)])
    expect(connection.counters.dropped).toBe(1900)
  })
})

describe('a connection whose listener throws', () => {
  it('logs the error, and goes on', async () => {
    const broker = await ScriptedBroker.start()
    const {connection, log} = testConnection(broker.url)
    connection.on('connected', () => {
      throw new Error('a topic that is none')
    })
    const tried = new Promise<void>((resolve) => connection.once('attempted', resolve))
    connection.start()
    await tried
    expect(log.messages('error')).toEqual(['not everything could be announced'])
    expect(connection.connected).toBe(true)
  })
})

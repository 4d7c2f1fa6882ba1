import {execFileSync} from 'node:child_process'
import {describe, expect, inject, it} from 'vitest'
import {startMosquitto} from '../../support/mosquitto.ts'
import {mosquittoPub} from '../../support/mqtt-user.ts'
import {publishTo, ScriptedBroker, SUBSCRIBE} from '../../support/scripted-broker.ts'
import {connected, testConnection} from '../../support/test-connection.ts'
import {until} from '../../support/wait.ts'

describe('a connection that `reconnect` ends', () => {
  it('handles no message that came in the same packet after the call, and connects again', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== SUBSCRIBE) return false
      setImmediate(() =>
        line.send(
          ...['first', 'second', 'third'].map((text) =>
            publishTo(line, 'b/desk/set', `${text} of ${line.number}`),
          ),
        ),
      )
      return false
    })
    const {connection, log, received} = testConnection(broker.url)
    const happened: string[] = []
    connection.on('connected', () => happened.push('connected'))
    connection.on('disconnected', () => happened.push('disconnected'))
    connection.once('message', () => {
      connection.reconnect('the process was stopped for 180 s')
      expect(connection.connected).toBe(false)
    })
    connection.start()
    await until(() => received.length >= 4, {what: 'the messages of the second connection'})
    expect(received.map((line) => line.replace('b/desk/set ', ''))).toEqual([
      'first of 1',
      'first of 2',
      'second of 2',
      'third of 2',
    ])
    expect(happened).toEqual(['connected', 'disconnected', 'connected'])
    expect(log.messages('warn')).toEqual([
      `the process was stopped for 180 s: connecting to ${broker.url} again`,
    ])
  })

  it('handles no message after the call that came before the SUBACK', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== SUBSCRIBE) return false
      line.send(
        ...['first', 'second'].map((text) => publishTo(line, 'b/desk/set', `${text} of ${line.number}`)),
      )
      return false
    })
    const {connection, received} = testConnection(broker.url)
    connection.once('message', () => connection.reconnect('the process was stopped for 180 s'))
    connection.start()
    await until(() => received.length >= 3, {what: 'the messages of the second connection'})
    expect(received.map((line) => line.replace('b/desk/set ', ''))).toEqual([
      'first of 1',
      'first of 2',
      'second of 2',
    ])
  })

  it('publishes nothing on the session that has ended', async () => {
    const broker = await ScriptedBroker.start()
    const {connection} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.reconnect('a test')
    connection.delivery.publish({topic: 'b/lost', payload: 'x', retain: true, qos: 1})
    await connected(connection)
    connection.delivery.publish({topic: 'b/new', payload: 'x', retain: true, qos: 1})
    await until(() => broker.published.some(({topic}) => topic === 'b/new'), {what: 'the new message'})
    expect(broker.published.map(({topic}) => topic)).not.toContain('b/lost')
  })

  it('does nothing while there is no connection, and nothing after a stop', async () => {
    const {connection, log} = testConnection('mqtt://127.0.0.1:9')
    connection.reconnect('not started')
    connection.start()
    await new Promise<void>((resolve) => connection.once('attempted', resolve))
    connection.reconnect('between two attempts')
    await connection.stop(100)
    connection.reconnect('stopped')
    expect(log.messages('warn').filter((line) => !line.includes('ECONNREFUSED'))).toEqual([])
  })

  it('ends also in the middle of the attempt', async () => {
    let isIgnoring = true
    const broker = await ScriptedBroker.start((packet) => packet.type === SUBSCRIBE && isIgnoring)
    const {connection} = testConnection(broker.url)
    connection.start()
    await until(() => broker.versions.length === 1, {what: 'the first connect'})
    isIgnoring = false
    const again = connected(connection)
    connection.reconnect('the process was suspended')
    await again
    expect(broker.versions).toHaveLength(2)
  })
})

describe.skipIf(!inject('tools').mosquitto)('a connection to mosquitto that `reconnect` ends', () => {
  it('leaves the buffer of its socket unread', async () => {
    const broker = await startMosquitto()
    const {connection, received} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    // This process reads nothing while the other program runs: the message waits in the socket.
    execFileSync('mosquitto_pub', ['-p', String(broker.port), '-q', '1', '-t', 'b/desk/set', '-m', 'stale'])
    connection.reconnect('the process was stopped')
    await connected(connection)
    await mosquittoPub(broker, '-q', '1', '-t', 'b/desk/set', '-m', 'fresh')
    await until(() => received.length > 0, {what: 'a message'})
    expect(received).toEqual(['b/desk/set fresh'])
  })
})

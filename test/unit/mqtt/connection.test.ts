import {connect, createServer, type Socket} from 'node:net'
import {Aedes} from 'aedes'
import {connectAsync, connect as connectClient, type IClientOptions, type MqttClient} from 'mqtt'
import {afterEach, describe, expect, it} from 'vitest'
import {systemClock} from '../../../src/common/clock.ts'
import {Connection, type IncomingMessage} from '../../../src/mqtt/connection.ts'
import type {OutgoingMessage} from '../../../src/mqtt/outgoing-message.ts'
import {type Mosquitto, startMosquitto} from '../../support/mosquitto.ts'
import {acceptingOnlyMqtt311} from '../../support/mqtt-311-broker.ts'
import {Watcher} from '../../support/mqtt-user.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {random} from '../../support/seeds.ts'
import {until} from '../../support/wait.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const log = new RememberingLog()
const will: OutgoingMessage = {
  topic: 'b/bridge/state',
  payload: '{"state":"offline"}',
  contentType: 'application/json',
  retain: true,
  qos: 1,
}

interface Choice {
  username?: string
  password?: string
  keepalive?: number
  commands?: string[]
  connect?: (options: IClientOptions) => MqttClient
}

function connection(url: string, {commands = ['b/+/set'], connect, ...choice}: Choice = {}): Connection {
  log.lines.length = 0
  const made = new Connection({
    broker: {urls: [url], clientId: 'test', version: 5, keepalive: 15_000, ...choice},
    will,
    commands: () => commands,
    clock: systemClock,
    random,
    log,
    ...(connect ? {connect} : {}),
  })
  ends.push(() => made.stop(200))
  return made
}

async function mosquitto(config: string[] = []): Promise<Mosquitto> {
  const broker = await startMosquitto({config})
  ends.push(() => broker.stop())
  return broker
}

/** A server of our own instead of a broker, for what no broker here does by itself. */
async function served(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // the other side may have closed it
    handle(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

/** MQTT 5.0 §3.1.2: the version stands behind the fixed header (2 bytes, when short) and "MQTT" (6 bytes). */
const versionIn = (connect: Buffer) => connect[8] ?? Number.NaN

/** First bytes of packets, and whole ones (MQTT 5.0 §2.1.2, §3.2, §3.9, §3.14). */
const [CONNECT, SUBSCRIBE, SUBACK] = [0x10, 0x82, 0x90]
const CONNACK = Buffer.of(0x20, 3, 0, 0, 0)
const SESSION_TAKEN_OVER = Buffer.of(0xe0, 2, 0x8e, 0)

async function watch(broker: Mosquitto, ...filters: string[]): Promise<Watcher> {
  const watcher = await Watcher.open(broker, filters)
  ends.push(() => watcher.stop())
  return watcher
}

const connected = (made: Connection) => new Promise<void>((resolve) => made.once('connected', resolve))
const outgoing = (topic: string, payload: string, retain = true): OutgoingMessage => ({
  topic,
  payload,
  retain,
  qos: 1,
})

describe('the connection', () => {
  it('speaks MQTT 5, passes on messages with their properties, and publishes retained', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    const received: IncomingMessage[] = []
    made.on('message', (message) => received.push(message))
    made.start()
    await connected(made)
    made.delivery.publish(outgoing('b/desk', '{"state":"ON"}'))
    const user = await watch(broker, 'b/#')
    await user.waitFor('b/desk', ({payload}) => payload === '{"state":"ON"}')
    await user.publish('b/desk/set', 'ON', {
      properties: {responseTopic: 'me', correlationData: Buffer.from('x'), messageExpiryInterval: 3},
    })
    await until(() => received.length > 0, {what: 'the message'})
    expect(received[0]).toMatchObject({
      topic: 'b/desk/set',
      retained: false,
      responseTopic: 'me',
      expiresIn: 3000,
    })
    expect(String(received[0]?.correlationData)).toBe('x')
  })

  it('falls back to MQTT 3.1.1 at once when the broker does not support MQTT 5', async () => {
    const aedes = await Aedes.createBroker()
    ends.push(() => new Promise<void>((resolve) => aedes.close(resolve)))
    const made = connection(await served(acceptingOnlyMqtt311(aedes.handle)))
    made.start()
    await connected(made)
    expect(log.lines.map(({fields}) => fields)).toEqual([{mqtt: '3.1.1'}])
  })

  it('falls back to MQTT 3.1.1 also when the broker closes the connection at a CONNECT of MQTT 5, without a warning', async () => {
    const broker = await mosquitto()
    const url = await served((socket) => {
      socket.once('data', (hello) => {
        if (versionIn(hello) === 5) {
          socket.destroy()
          return
        }
        const upstream = connect(broker.port, broker.host)
        upstream.write(hello)
        socket.pipe(upstream).pipe(socket)
      })
    })
    const made = connection(url)
    made.start()
    await connected(made)
    expect(log.lines.map(({fields}) => fields)).toEqual([{mqtt: '3.1.1'}])
  })

  it('warns once that a broker closes the connection in either version, and tries both again and again', async () => {
    const versions: number[] = []
    const url = await served((socket) => {
      socket.once('data', (hello) => {
        versions.push(versionIn(hello))
        socket.destroy()
      })
    })
    const made = connection(url)
    made.start()
    await until(() => versions.length >= 4, {what: 'four tries'})
    expect(versions.slice(0, 4)).toEqual([5, 4, 5, 4])
    expect(log.messages('warn')).toEqual([
      `cannot use the broker ${url}: it closed the connection without a reason`,
    ])
  })

  it('warns once about the client id when another client takes over the session', async () => {
    let connects = 0
    const url = await served((socket) => {
      connects++
      socket.on('data', (packet) => {
        if (packet[0] === CONNECT) socket.write(CONNACK)
        if (packet[0] !== SUBSCRIBE) return
        socket.write(Buffer.of(SUBACK, 4, packet[2] ?? 0, packet[3] ?? 0, 0, 1))
        socket.end(SESSION_TAKEN_OVER)
      })
    })
    const made = connection(url)
    made.start()
    await until(() => connects >= 3, {what: 'the third connection'})
    expect(log.messages('warn')).toEqual([
      expect.stringMatching(/another client took over the connection .* client id "test": .*mqtt\.client_id/),
    ])
  })

  it('goes on with the filters that the access list allows, and warns once of the denied ones', async () => {
    const aedes = await Aedes.createBroker()
    aedes.authorizeSubscribe = (_client, subscription, callback) =>
      callback(null, subscription.topic === 'b/secret' ? null : subscription)
    ends.push(() => new Promise<void>((resolve) => aedes.close(resolve)))
    const made = connection(await served(acceptingOnlyMqtt311(aedes.handle)), {
      commands: ['b/secret', 'b/+/set'],
    })
    const received: string[] = []
    made.on('message', ({topic}) => received.push(topic))
    made.start()
    await connected(made)
    aedes.publish(
      {cmd: 'publish', qos: 0, dup: false, retain: false, topic: 'b/desk/set', payload: 'ON'},
      () => {},
    )
    await until(() => received.length > 0, {what: 'the message'})
    expect(received).toEqual(['b/desk/set'])
    expect(log.messages('warn')).toEqual([
      expect.stringMatching(/access list .* denies subscribing to b\/secret:/),
    ])
  })

  it('has a last will with a content type', async () => {
    const broker = await mosquitto()
    const clients: MqttClient[] = []
    const made = connection(broker.url, {
      connect: (options) => {
        const client = connectClient(options)
        clients.push(client)
        return client
      },
    })
    made.start()
    await connected(made)
    const client = await connectAsync(broker.url, {protocolVersion: 5})
    ends.push(() => client.endAsync(true))
    const left = new Promise<unknown>((resolve) =>
      client.on('message', (topic, payload, {properties}) =>
        resolve([topic, payload.toString(), properties?.contentType]),
      ),
    )
    await client.subscribeAsync('b/bridge/state')
    clients[0]?.stream.destroy()
    expect(await left).toEqual(['b/bridge/state', '{"state":"offline"}', 'application/json'])
  })

  it('comes back to a broker that was killed, with one warning', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    await broker.kill()
    await until(() => !made.connected, {what: 'the loss of the connection'})
    const again = connected(made)
    await broker.restart()
    await again
    expect(log.messages('warn').filter((line) => line.includes('lost'))).toHaveLength(1)
  })

  it('waits for a broker that is not there yet, with one warning and its reason', async () => {
    const broker = await mosquitto()
    await broker.kill()
    const made = connection(broker.url)
    let tries = 0
    made.on('attempted', () => tries++)
    made.start()
    await until(() => tries >= 2, {what: 'a second try'})
    expect(log.messages('warn')).toHaveLength(1)
    const late = connected(made)
    await broker.restart()
    await late
  })

  it('warns that it is refused, without the password, and goes on trying', async () => {
    const broker = await mosquitto(['allow_anonymous false'])
    const made = connection(broker.url, {username: 'plugs', password: 'hunter2-canary'})
    let tries = 0
    made.on('attempted', () => tries++)
    made.start()
    await until(() => tries >= 2, {what: 'a second try'})
    expect(log.messages('warn').join()).toMatch(/not authori[sz]ed/i)
    expect(log.messages('warn')).toHaveLength(1)
    expect(JSON.stringify(log.lines)).not.toContain('hunter2-canary')
  })

  it('leaves no last will behind when it stops in good order', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    const user = await watch(broker, 'b/#')
    made.delivery.publish(outgoing('b/bridge/state', '{"state":"stopped in good order"}'))
    await made.stop(1000)
    await user.waitFor('b/bridge/state', ({payload}) => payload.includes('good order'))
    expect((await user.retained()).get('b/bridge/state')).toContain('good order')
  })

  it('refuses topics no broker takes, and stays connected', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    for (const topic of [
      '',
      'b/+/x',
      'b/#',
      'b//x',
      '/b',
      'b/',
      'b/\u0000',
      'b/\n',
      `b/${'x'.repeat(70_000)}`,
      'b/\ud800',
    ])
      expect(() => made.delivery.publish(outgoing(topic, 'x')), JSON.stringify(topic.slice(0, 10))).toThrow(
        RangeError,
      )
    const user = await watch(broker, 'b/#')
    made.delivery.publish(outgoing('b/fine', 'x'))
    await user.waitFor('b/fine')
  })

  it('delivers thousands of messages in order, the newest last', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    const user = await watch(broker, 'b/#')
    for (let number = 0; number < 5000; number++)
      made.delivery.publish(outgoing(`b/${number % 100}`, String(number)))
    for (let number = 0; number < 200; number++)
      made.delivery.publish(outgoing('b/answers', String(number), false))
    await user.waitFor('b/answers', ({payload}) => payload === '199')
    expect(user.on('b/answers').map(({payload}) => Number(payload))).toEqual(
      Array.from({length: 200}, (_, n) => n),
    )
    expect((await user.retained()).get('b/99')).toBe('4999')
  })

  it('notices a broker that stands still', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url, {keepalive: 1000})
    made.start()
    await connected(made)
    broker.freeze()
    await until(() => !made.connected, {what: 'the loss of the connection'})
    broker.thaw()
    await connected(made)
  })
})

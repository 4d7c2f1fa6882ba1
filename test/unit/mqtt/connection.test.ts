import {createServer, type Server} from 'node:net'
import {Aedes} from 'aedes'
import {afterEach, describe, expect, it} from 'vitest'
import {systemClock} from '../../../src/clock.ts'
import {Connection, type Incoming} from '../../../src/mqtt/connection.ts'
import type {Message} from '../../../src/mqtt/outbox.ts'
import {type Broker, startMosquitto} from '../../support/mosquitto.ts'
import {Watcher} from '../../support/mqtt-user.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {until} from '../../support/wait.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const log = new RememberingLog()
const will: Message = {topic: 'b/bridge/state', payload: '{"state":"offline"}', retain: true, qos: 1}

function connection(
  url: string,
  options: {version?: 4 | 5; username?: string; password?: string} = {},
): Connection {
  log.lines.length = 0
  const broker = {
    urls: [url],
    clientId: 'test',
    version: options.version ?? 5,
    keepalive: 15_000,
    ...options,
  } as const
  const made = new Connection({
    broker,
    will,
    subscriptions: () => ['b/+/set'],
    clock: systemClock,
    random: Math.random,
    log,
  })
  ends.push(() => made.stop(200))
  return made
}

async function mosquitto(config: string[] = []): Promise<Broker> {
  const broker = await startMosquitto({config})
  ends.push(() => broker.stop())
  return broker
}

async function watch(broker: Broker, ...filters: string[]): Promise<Watcher> {
  const watcher = await Watcher.open(broker, filters)
  ends.push(() => watcher.stop())
  return watcher
}

const connected = (made: Connection) => new Promise<void>((resolve) => made.once('connected', resolve))
const say = (topic: string, payload: string, retain = true): Message => ({topic, payload, retain, qos: 1})

describe('the connection', () => {
  it('speaks MQTT 5, hands on what comes in, and keeps what it publishes retained', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    const came: Incoming[] = []
    made.on('message', (message) => came.push(message))
    made.start()
    await connected(made)
    made.publish(say('b/desk', '{"state":"ON"}'))
    const user = await watch(broker, 'b/#')
    await user.waitFor('b/desk', ({payload}) => payload === '{"state":"ON"}')
    await user.publish('b/desk/set', 'ON', {
      properties: {responseTopic: 'me', correlationData: Buffer.from('x'), messageExpiryInterval: 3},
    })
    await until(() => came.length > 0, {what: 'the message'})
    expect(came[0]).toMatchObject({
      topic: 'b/desk/set',
      retained: false,
      responseTopic: 'me',
      expiresIn: 3000,
    })
    expect(String(came[0]?.correlationData)).toBe('x')
  })

  it('falls back to MQTT 3.1.1 at once when the broker speaks no 5', async () => {
    const aedes = await Aedes.createBroker()
    const server: Server = createServer(aedes.handle)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(async () => {
      await new Promise<void>((resolve) => aedes.close(resolve))
      server.close()
    })
    const address = server.address()
    const made = connection(`mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`)
    made.start()
    await connected(made)
    expect(log.said('info')).toEqual([expect.stringContaining('connected')])
    expect(log.said('warn')).toEqual([])
  })

  it('comes back to a broker that was killed, and says so once', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    await broker.kill()
    await until(() => !made.connected, {what: 'the loss of the connection'})
    const again = connected(made)
    await broker.restart()
    await again
    expect(log.said('warn').filter((line) => line.includes('lost'))).toHaveLength(1)
  })

  it('waits for a broker that is not there yet, and tells why once', async () => {
    const broker = await mosquitto()
    await broker.kill()
    const made = connection(broker.url)
    let tries = 0
    made.on('tried', () => tries++)
    made.start()
    await until(() => tries >= 2, {what: 'a second try'})
    expect(log.said('warn')).toHaveLength(1)
    const late = connected(made)
    await broker.restart()
    await late
  })

  it('says that it is refused, without the password, and goes on trying', async () => {
    const broker = await mosquitto(['allow_anonymous false'])
    const made = connection(broker.url, {username: 'plugs', password: 'hunter2-canary'})
    let tries = 0
    made.on('tried', () => tries++)
    made.start()
    await until(() => tries >= 2, {what: 'a second try'})
    expect(log.said('warn').join()).toMatch(/not authori[sz]ed/i)
    expect(log.said('warn')).toHaveLength(1)
    expect(JSON.stringify(log.lines)).not.toContain('hunter2-canary')
  })

  it('lets the broker say offline when the process dies, and nothing when it stops in good order', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    const user = await watch(broker, 'b/#')
    made.publish(say('b/bridge/state', '{"state":"gone in good order"}'))
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
      expect(() => made.publish(say(topic, 'x')), JSON.stringify(topic.slice(0, 10))).toThrow(RangeError)
    const user = await watch(broker, 'b/#')
    made.publish(say('b/fine', 'x'))
    await user.waitFor('b/fine')
  })

  it('delivers thousands of messages in order, the newest last', async () => {
    const broker = await mosquitto()
    const made = connection(broker.url)
    made.start()
    await connected(made)
    const user = await watch(broker, 'b/#')
    for (let number = 0; number < 5000; number++) made.publish(say(`b/${number % 100}`, String(number)))
    for (let number = 0; number < 200; number++) made.publish(say('b/answers', String(number), false))
    await user.waitFor('b/answers', ({payload}) => payload === '199')
    expect(user.on('b/answers').map(({payload}) => Number(payload))).toEqual(
      Array.from({length: 200}, (_, n) => n),
    )
    expect((await user.retained()).get('b/99')).toBe('4999')
  })

  it('notices a broker that froze', async () => {
    const broker = await mosquitto()
    const made = new Connection({
      broker: {urls: [broker.url], clientId: 'test', version: 5, keepalive: 1000},
      will,
      subscriptions: () => ['b/+/set'],
      clock: systemClock,
      random: Math.random,
      log,
    })
    ends.push(() => made.stop(200))
    made.start()
    await connected(made)
    broker.freeze()
    await until(() => !made.connected, {what: 'the loss of the connection'})
    broker.thaw()
    await connected(made)
  })
})

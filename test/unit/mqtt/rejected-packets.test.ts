import {describe, expect, it} from 'vitest'
import {RefusalParser} from '../../../src/mqtt/refusal-parser.ts'
import {
  type BrokerConnection,
  CONNECT,
  connack,
  filtersIn,
  idOf,
  PUBLISH,
  publishTo,
  ScriptedBroker,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from '../../support/scripted-broker.ts'
import {connected, message, testConnection, warnings} from '../../support/test-connection.ts'
import {seeded} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'

const topicOf = (body: Buffer) => body.toString('utf8', 2, 2 + body.readUInt16BE(0))
const command = (line: BrokerConnection, text: string) => publishTo(line, 'b/desk/set', text)

/** As mosquitto does; with a reason string, and without. */
const refusal = (id: Buffer, code: number, why = '') => {
  if (why === '') return Buffer.concat([Buffer.of(0x40, 3), id, Buffer.of(code)])
  const text = Buffer.from(why)
  return Buffer.concat([
    Buffer.of(0x40, 7 + text.length),
    id,
    Buffer.of(code, 3 + text.length, 0x1f, 0, text.length),
    text,
  ])
}

describe('a message that the broker refuses', () => {
  it.each([
    [0x95, 'Packet too large'],
    [0x87, 'Not authorized'],
    [0x82, 'Protocol Error'],
    [0x9a, 'Retain not supported'],
    [0xf3, 'reason code 243'],
  ])(
    'for reason %i is named with it once; the commands that come in the same packet are received',
    async (code, words) => {
      const broker = await ScriptedBroker.start((packet, line) => {
        if (packet.type !== PUBLISH || !topicOf(packet.body).startsWith('b/large')) return false
        line.send(command(line, 'before'), refusal(idOf(packet), code, 'because'), command(line, 'after'))
        return true
      })
      const {connection, log, received} = testConnection(broker.url)
      connection.start()
      await connected(connection)
      connection.delivery.publish(message('b/large/1', 'x'))
      await until(() => received.length === 2, {what: 'both commands'})
      // More than may be unacknowledged at any time: each refusal frees its place.
      for (let number = 2; number <= 150; number++)
        connection.delivery.publish(message(`b/large/${number}`, 'x'))
      await until(() => connection.counters.failed === 150 && warnings(log).length > 0, {
        what: 'all refusals',
      })
      expect(received.slice(0, 2)).toEqual(['b/desk/set before', 'b/desk/set after'])
      expect(warnings(log)).toEqual([
        expect.stringMatching(new RegExp(`did not accept b/large/1.*: ${words}`)),
      ])
      expect(connection.counters).toMatchObject({connects: 1, published: 150})
      expect(connection.connected).toBe(true)
    },
  )
})

describe('subscriptions that the broker refuses', () => {
  it.each([
    [0x97, /the broker denies \(Quota exceeded\) subscribing to b\/\+\/set:/],
    [0x95, /the broker denies \(Packet too large .*\) subscribing to b\/\+\/set:/],
    [0x87, /access list of the broker denies subscribing to b\/\+\/set:/],
  ])('for reason %i are named with it, and the others are used', async (code, words) => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== SUBSCRIBE) return false
      line.send(0x90, 5, idOf(packet), 0, code, 1, command(line, 'ON'))
      return true
    })
    const {connection, log, received} = testConnection(broker.url)
    connection.start()
    await until(() => received.length > 0, {what: 'the command'})
    expect(warnings(log)).toEqual([expect.stringMatching(words)])
  })

  it('are named also in MQTT 3.1.1 with a code that MQTT 3.1.1 does not define', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== SUBSCRIBE) return false
      line.send(0x90, 4, idOf(packet), 0x87, 1)
      return true
    })
    const {connection, log} = testConnection(broker.url, {broker: {version: 4}})
    connection.start()
    await connected(connection)
    expect(warnings(log)).toEqual([expect.stringMatching(/access list .* b\/\+\/set:/)])
  })

  it('are removed although the broker refuses the UNSUBSCRIBE with a code of its own', async () => {
    let filters = ['b/one', 'b/two']
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== UNSUBSCRIBE) return false
      expect(filtersIn(packet, line.version)).toEqual(['b/two'])
      line.send(0xb0, 4, idOf(packet), 0, 0xee, command(line, 'ON'))
      return true
    })
    const {connection, received} = testConnection(broker.url, {commands: () => filters})
    connection.start()
    await connected(connection)
    filters = ['b/one']
    await connection.resubscribe()
    await until(() => received.length > 0, {what: 'the command'})
    expect(connection.counters.connects).toBe(1)
  })
})

describe('a connection that ends with a reason', () => {
  it.each([
    [Buffer.of(0xe0, 2, 0x95, 0), 'Packet too large'],
    [Buffer.of(0xe0, 1, 0x8b), 'Server shutting down'],
    [Buffer.of(0xe0, 2, 0xee, 0), 'reason code 238'],
  ])('of the broker has them in the log', async (bytes, words) => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type === PUBLISH) line.socket.end(bytes)
      return packet.type === PUBLISH
    })
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    connection.delivery.publish(message('b/x', 'x'))
    await until(() => warnings(log).length > 0, {what: 'the warning'})
    expect(warnings(log)).toEqual([
      `lost the connection to ${broker.url}: ${words}${words.startsWith('reason') ? ', which is not defined in MQTT' : ''}`,
    ])
  })

  it('while subscribing is a lost connection, and no denied filter', async () => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== SUBSCRIBE || line.number > 1) return false
      line.socket.destroy()
      return true
    })
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await connected(connection)
    expect(warnings(log)).toEqual([`lost the connection to ${broker.url}`])
  })

  it.each([
    [99, 'reason code 99, which is not defined in MQTT'],
    [0x89, 'Server busy'],
  ])('is refused with code %i in words', async (code, words) => {
    const broker = await ScriptedBroker.start((packet, line) => {
      if (packet.type !== CONNECT) return false
      line.send(connack(line, code))
      return true
    })
    const {connection, log} = testConnection(broker.url)
    connection.start()
    await until(() => warnings(log).length > 0, {what: 'the warning'})
    expect(warnings(log)).toEqual([`cannot use the broker ${broker.url}: ${words}`])
  })
})

describe('an unreadable packet', () => {
  const unreadable: [string, Buffer][] = [
    ['a PUBACK with flags', Buffer.of(0x41, 2, 0, 1)],
    ['a PUBLISH whose topic is longer than it', Buffer.of(0x30, 3, 0xff, 0xff, 0)],
    ['a length of five bytes', Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 1)],
    ['a property that does not exist', Buffer.of(0x30, 6, 0, 1, 0x61, 2, 0x7f, 1)],
    ['a packet of type 0', Buffer.of(0x00, 0)],
  ]
  it.each(unreadable)(
    'ends the connection at once, and the next one receives everything: %s',
    async (_what, bytes) => {
      const broker = await ScriptedBroker.start((packet, line) => {
        if (packet.type === PUBLISH && line.number === 1) line.send(bytes, command(line, 'lost with it'))
        return packet.type === PUBLISH && line.number === 1
      })
      const {connection, log, received} = testConnection(broker.url)
      const happened: string[] = []
      connection.on('disconnected', () => happened.push('disconnected'))
      connection.on('connected', () => happened.push('connected'))
      connection.start()
      await connected(connection)
      connection.delivery.publish(message('b/x', 'x'))
      await connected(connection)
      expect(happened).toEqual(['connected', 'disconnected', 'connected'])
      expect(warnings(log)).toEqual([expect.stringMatching(/^lost the connection to .*: \S/)])
      expect(received).toEqual([])
    },
  )

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'of random bytes ends nothing but its connection (seed %i)',
    async (seed) => {
      const random = seeded(seed)
      const types = [0x20, 0x30, 0x32, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0, 0xe0, 0xf0]
      const noise = () => {
        const body = Buffer.from(
          Array.from({length: Math.floor(random() * 12)}, () => Math.floor(random() * 256)),
        )
        return Buffer.concat([Buffer.of(types[Math.floor(random() * types.length)] ?? 0, body.length), body])
      }
      const broker = await ScriptedBroker.start((packet, line) => {
        if (packet.type === SUBSCRIBE && line.number === 1) {
          setImmediate(() => {
            for (let count = 0; count < 40; count++) line.send(noise())
            line.socket.end()
          })
        }
        return false
      })
      const {connection} = testConnection(broker.url)
      connection.start()
      await until(() => broker.versions.length > 1 && connection.connected, {
        within: 30_000,
        what: 'a good connection',
      })
    },
  )
})

describe('the parser of refusals', () => {
  const codes = (version: 5 | 4, ...bytes: Buffer[]) => {
    const parser = new RefusalParser(version)
    for (const chunk of bytes) parser.read(chunk)
    return parser
  }

  it('finds a refusal wherever the stream is cut', () => {
    const stream = Buffer.concat([
      Buffer.of(0x30, 0x80, 0x02),
      Buffer.alloc(256, 0x40), // a PUBLISH full of what looks like PUBACKs
      Buffer.of(0xd0, 0),
      refusal(Buffer.of(0x12, 0x34), 0x95, 'too large'),
      Buffer.of(0x90, 7, 0, 9, 1, 0x1f, 1, 0x97, 0x91),
    ])
    for (let cut = 1; cut < stream.length; cut++) {
      const copy = Buffer.from(stream)
      const parser = codes(5, copy.subarray(0, cut), copy.subarray(cut))
      expect(parser.take(0x1234), `cut at ${cut}`).toEqual([0x95])
      expect(parser.take(0x1234)).toEqual([])
      expect(copy.subarray(261, 266)).toEqual(Buffer.of(0x40, 16, 0x12, 0x34, 0x80))
    }
  })

  it('leaves everything else as it is', () => {
    const stream = Buffer.concat([
      Buffer.of(0x20, 3, 0, 0x87, 0), // CONNACK
      Buffer.of(0x40, 2, 0xff, 0xff),
      Buffer.of(0x40, 4, 0, 1, 0x10, 0),
      Buffer.of(0x90, 12, 0, 2, 8, 0x26, 0, 1, 0xff, 0, 2, 0xff, 0xff, 1),
      Buffer.of(0x30, 5, 0, 1, 0xc3, 0, 0xff),
    ])
    const copy = Buffer.from(stream)
    const parser = codes(5, copy)
    expect(copy).toEqual(stream)
    expect([parser.take(1), parser.take(2), parser.take(undefined), parser.disconnectReason]).toEqual([
      [],
      [],
      [],
      undefined,
    ])
  })

  it('expects no properties in MQTT 3.1.1', () => {
    const copy = Buffer.of(0x90, 5, 0, 3, 1, 0x87, 0x80)
    expect(codes(4, copy).take(3)).toEqual([0x87, 0x80])
    expect(copy).toEqual(Buffer.of(0x90, 5, 0, 3, 1, 0x80, 0x80))
  })
})

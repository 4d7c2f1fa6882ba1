import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {MiioClient} from '../../../src/miio/client.ts'
import {parseResponse, UnreadableResponse} from '../../../src/miio/json-repair.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'
import {Cipher, MalformedPacket, parsePacket} from '../../../src/miio/packet.ts'
import {MemoryNetwork, MemoryPlug} from '../../support/memory-network.ts'
import {checkProperty} from '../../support/seeds.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {BAD_PACKETS, DID, RESPONSES, TOKEN} from './vectors.ts'

const RUNS = {numRuns: 100}
const cipher = new Cipher(TOKEN)

/** Almost JSON: its own bits and pieces, in any order. */
const jsonish = fc
  .array(
    fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '\\"',
        '\0',
        '\x01',
        ' ',
        '\n',
        '\\u00',
        '00',
        '-',
        '1e999',
      ],
      ...['"id"', '"result"', '"error"', '"code"', '"a"', '"__proto__"', '1', '-9999', 'nan', 'null', 'true'],
      ...['{"id":1,', '"result":[', ']}', '"on"', '\u00ff'],
    ),
    {maxLength: 60},
  )
  .map((pieces) => Buffer.from(pieces.join(''), 'latin1'))

/** A packet with some of its bytes changed, its end cut off, or something appended. */
const damaged = fc
  .tuple(
    fc.constantFrom(...[...RESPONSES, ...BAD_PACKETS].map(({hex}) => hex)),
    fc.array(fc.tuple(fc.nat(40), fc.nat(255)), {maxLength: 3}),
    fc.uint8Array({maxLength: 3}),
    fc.nat(100),
  )
  .map(([hex, changes, tail, length]) => {
    const packet = Buffer.from(hex, 'hex')
    for (const [at, byte] of changes) if (at < packet.length) packet[at] = byte
    return Buffer.concat([length < 50 ? packet.subarray(0, length) : packet, tail])
  })

const datagram = fc.oneof(
  damaged,
  fc.uint8Array({maxLength: 200}).map((bytes) => Buffer.from(bytes)),
  jsonish.map((payload) => cipher.seal(DID, 1000, payload)),
)

describe('whatever comes', () => {
  test('a datagram is a packet or a MalformedPacket', () => {
    checkProperty(
      fc.property(datagram, (bytes) => {
        expectOnly(MalformedPacket, () => {
          const packet = parsePacket(bytes)
          if (packet.kind === 'message') cipher.open(packet)
        })
      }),
      RUNS,
    )
  })

  test('a payload is a reply or an UnreadableResponse', () => {
    checkProperty(
      fc.property(
        fc.oneof(
          jsonish,
          fc.uint8Array({maxLength: 100}).map((bytes) => Buffer.from(bytes)),
        ),
        (payload) => {
          expectOnly(UnreadableResponse, () => {
            const {response} = parseResponse(payload)
            expect(response.id === undefined || Number.isSafeInteger(response.id)).toBe(true)
            expect('result' in response !== 'error' in response).toBe(true)
          })
        },
      ),
      RUNS,
    )
  })

  test('proper JSON is never repaired', () => {
    const reply = fc.record({id: fc.nat(), result: fc.jsonValue({noUnicodeString: false, maxDepth: 5})})
    checkProperty(
      fc.property(reply, (sent) => {
        const text = JSON.stringify(sent)
        fc.pre(!text.includes('__proto__'))
        expect(parseResponse(Buffer.from(`${text}\0`))).toEqual({response: JSON.parse(text), repairs: []})
      }),
      RUNS,
    )
  })

  test('empty slots never move the full ones', () => {
    const slots = fc.array(fc.option(fc.oneof(fc.integer(), fc.boolean(), fc.string())), {minLength: 2})
    checkProperty(
      fc.property(slots, (values) => {
        const printed = values.map((value) => (value === null ? '' : JSON.stringify(value))).join(',')
        const {response} = parseResponse(Buffer.from(`{"result":[${printed}],"id":1}\0`))
        expect(response.result).toEqual(values)
      }),
      RUNS,
    )
  })

  test('a call ends with a response or a MiioError, and leaves no timer', async () => {
    await checkProperty(
      fc.asyncProperty(
        fc.array(datagram, {maxLength: 5}),
        fc.boolean(),
        async (datagrams, repliesToHello) => {
          const clock = new VirtualClock()
          const network = new MemoryNetwork(clock)
          const at = {host: '192.168.1.40', port: 54321}
          const plug = new MemoryPlug(network, clock, {did: DID, token: TOKEN, at})
          plug.answer = () => datagrams
          if (!repliesToHello) plug.replyToHello = () => datagrams
          const client = new MiioClient({
            socket: network,
            clock,
            random: seeded(1),
            token: TOKEN,
            host: at.host,
          })
          const ended = client.call('get_prop', ['power'], {tries: 2}).catch((error: unknown) => error)
          await clock.advance(5000)
          expect(await ended).toBeInstanceOf(MiioError)
          expect(clock.pending).toBe(0)
          client.close()
        },
      ),
      {numRuns: 100},
    )
  })
})

function expectOnly(kind: new (message: string) => Error, run: () => void): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof kind)) throw error
  }
}

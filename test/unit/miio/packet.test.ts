import {describe, expect, test} from 'vitest'
import {
  ChecksumMismatch,
  Cipher,
  HELLO,
  helloReply,
  MalformedPacket,
  nak,
  type Packet,
  parsePacket,
} from '../../../src/miio/packet.ts'
import {BAD_PACKETS, DID, HANDSHAKE, HELLO_STAMP, REQUESTS, RESPONSES, STAMP, TOKEN} from './vectors.ts'

const cipher = new Cipher(TOKEN)

describe('hello', () => {
  test('is the packet to which every plug replies', () => {
    expect(HELLO.toString('hex')).toBe(HANDSHAKE.hello)
    expect(parse(HANDSHAKE.hello)).toEqual({kind: 'hello'})
  })

  test.each([HANDSHAKE.replyFf, HANDSHAKE.reply00])(
    'is answered with id and clock, the token hidden: %s',
    (hex) => {
      const reply = {kind: 'hello_reply', did: DID, stamp: HELLO_STAMP, revealsToken: false}
      expect(parse(hex)).toEqual(reply)
    },
  )

  test('gets the token from a plug that is not set up', () => {
    expect(parse(HANDSHAKE.replyRevealingToken)).toMatchObject({kind: 'hello_reply', revealsToken: true})
  })

  test('gets from our own plugs the bytes of a real one', () => {
    expect(helloReply(DID, HELLO_STAMP).toString('hex')).toBe(HANDSHAKE.replyFf)
  })

  test('is not mistaken for another client’s probe', () => {
    expect(() => parse(HANDSHAKE.mdidProbe)).toThrow(MalformedPacket)
  })
})

test('a "checksum wrong" repeats the head of the request', () => {
  const request = Buffer.from(vector('REQ-get_prop').hex, 'hex')
  expect(nak(request).toString('hex')).toBe(HANDSHAKE.nak)
  expect(parse(HANDSHAKE.nak)).toEqual({kind: 'nak', did: DID, stamp: STAMP, requestLength: 112})
})

test.each(REQUESTS)('$name is sealed byte for byte', ({plain, hex, did = DID, stamp = STAMP}) => {
  expect(cipher.seal(did, stamp, bytes(plain)).toString('hex')).toBe(hex)
})

test.each([...REQUESTS, ...RESPONSES])('$name is opened', ({plain, hex}) => {
  expect(cipher.open(message(hex)).toString('latin1')).toBe(plain)
})

test('a device id of more than 32 bits is read in full', () => {
  expect(message(vector('EX-did64').hex).did).toBe(5_000_000_001)
})

describe('malformed packets', () => {
  test.each(BAD_PACKETS.filter(({outcome}) => outcome === 'shape'))('$name is refused: $why', ({hex}) => {
    const open = () => cipher.open(message(hex))
    expect(open).toThrow(MalformedPacket)
    expect(open).not.toThrow(ChecksumMismatch)
  })

  test.each(BAD_PACKETS.filter(({outcome}) => outcome === 'checksum'))('$name is refused: $why', ({hex}) => {
    const packet = message(hex)
    expect(() => cipher.open(packet)).toThrow(ChecksumMismatch)
  })

  test.each(BAD_PACKETS.filter(({outcome}) => outcome === 'nak'))('$name: $why', ({hex}) => {
    expect(parse(hex).kind).toBe('nak')
  })

  test.each(BAD_PACKETS.filter(({outcome}) => outcome === 'accepted'))('$name is opened: $why', ({hex}) => {
    expect(cipher.open(message(hex)).toString()).toBe('{"result":["ok"],"id":3}\0')
  })
})

test('a token has 16 bytes', () => {
  expect(() => new Cipher(Buffer.alloc(15))).toThrow(RangeError)
})

function parse(hex: string): Packet {
  return parsePacket(Buffer.from(hex, 'hex'))
}

function message(hex: string): Packet & {kind: 'message'} {
  const packet = parse(hex)
  if (packet.kind !== 'message') throw new Error(`expected a message, got a ${packet.kind}`)
  return packet
}

function vector(name: string) {
  const found = REQUESTS.find((request) => request.name === name)
  if (!found) throw new Error(`no vector ${name}`)
  return found
}

function bytes(plain: string): Buffer {
  return Buffer.from(plain, 'latin1')
}

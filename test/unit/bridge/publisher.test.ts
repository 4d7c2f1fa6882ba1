import {describe, expect, it} from 'vitest'
import {SecretFilter} from '../../../src/bridge/publisher.ts'
import {Redactor} from '../../../src/common/redact.ts'
import type {OutgoingMessage} from '../../../src/mqtt/outgoing-message.ts'

const TOKEN = 'c0ffee11d00dfeed5afe0badcab1e5a7'
const PASSWORD = 'Sesame, öffne "dich"\\'

function published(message: Partial<OutgoingMessage>, spared = '', ...passwords: string[]): OutgoingMessage {
  const redactor = new Redactor()
  for (const secret of [TOKEN, PASSWORD, ...passwords]) redactor.add(secret)
  redactor.spare(() => spared)
  const sent: OutgoingMessage[] = []
  const scrubbing = new SecretFilter({publish: (each) => sent.push(each)}, (text) =>
    redactor.scrubMessage(text),
  )
  scrubbing.publish({topic: 'b/x', payload: '', retain: false, qos: 1, ...message})
  return sent[0] ?? expect.fail('nothing was sent')
}

describe('every message', () => {
  it.each([
    ['as it is', TOKEN],
    ['in capitals', TOKEN.toUpperCase()],
    ['in base64', Buffer.from(TOKEN, 'hex').toString('base64')],
    ['in base64url', Buffer.from(TOKEN, 'hex').toString('base64url')],
    ['as text in base64', Buffer.from(TOKEN).toString('base64')],
    ['as a dump', TOKEN.replace(/(..)(?!$)/g, '$1:')],
    ['as the hex of its text', Buffer.from(TOKEN).toString('hex')],
    ['a password', PASSWORD],
    ['a password in a URL', encodeURIComponent(PASSWORD)],
  ])('is published without a secret: %s', (_, spelling) => {
    const {payload} = published({payload: JSON.stringify({any: [`<${spelling}>`], [spelling]: 1})})
    expect(JSON.parse(payload.replaceAll('=', ''))).toEqual({any: ['<***>'], '***': 1})
  })

  it('has no secret in its topic', () => {
    expect(published({topic: `b/bridge/response/${TOKEN}`}).topic).toBe('b/bridge/response/***')
  })

  it('is passed on unchanged, as the same object, when it has no secret', () => {
    const message: OutgoingMessage = {
      topic: 'b/x',
      payload: '{"state":"ON"}',
      retain: true,
      qos: 1,
      correlationData: Buffer.from([0, 255]),
    }
    const sent: OutgoingMessage[] = []
    new SecretFilter({publish: (each) => sent.push(each)}, (text) => text).publish(message)
    expect(sent[0]).toBe(message)
  })

  it.each([
    ['as text', Buffer.from(`x${TOKEN}`)],
    ['as bytes', Buffer.concat([Buffer.from([1]), Buffer.from(TOKEN, 'hex')])],
    ['a password', Buffer.from(PASSWORD)],
  ])(
    'is published without correlation data that holds a secret %s: a part of it would be of no use',
    (_, correlationData) => {
      const sent = published({payload: 'x', correlationData})
      expect(sent.payload).toBe('x')
      expect(sent.correlationData).toBeUndefined()
    },
  )

  it('has correlation data byte for byte otherwise', () => {
    const correlationData = Buffer.from([0xff, 0, 0x80])
    expect(published({correlationData}).correlationData).toEqual(correlationData)
  })

  it.each(['temperature', 'miio2mqtt', 'Kitchen lamp', '2300', 'ON'])(
    'is whole although a password is a word of messages, or of the configuration: %s',
    (password) => {
      const payload = JSON.stringify({
        temperature: 23,
        topic: 'miio2mqtt/Kitchen lamp',
        state: 'ON',
        power: 2300,
      })
      expect(published({payload}, '{"base":"miio2mqtt","names":["Kitchen lamp"]}', password).payload).toBe(
        payload,
      )
    },
  )

  it('has no password in it that is more than a word', () => {
    for (const password of ['s3cret', 'hunter2', 'Passwort', 'geheim!', '1234567890123456'])
      expect(published({payload: `"<${password}>"`}, '', password).payload).toBe('"<***>"')
  })
})

describe('ten thousand tokens', () => {
  it('are each found in a message, and nothing else is', () => {
    const redactor = new Redactor()
    const tokens = Array.from({length: 10_000}, (_, at) =>
      (at * 7919 + 1).toString(16).padStart(32, `${at % 10}a`),
    )
    for (const token of tokens) redactor.add(token)
    expect(redactor.scrubMessage(JSON.stringify(tokens))).toBe(JSON.stringify(tokens.map(() => '***')))
    const known = new Set(tokens)
    const others = tokens
      .map((token) => token.replace(/.$/, (digit) => (digit === 'e' ? 'f' : 'e')))
      .filter((each) => !known.has(each))
    expect(redactor.scrubMessage(JSON.stringify(others))).toBe(JSON.stringify(others))
  })
})

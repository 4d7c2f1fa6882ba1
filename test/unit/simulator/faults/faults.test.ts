import {describe, expect, it} from 'vitest'
import {faultTable, InvalidFault, parseFaults} from '../../../../src/cli/fault-options.ts'
import {drawFault, drawHelloFault} from '../../../../src/simulator/faults/faults.ts'
import {anyGarbage, garbageDatagram} from '../../../../src/simulator/faults/garbage.ts'
import {seeded} from '../../../support/virtual-clock.ts'

describe('faults as people write them', () => {
  it.each([
    ['loss=0.2', {loss: 0.2}],
    ['lose_replies=1', {loseReplies: 1}],
    ['delay=500ms', {delay: {fromMs: 500, toMs: 500}}],
    ['delay=100ms..3s', {delay: {fromMs: 100, toMs: 3000}}],
    ['delay=1.5', {delay: {fromMs: 1500, toMs: 1500}}],
    ['late_replies', {lateReplies: 0.2}],
    ['late_replies=0.5', {lateReplies: 0.5}],
    ['duplicate=0.1', {duplicate: 0.1}],
    ['garbage=0.3', {garbage: 0.3}],
    ['wrong_id=0.1', {wrongId: 0.1}],
    ['error=-9999', {error: {code: -9999, share: 1}}],
    ['error=-9999:0.3', {error: {code: -9999, share: 0.3}}],
    ['wrong_token', {wrongToken: 'nak'}],
    ['wrong_token=silent', {wrongToken: 'silent'}],
    ['silence', {silence: true}],
    ['reboot=60s', {rebootEveryMs: 60_000}],
    ['address_change=2m', {addressChangeEveryMs: 120_000}],
    ['killer=led', {killers: {led: 'silence'}}],
    ['killer=led,usb:-30001', {killers: {led: -30001, usb: -30001}}],
    ['item_code=led:-4003', {codes: {led: -4003}}],
    ['batch=4', {batch: {most: 4, failure: 'silence'}}],
    ['batch=4:-9999', {batch: {most: 4, failure: -9999}}],
    ['answers_only=1', {answersOnly: 1}],
    ['cut=231', {cutAt: 231}],
    ['missing_comma', {missingComma: true}],
    ['empty_slots', {emptySlots: true}],
    ['tail=none', {tail: 'none'}],
    ['switching=number', {switching: 'number'}],
    ['over_poll', {overPolled: {most: 20, withinMs: 30_000}}],
    ['over_poll=5/1m', {overPolled: {most: 5, withinMs: 60_000}}],
  ])('%s', (text, faults) => {
    expect(parseFaults([text])).toEqual(faults)
  })

  it('several add up', () => {
    expect(parseFaults(['loss=0.1', 'silence', 'loss=0.4'])).toEqual({loss: 0.4, silence: true})
    expect(parseFaults([])).toEqual({})
  })

  it('an unknown one is an error that lists those there are', () => {
    expect(() => parseFaults(['lag=3'])).toThrow(
      /unknown fault "lag".*loss=0\.2.*wrong_token=silent.*reboot=60s/,
    )
    expect(() => parseFaults(['constructor'])).toThrow(InvalidFault)
  })

  it.each([
    ['loss=2', 'fault loss: expected a share from 0 to 1, got "2", as in loss=0.2'],
    ['loss=', 'fault loss: expected a share from 0 to 1, got "", as in loss=0.2'],
    ['delay', 'expected a duration such as 500ms, 15s or 2m, got ""'],
    ['delay=3s..1s', 'expected the shorter duration first, got "3s..1s"'],
    ['reboot=0', 'expected a duration above zero, got "0"'],
    ['error=often', `expected the plug's error code, got "often"`],
    ['wrong_token=maybe', 'expected nak or silent, got "maybe"'],
    ['silence=yes', 'expected no value, got "yes"'],
    ['killer', 'expected properties, got ""'],
    ['killer=led:-1', 'expected silence, -9999 or -30001, got "-1"'],
    ['item_code=led', `expected the plug's error code, got ""`],
    ['batch=0', 'expected a number above zero, got "0"'],
    ['cut=much', 'expected a number above zero, got "much"'],
    ['tail=long', 'expected text, nuls or none, got "long"'],
    ['switching=yes', 'expected boolean, text or number, got "yes"'],
    ['over_poll=20', 'expected a duration'],
    ['missing_comma=2', 'expected no value, got "2"'],
  ])('%s says what was expected', (text, message) => {
    expect(() => parseFaults([text])).toThrow(message)
  })

  it('every example in the help is itself accepted', () => {
    for (const [name, {example}] of faultTable) {
      expect(example.split('=')[0]).toBe(name)
      expect(parseFaults([example])).not.toEqual({})
    }
  })
})

describe('chance', () => {
  it('strikes as often as it was told to', () => {
    const random = seeded(1)
    const drawn = Array.from({length: 2000}, () => drawFault({loss: 0.2, garbage: 0.5}, random))
    expect(drawn.filter((mishap) => mishap.loseRequest).length / 2000).toBeCloseTo(0.2, 1)
    expect(drawn.filter((mishap) => mishap.garble).length / 2000).toBeCloseTo(0.5, 1)
    expect(drawn.some((mishap) => mishap.loseReply || mishap.refuse || mishap.delayMs)).toBe(false)
  })

  it('a delay lies within its range', () => {
    const random = seeded(2)
    for (let draws = 0; draws < 100; draws++) {
      const {delayMs} = drawFault({delay: {fromMs: 100, toMs: 300}}, random)
      expect(delayMs).toBeGreaterThanOrEqual(100)
      expect(delayMs).toBeLessThan(300)
    }
  })

  it('a hello can be lost, but neither refused nor garbled', () => {
    const mishap = drawHelloFault({loss: 1, garbage: 1, error: {code: -9999, share: 1}}, seeded(3))
    expect(mishap).toEqual({loseRequest: true})
  })

  it('a refusal says what real firmware says with that code', () => {
    const {refuse} = drawFault({error: {code: -9999, share: 1}}, seeded(4))
    expect(refuse).toEqual({code: -9999, message: 'user ack timeout'})
  })
})

describe('garbage', () => {
  const plain = (payload: string) => Buffer.from(`${'.'.repeat(32)}${payload}`)
  const payloadOf = (packet: Buffer) => packet.toString().slice(32)
  const reply = '{"id":3,"result":["on",true,32,"on"]}'

  it('leaves the commas between values left out', () => {
    expect(payloadOf(garbageDatagram('empty_slots', reply, 3, plain, seeded(1)))).toBe(
      '{"id":3,"result":[,,,]}',
    )
    expect(payloadOf(garbageDatagram('empty_slots', '{"id":3,"result":["ok"]}', 3, plain, seeded(1)))).toBe(
      '{"id":3,"result":[,]}',
    )
  })

  it('cuts JSON in the middle', () => {
    expect(payloadOf(garbageDatagram('truncated_json', reply, 3, plain, seeded(1)))).toBe(
      '{"id":3,"result":["',
    )
  })

  it('changes one bit of the checksum', () => {
    const spoilt = garbageDatagram('bad_checksum', reply, 3, plain, seeded(1))
    expect(spoilt.equals(plain(reply))).toBe(false)
    expect(payloadOf(spoilt)).toBe(reply)
  })

  it('a scripted payload carries the id that was asked with', () => {
    const garbage = {payload: '{"id":$id,"result":["on",,32]}'}
    expect(payloadOf(garbageDatagram(garbage, reply, 42, plain, seeded(1)))).toBe(
      '{"id":42,"result":["on",,32]}',
    )
  })

  it('all kinds turn up', () => {
    const random = seeded(5)
    expect(new Set(Array.from({length: 100}, () => anyGarbage(random))).size).toBe(5)
  })
})

import {describe, expect, it} from 'vitest'
import {anyGarbage, drawFault, garbageDatagram} from '../../../src/simulator/faults.ts'
import {seeded} from '../../support/virtual-clock.ts'

describe('faults drawn by chance', () => {
  it('occur as often as their share', () => {
    const random = seeded(1)
    const drawn = Array.from({length: 2000}, () => drawFault({loss: 0.2, garbage: 0.5}, random))
    expect(drawn.filter((fault) => fault.loseRequest).length / 2000).toBeCloseTo(0.2, 1)
    expect(drawn.filter((fault) => fault.garble).length / 2000).toBeCloseTo(0.5, 1)
    expect(drawn.some((fault) => fault.loseResponse || fault.refuse || fault.delayMs)).toBe(false)
  })

  it('have a delay within its range', () => {
    const random = seeded(2)
    for (let draws = 0; draws < 100; draws++) {
      const {delayMs} = drawFault({delay: {fromMs: 100, toMs: 300}}, random)
      expect(delayMs).toBeGreaterThanOrEqual(100)
      expect(delayMs).toBeLessThan(300)
    }
  })

  it('a refusal has the message of real firmware for that code', () => {
    const {refuse} = drawFault({error: {code: -9999, share: 1}}, seeded(4))
    expect(refuse).toEqual({code: -9999, message: 'user ack timeout'})
  })
})

describe('garbage', () => {
  const plain = (payload: string) => Buffer.from(`${'.'.repeat(32)}${payload}`)
  const payloadOf = (packet: Buffer) => packet.toString().slice(32)
  const response = '{"id":3,"result":["on",true,32,"on"]}'

  it('leaves the commas between values left out', () => {
    expect(payloadOf(garbageDatagram('empty_slots', response, 3, plain, seeded(1)))).toBe(
      '{"id":3,"result":[,,,]}',
    )
    expect(payloadOf(garbageDatagram('empty_slots', '{"id":3,"result":["ok"]}', 3, plain, seeded(1)))).toBe(
      '{"id":3,"result":[,]}',
    )
  })

  it('cuts JSON in the middle', () => {
    expect(payloadOf(garbageDatagram('truncated_json', response, 3, plain, seeded(1)))).toBe(
      '{"id":3,"result":["',
    )
  })

  it('changes one bit of the checksum', () => {
    const spoilt = garbageDatagram('bad_checksum', response, 3, plain, seeded(1))
    expect(spoilt.equals(plain(response))).toBe(false)
    expect(payloadOf(spoilt)).toBe(response)
  })

  it('a scripted payload carries the id of the request', () => {
    const garbage = {payload: '{"id":$id,"result":["on",,32]}'}
    expect(payloadOf(garbageDatagram(garbage, response, 42, plain, seeded(1)))).toBe(
      '{"id":42,"result":["on",,32]}',
    )
  })

  it('has all kinds', () => {
    const random = seeded(5)
    expect(new Set(Array.from({length: 100}, () => anyGarbage(random))).size).toBe(5)
  })
})

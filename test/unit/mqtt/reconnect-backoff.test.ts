import {describe, expect, it} from 'vitest'
import {ReconnectBackoff} from '../../../src/mqtt/reconnect-backoff.ts'

/** Without jitter. */
const inTheMiddle = () => 0.5
const waits = (patience: ReconnectBackoff, count: number) =>
  Array.from({length: count}, () => patience.next())

describe('the wait for a broker', () => {
  it('doubles up to 5 s while the broker is away', () => {
    expect(waits(new ReconnectBackoff(inTheMiddle), 5)).toEqual([1000, 2000, 4000, 5000, 5000])
  })

  it('is short again after a good connection', () => {
    const patience = new ReconnectBackoff(inTheMiddle)
    waits(patience, 4)
    expect(patience.lasted(6000, false)).toBe(true)
    expect(waits(patience, 1)).toEqual([1000])
  })

  it('doubles up to a minute while the broker refuses us, and is short again when it does not any more', () => {
    const patience = new ReconnectBackoff(inTheMiddle)
    patience.refused()
    expect(waits(patience, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    patience.accepted()
    expect(waits(patience, 1)).toEqual([1000])
  })

  it('doubles up to a minute when three connections in a row were over at once', () => {
    const patience = new ReconnectBackoff(inTheMiddle)
    const afterShortOnes = Array.from({length: 8}, () => {
      patience.lasted(100, false)
      return patience.next()
    })
    expect(afterShortOnes).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    expect(patience.isFlapping).toBe(true)
  })

  it('does not take a connection for a good one that another client with our id let us have for its wait', () => {
    const patience = new ReconnectBackoff(inTheMiddle)
    patience.lasted(60_000, true)
    expect(patience.isFlapping).toBe(true)
    expect(patience.lasted(60_000, false)).toBe(false)
    expect(patience.isFlapping).toBe(true)
    expect(patience.lasted(200_000, false)).toBe(true)
    expect(patience.isFlapping).toBe(false)
  })
})

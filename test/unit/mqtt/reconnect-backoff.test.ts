import {describe, expect, it} from 'vitest'
import {ReconnectBackoff} from '../../../src/mqtt/reconnect-backoff.ts'

/** Without jitter. */
const inTheMiddle = () => 0.5
const delays = (backoff: ReconnectBackoff, count: number) =>
  Array.from({length: count}, () => backoff.nextDelay())

describe('the backoff', () => {
  it('doubles up to 5 s while the broker is away', () => {
    expect(delays(new ReconnectBackoff(inTheMiddle), 5)).toEqual([1000, 2000, 4000, 5000, 5000])
  })

  it('is short again after a stable connection', () => {
    const backoff = new ReconnectBackoff(inTheMiddle)
    delays(backoff, 4)
    expect(backoff.connectionEnded(6000, false)).toBe(true)
    expect(delays(backoff, 1)).toEqual([1000])
  })

  it('doubles up to a minute while the broker refuses us, and is short again when it does not any more', () => {
    const backoff = new ReconnectBackoff(inTheMiddle)
    backoff.connectRefused()
    expect(delays(backoff, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    backoff.connectAccepted()
    expect(delays(backoff, 1)).toEqual([1000])
  })

  it('doubles up to a minute when three connections in a row were over at once', () => {
    const backoff = new ReconnectBackoff(inTheMiddle)
    const afterShortOnes = Array.from({length: 8}, () => {
      backoff.connectionEnded(100, false)
      return backoff.nextDelay()
    })
    expect(afterShortOnes).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    expect(backoff.isFlapping).toBe(true)
  })

  it('does not count a connection as stable that ends when another client with our client id connects again', () => {
    const backoff = new ReconnectBackoff(inTheMiddle)
    backoff.connectionEnded(60_000, true)
    expect(backoff.isFlapping).toBe(true)
    expect(backoff.connectionEnded(60_000, false)).toBe(false)
    expect(backoff.isFlapping).toBe(true)
    expect(backoff.connectionEnded(200_000, false)).toBe(true)
    expect(backoff.isFlapping).toBe(false)
  })
})

import {beforeEach, describe, expect, it} from 'vitest'
import {
  FailureTracker,
  FirmwareCapabilities,
  STRIKES,
  type StoredCapabilities,
} from '../../../../src/device/polling/firmware-capabilities.ts'

describe('what a firmware puts up with', () => {
  let learnt: StoredCapabilities[]
  let tolerance: FirmwareCapabilities

  beforeEach(() => {
    learnt = []
    tolerance = new FirmwareCapabilities({}, (tolerated) => learnt.push(tolerated))
  })

  it('is remembered as soon as it is learnt, and not again', () => {
    for (let time = 0; time < 2; time++) {
      tolerance.markSupported('state')
      tolerance.markUnsupported('led')
      tolerance.limitBatch(4)
      tolerance.setDialect('miot')
    }
    expect(learnt).toHaveLength(4)
    expect(learnt.at(-1)).toEqual({batch: 4, left_out: ['led'], answered: ['state'], dialect: 'miot'})
  })

  it('is the same after a restart', () => {
    tolerance.markSupported('state')
    tolerance.markUnsupported('led')
    tolerance.limitBatch(4)
    const again = new FirmwareCapabilities(learnt.at(-1))
    expect(again.batch).toBe(4)
    expect([...again.unsupported]).toEqual(['led'])
    expect(again.markUnsupported('state')).toBe(false)
  })

  it('gets smaller, never larger, and never nothing', () => {
    tolerance.limitBatch(4)
    tolerance.limitBatch(6)
    expect(tolerance.batch).toBe(4)
    tolerance.limitBatch(0)
    expect(tolerance.batch).toBe(1)
  })

  it('includes for ever what was answered once', () => {
    tolerance.markSupported('led')
    expect(tolerance.markUnsupported('led')).toBe(false)
    expect(tolerance.unsupported.size).toBe(0)
  })

  it('can be tried again', () => {
    expect(tolerance.retry('led')).toBe(false)
    tolerance.markUnsupported('led')
    expect(tolerance.retry('led')).toBe(true)
    expect(learnt.at(-1)).toMatchObject({left_out: []})
  })
})

describe('a suspicion', () => {
  it(`becomes certain after ${STRIKES} failures in a row`, () => {
    const suspicion = new FailureTracker()
    expect([1, 2].map(() => suspicion.strike('led'))).toEqual([false, false])
    suspicion.clear('led')
    expect([1, 2, 3].map(() => suspicion.strike('led'))).toEqual([false, false, true])
  })

  it('about a number of values is gone when as many were answered', () => {
    const suspicion = new FailureTracker()
    expect([1, 2].map(() => suspicion.strikeSize(4))).toEqual([false, false])
    suspicion.clearSize(3)
    expect(suspicion.strikeSize(4)).toBe(true)
    suspicion.clearSize(4)
    expect(suspicion.strikeSize(4)).toBe(false)
  })

  it('is looked into at every poll, until it is certain; then hardly ever', () => {
    const suspicion = new FailureTracker()
    const due = () => ({
      fast: suspicion.due(['state'], 'fast'),
      slow: suspicion.due(['state', 'led'], 'slow'),
      rare: suspicion.due(['state', 'led', 'lock'], 'rare'),
    })
    suspicion.strike('led')
    expect(due()).toEqual({fast: ['state', 'led'], slow: ['state', 'led'], rare: ['state', 'led', 'lock']})
    suspicion.strike('led')
    suspicion.strike('led')
    expect(due()).toEqual({fast: ['state'], slow: ['state'], rare: ['state', 'led', 'lock']})
  })
})

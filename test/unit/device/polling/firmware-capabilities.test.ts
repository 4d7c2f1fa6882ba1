import {beforeEach, describe, expect, it} from 'vitest'
import {
  FailureTracker,
  FirmwareCapabilities,
  STRIKES,
  type StoredCapabilities,
} from '../../../../src/device/polling/firmware-capabilities.ts'

describe('what a firmware puts up with', () => {
  let stored: StoredCapabilities[]
  let capabilities: FirmwareCapabilities

  beforeEach(() => {
    stored = []
    capabilities = new FirmwareCapabilities({}, (changed) => stored.push(changed))
  })

  it('is stored as soon as it is found, and not again', () => {
    for (let time = 0; time < 2; time++) {
      capabilities.markSupported('state')
      capabilities.markUnsupported('led')
      capabilities.limitBatch(4)
      capabilities.setDialect('miot')
    }
    expect(stored).toHaveLength(4)
    expect(stored.at(-1)).toEqual({batch: 4, left_out: ['led'], answered: ['state'], dialect: 'miot'})
  })

  it('is the same after a restart', () => {
    capabilities.markSupported('state')
    capabilities.markUnsupported('led')
    capabilities.limitBatch(4)
    const again = new FirmwareCapabilities(stored.at(-1))
    expect(again.batch).toBe(4)
    expect([...again.unsupported]).toEqual(['led'])
    expect(again.markUnsupported('state')).toBe(false)
  })

  it('gets smaller, never larger, and never nothing', () => {
    capabilities.limitBatch(4)
    capabilities.limitBatch(6)
    expect(capabilities.batch).toBe(4)
    capabilities.limitBatch(0)
    expect(capabilities.batch).toBe(1)
  })

  it('includes for ever what was answered once', () => {
    capabilities.markSupported('led')
    expect(capabilities.markUnsupported('led')).toBe(false)
    expect(capabilities.unsupported.size).toBe(0)
  })

  it('can be tried again', () => {
    expect(capabilities.retry('led')).toBe(false)
    capabilities.markUnsupported('led')
    expect(capabilities.retry('led')).toBe(true)
    expect(stored.at(-1)).toMatchObject({left_out: []})
  })
})

describe('a failure', () => {
  it(`becomes certain after ${STRIKES} failures in a row`, () => {
    const failures = new FailureTracker()
    expect([1, 2].map(() => failures.strike('led'))).toEqual([false, false])
    failures.clear('led')
    expect([1, 2, 3].map(() => failures.strike('led'))).toEqual([false, false, true])
  })

  it('about a number of values is gone when as many were answered', () => {
    const failures = new FailureTracker()
    expect([1, 2].map(() => failures.strikeSize(4))).toEqual([false, false])
    failures.clearSize(3)
    expect(failures.strikeSize(4)).toBe(true)
    failures.clearSize(4)
    expect(failures.strikeSize(4)).toBe(false)
  })

  it('is looked into at every poll, until it is certain; then hardly ever', () => {
    const failures = new FailureTracker()
    const due = () => ({
      fast: failures.due(['state'], 'fast'),
      slow: failures.due(['state', 'led'], 'slow'),
      rare: failures.due(['state', 'led', 'lock'], 'rare'),
    })
    failures.strike('led')
    expect(due()).toEqual({fast: ['state', 'led'], slow: ['state', 'led'], rare: ['state', 'led', 'lock']})
    failures.strike('led')
    failures.strike('led')
    expect(due()).toEqual({fast: ['state'], slow: ['state'], rare: ['state', 'led', 'lock']})
  })
})

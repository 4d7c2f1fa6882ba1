import {beforeEach, describe, expect, it} from 'vitest'
import {propertiesInTier} from '../../../../src/device/codec/property-codec.ts'
import {
  FAILURES_UNTIL_UNSUPPORTED,
  FailureTracker,
  FirmwareCapabilities,
  type StoredCapabilities,
} from '../../../../src/device/polling/firmware-capabilities.ts'
import {eight} from '../../../support/virtual-home.ts'

describe('the capabilities of a firmware', () => {
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

  it('includes what was answered once, until the plug restarts at it', () => {
    capabilities.markSupported('led')
    expect(capabilities.markUnsupported('led')).toBe(false)
    expect(capabilities.unsupported.size).toBe(0)
    expect(capabilities.markUnsupported('led', true)).toBe(true)
    expect([...capabilities.unsupported]).toEqual(['led'])
  })

  it('has the requests of each tier made once, and anew when it changes', () => {
    const names = propertiesInTier(eight, 'fast')
    const plan = capabilities.planReads(eight, names)
    expect(capabilities.planReads(eight, propertiesInTier(eight, 'fast'))).toBe(plan)
    expect(capabilities.planReads(eight, propertiesInTier(eight, 'slow'))).not.toBe(plan)
    capabilities.limitBatch(1)
    expect(capabilities.planReads(eight, names)).toHaveLength(names.length)
    capabilities.markUnsupported('power')
    expect(capabilities.planReads(eight, names)).toHaveLength(names.length - 1)
  })

  it('can be tried again', () => {
    expect(capabilities.retry('led')).toBe(false)
    capabilities.markUnsupported('led')
    expect(capabilities.retry('led')).toBe(true)
    expect(stored.at(-1)).toMatchObject({left_out: []})
  })
})

describe('a failure', () => {
  it(`becomes certain after ${FAILURES_UNTIL_UNSUPPORTED} failures in a row`, () => {
    const failures = new FailureTracker()
    expect([1, 2].map(() => failures.recordFailure('led'))).toEqual([false, false])
    failures.clear('led')
    expect([1, 2, 3].map(() => failures.recordFailure('led'))).toEqual([false, false, true])
  })

  it('by which the plug restarted becomes certain at the second time', () => {
    const failures = new FailureTracker()
    expect([1, 2].map(() => failures.recordFailure('led', true))).toEqual([false, true])
    expect([1, 2].map(() => failures.recordBatchFailure(4, true))).toEqual([false, true])
  })

  it('do not add up with a restart: a power failure comes at any time', () => {
    const failures = new FailureTracker()
    expect([1, 2].map(() => failures.recordFailure('led'))).toEqual([false, false])
    expect(failures.recordFailure('led', true)).toBe(false)
    expect([1, 2].map(() => failures.recordBatchFailure(4))).toEqual([false, false])
    expect(failures.recordBatchFailure(4, true)).toBe(false)
    failures.clear('led')
    failures.clearBatch(4)
    expect([failures.recordFailure('led', true), failures.recordBatchFailure(4, true)]).toEqual([
      false,
      false,
    ])
  })

  it('about a number of values is gone when as many were answered', () => {
    const failures = new FailureTracker()
    expect([1, 2].map(() => failures.recordBatchFailure(4))).toEqual([false, false])
    failures.clearBatch(3)
    expect(failures.recordBatchFailure(4)).toBe(true)
    failures.clearBatch(4)
    expect(failures.recordBatchFailure(4)).toBe(false)
  })

  it('is repeated at every poll, until it is certain; then hardly ever', () => {
    const failures = new FailureTracker()
    const due = () => ({
      fast: failures.due(['state'], 'fast'),
      slow: failures.due(['state', 'led'], 'slow'),
      rare: failures.due(['state', 'led', 'lock'], 'rare'),
    })
    failures.recordFailure('led')
    expect(due()).toEqual({fast: ['state', 'led'], slow: ['state', 'led'], rare: ['state', 'led', 'lock']})
    failures.recordFailure('led')
    failures.recordFailure('led')
    expect(due()).toEqual({fast: ['state'], slow: ['state'], rare: ['state', 'led', 'lock']})
  })
})

import {afterEach, expect, it, vi} from 'vitest'
import {LONGEST_TIMER_MS, systemClock} from '../../../src/common/clock.ts'

afterEach(() => {
  vi.useRealTimers()
})

it.each([
  [-5, 0],
  [0.2, 1],
  [999.2, 1000],
  [1000, 1000],
  [1000.1, 1025],
  [5001, 5025],
  [Number.MAX_SAFE_INTEGER, LONGEST_TIMER_MS],
])(
  'a timer of %s ms is one of %s ms: never early, and from a second on in steps that plugs share',
  (ms, length) => {
    vi.useFakeTimers()
    const run = vi.fn()
    systemClock.after(ms, run)
    vi.advanceTimersByTime(Math.max(0, length - 1))
    expect(run).toHaveBeenCalledTimes(length === 0 ? 1 : 0)
    vi.advanceTimersByTime(1)
    expect(run).toHaveBeenCalledTimes(1)
  },
)

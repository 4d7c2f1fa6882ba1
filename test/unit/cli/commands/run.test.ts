import {describe, expect, it} from 'vitest'
import {rateLimit} from '../../../../src/cli/commands/run.ts'
import {settle, VirtualClock} from '../../../support/virtual-clock.ts'

describe('a rate limit for restarts', () => {
  it('runs the first at once, and each later one when its time has come, in order', async () => {
    const clock = new VirtualClock()
    const limited = rateLimit(clock, 5000)
    const done: string[] = []
    const request = (name: string) =>
      void limited(async () => {
        done.push(`${name} at ${clock.now()}`)
      })
    request('first')
    await settle()
    expect(done).toEqual(['first at 0'])
    await clock.advance(1000)
    request('second')
    request('third')
    await clock.advance(20_000)
    request('fourth')
    await settle()
    expect(done).toEqual(['first at 0', 'second at 5000', 'third at 10000', 'fourth at 21000'])
    expect(clock.pending).toBe(0)
  })

  it('rejects with the failure of the work', async () => {
    const limited = rateLimit(new VirtualClock(), 5000)
    await expect(limited(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})

import {describe, expect, it} from 'vitest'
import {RateLimit} from '../../../src/cli/rate-limit.ts'
import {settle, VirtualClock} from '../../support/virtual-clock.ts'

describe('what happens only so often', () => {
  it('happens at once the first time, and then when its time has come, in order', async () => {
    const clock = new VirtualClock()
    const spacing = new RateLimit(clock, 5000)
    const done: string[] = []
    const ask = (name: string) =>
      void spacing.run(async () => {
        done.push(`${name} at ${clock.now()}`)
      })
    ask('first')
    await settle()
    expect(done).toEqual(['first at 0'])
    await clock.advance(1000)
    ask('second')
    ask('third')
    await clock.advance(20_000)
    ask('fourth')
    await settle()
    expect(done).toEqual(['first at 0', 'second at 5000', 'third at 10000', 'fourth at 21000'])
    expect(clock.pending).toBe(0)
  })

  it('gives back what came of it, also a failure', async () => {
    const spacing = new RateLimit(new VirtualClock(), 5000)
    await expect(spacing.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})

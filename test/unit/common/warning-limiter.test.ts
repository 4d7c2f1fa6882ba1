import {beforeEach, describe, expect, it, test} from 'vitest'
import {RepeatedWarnings, WarningLimiter} from '../../../src/common/warning-limiter.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'
import {MINUTE} from '../bridge/stage.ts'

let clock: VirtualClock
let log: RememberingLog
let warner: WarningLimiter

beforeEach(() => {
  clock = new VirtualClock()
  log = new RememberingLog()
  warner = new WarningLimiter({clock, log})
})

const warn = (topic: string) => warner.warn(topic, () => `wrong: ${topic}`)

describe('warnings of what others send', () => {
  it('come once for each topic', () => {
    for (let times = 0; times < 5; times++) warn('b/x/set')
    expect(log.messages('warn')).toEqual(['wrong: b/x/set'])
    expect(log.lines[0]?.fields).toEqual({topic: 'b/x/set'})
  })

  it('come again once the topic was put right', () => {
    for (let times = 0; times < 50; times++) {
      warn('b/x/set')
      warner.forget('b/x/set')
    }
    expect(log.messages('warn')).toHaveLength(50)
  })

  it('of topics without end are thirty, and a count for each minute', async () => {
    let asked = 0
    for (let minute = 0; minute < 3; minute++) {
      for (let at = 0; at < 50_000; at++)
        warner.warn(`b/x${minute}-${at}/set`, () => {
          asked++
          return 'wrong'
        })
      await clock.advance(MINUTE)
    }
    expect(asked).toBe(30)
    expect(log.messages('warn').slice(30)).toEqual([
      '49970 more messages like these in the last minute, the last on b/x0-49999/set',
      '50000 more messages like these in the last minute, the last on b/x1-49999/set',
      '50000 more messages like these in the last minute, the last on b/x2-49999/set',
    ])
  })

  it('are bounded also for topics that are put right and wrong all the time', async () => {
    for (let at = 0; at < 10_000; at++) {
      warn(`b/x${at}/set`)
      warner.forget(`b/x${at}/set`)
    }
    await clock.advance(MINUTE)
    expect(log.messages('warn')).toHaveLength(101)
  })

  it('name topics again after a quiet minute', async () => {
    for (let at = 0; at < 11; at++) warn(`b/x${at}/set`)
    await clock.advance(2 * MINUTE)
    warn('b/y/set')
    expect(log.messages('warn').at(-1)).toBe('wrong: b/y/set')
  })

  it('leave no timer when nothing is wrong any more, or when the bridge stops', async () => {
    warn('b/x/set')
    await clock.advance(MINUTE)
    expect(clock.pending).toBe(0)
    warn('b/y/set')
    warner.stop()
    expect(clock.pending).toBe(0)
  })
})

test('a warning is passed on once, until it was absent for ten minutes', async () => {
  const clock = new VirtualClock()
  const warned: string[] = []
  const troubles = new RepeatedWarnings(clock, (text) => warned.push(text))
  for (let minute = 0; minute < 600; minute++) {
    troubles.warn('the network is down')
    await clock.advance(60_000)
  }
  expect(warned).toEqual(['the network is down'])
  troubles.warn('no descriptor is left')
  await clock.advance(601_000)
  troubles.warn('the network is down')
  expect(warned).toEqual(['the network is down', 'no descriptor is left', 'the network is down'])
})

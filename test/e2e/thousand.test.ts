import {beforeAll, describe, expect, it} from 'vitest'
import {type CrowdResult, crowdRows, measureCrowd} from '../../bench/crowd.ts'
import {print} from '../../bench/table.ts'
import {loopback} from '../support/addresses.ts'
import {startMosquitto} from '../support/mosquitto.ts'

const PLUGS = 1000
/** At default intervals each plug is polled about four times, and falls silent for nobody. */
const SECONDS = 60

describe('a thousand plugs on one bridge, at default intervals for a minute', () => {
  let result: CrowdResult

  beforeAll(async () => {
    const broker = await startMosquitto({config: ['max_queued_messages 0', 'log_type error']})
    result = await measureCrowd({
      count: PLUGS,
      seconds: SECONDS,
      brokerUrl: broker.url,
      firstAddress: loopback(0, 1),
    })
    print(crowdRows(result))
  }, 240_000)

  it('are all online', () => {
    expect(result.online).toBe(PLUGS)
  })

  it('are never said to be offline', () => {
    expect(result.offline).toEqual([])
  })

  it('all have their state published', () => {
    expect(result.states).toBe(PLUGS)
  })

  it('are really polled all the while', () => {
    expect(result.requestsPerSecond * SECONDS).toBeGreaterThan(3 * PLUGS)
  })
})

import {describe, expect, it} from 'vitest'
import {HELLO} from '../../../../src/miio/packet.ts'
import {VirtualHome} from '../../../support/virtual-home.ts'

const MINUTE = 60_000

/** A process that was stopped for `ms`: the clock jumps, and what has arrived meanwhile is handled before any timer. */
function pause({clock}: VirtualHome, ms: number): void {
  const now = clock.now.bind(clock)
  clock.now = () => now() + ms
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error) => error.code,
  )

describe('a pause of the process in the middle of a command', () => {
  it.each([
    ['before its hello is answered', 5],
    ['while the hello’s answer is on its way', 15],
  ])('%s lets no request out any more', async (_, after) => {
    const home = new VirtualHome()
    const result = code(home.device.set('state', 'OFF', home.clock.now() + 10_000))
    await home.clock.advance(after)
    pause(home, 3 * MINUTE)
    await home.clock.advance(MINUTE)
    expect(await result).toBe('expired')
    expect(home.network.sent.map(({datagram}) => datagram)).toEqual([HELLO])
    expect(home.plug.state['state']).toBe('ON')
  })

  it('is no evidence about the plug', async () => {
    const home = new VirtualHome()
    const failures: unknown[] = []
    home.device.listener = {...home.device.listener, pollFailed: (failure) => failures.push(failure)}
    const result = code(home.device.set('state', 'OFF', home.clock.now() + 10_000))
    await home.clock.advance(5)
    pause(home, 3 * MINUTE)
    await home.clock.advance(MINUTE)
    expect(await result).toBe('expired')
    home.poller.start()
    await home.clock.advance(MINUTE)
    expect(home.device.availability).toEqual({state: 'online'})
    expect(home.device.tracker.isFailing).toBe(false)
    expect(failures).toEqual([])
  })

  it('after it was executed does not make it fail: the response was there already', async () => {
    const home = new VirtualHome()
    await home.poll()
    const result = code(home.device.set('state', 'OFF', home.clock.now() + 10_000))
    await home.clock.advance(65) // it waits for the plug's rest, and is sent
    pause(home, 3 * MINUTE)
    await home.clock.advance(MINUTE)
    expect([await result, home.plug.state['state']]).toEqual(['ok', 'OFF'])
  })
})

describe('a poller after a pause of the process', () => {
  it('polls everything at once, whatever the back-off, spread over the time it was given', async () => {
    const home = new VirtualHome()
    home.poller.start()
    await home.clock.advance(MINUTE)
    home.plug.setFaults({silence: true})
    await home.clock.advance(60 * MINUTE)
    expect(home.device.availability).toMatchObject({state: 'offline'})
    home.plug.setFaults({})
    pause(home, 60 * MINUTE)
    home.poller.pollNow(1000)
    await home.clock.advance(3000)
    expect(home.device.availability).toEqual({state: 'online'})
  })
})

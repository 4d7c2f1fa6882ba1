/** Requests that the client loses, or that outlast their deadline: the real client behind the queue of a device. */
import {describe, expect, it} from 'vitest'
import type {Clock} from '../../../src/common/clock.ts'
import {RequestQueue, SharedReads} from '../../../src/device/request-queue.ts'
import {UNTIL_DEADLINE} from '../../../src/device/transport.ts'
import {MiioClient} from '../../../src/miio/client.ts'
import {MemoryNetwork, MemoryPlug} from '../../support/memory-network.ts'
import {CallFailed} from '../../support/scripted-plug.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {DID, TOKEN} from '../miio/vectors.ts'

const SECOND = 1000
const AT = {host: '192.168.1.40', port: 54321}

function home(options: {host?: string; lookup?: () => Promise<string>} = {}) {
  const clock = new VirtualClock()
  const network = new MemoryNetwork(clock)
  const plug = new MemoryPlug(network, clock, {did: DID, token: TOKEN, at: AT})
  const client = new MiioClient({
    socket: network,
    clock,
    random: seeded(1),
    token: TOKEN,
    host: AT.host,
    ...options,
  })
  return {clock, network, plug, client, queue: new RequestQueue(clock)}
}

describe('a request that the client has lost', () => {
  it('stays overdue: that the client refuses every further request is no sign of life', async () => {
    const {clock, network, client, queue} = home()
    const poll = () => queue.poll(() => client.call('get_prop', [])).catch(() => {})
    network.loses = () => true
    network.afterArrived = () => {}
    void poll()
    await clock.advance(65 * SECOND)
    expect(queue.overdue()).toBe(5 * SECOND)
    void poll()
    await clock.advance(60 * SECOND)
    expect(queue.overdue()).toBe(65 * SECOND)
  })
})

describe('a command whose request outlasts its deadline', () => {
  it('has its result at its deadline, and the next command waits until the request has ended', async () => {
    let isNameServerUp = false
    const lookup = () => (isNameServerUp ? Promise.resolve(AT.host) : new Promise<string>(() => {}))
    const {clock, client, queue} = home({host: 'desk.lan', lookup})
    const results: string[] = []
    const command = (name: string, deadline: number) =>
      queue
        .command(name, true, deadline, () =>
          client.call('set_power', ['on'], {deadline, tries: UNTIL_DEADLINE}),
        )
        .then(
          () => 'ok',
          (error) => error.code,
        )
        .then((result) => results.push(`${name} ${result} at ${clock.now()}`))
    void command('first', 500)
    await clock.advance(100)
    void command('second', 10 * SECOND)
    await clock.advance(500)
    expect(results).toEqual(['first timeout at 550'])
    isNameServerUp = true
    await clock.advance(5 * SECOND)
    expect(results).toEqual(['first timeout at 550', expect.stringMatching(/^second ok /)])
  })
})

describe('a read that fails at once', () => {
  it('is not repeated until the deadline of its caller, on a clock with fractions of a millisecond', async () => {
    let now = 0
    const clock: Clock = {
      now: () => (now += 0.001),
      date: () => new Date(0),
      after: () => ({cancel: () => {}}),
    }
    let reads = 0
    const reading = new SharedReads(clock, 'desk').join('model', 1000, async () => {
      reads++
      throw new CallFailed('timeout')
    })
    await expect(reading).rejects.toMatchObject({code: 'timeout'})
    expect(reads).toBe(1)
  })
})

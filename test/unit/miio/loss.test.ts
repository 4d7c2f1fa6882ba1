import {describe, expect, test} from 'vitest'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {home, watch} from './client-setup.ts'

const COMMANDS = 1000
const COMMAND_MS = 10_000
const POLL_MS = 10_000
const EVER = Number.POSITIVE_INFINITY

interface Outcome {
  succeeded: number
  /** Sent by the client per command, its polls included. */
  datagrams: number
}

/**
 * How a bridge asks: polls of three tries every 10 s, which give way to commands; those are tried for 10 s.
 * @param loss the share of datagrams lost, in each direction
 */
async function polledAndCommanded(loss: number, seed: number): Promise<Outcome> {
  const clock = new VirtualClock()
  const {queued, plug, network} = home(clock, {random: seeded(seed)})
  const chance = seeded(seed + 1000)
  network.loses = () => chance() < loss
  let succeeded = 0
  for (let i = 0; i < COMMANDS; i++) {
    const giveWay = new AbortController()
    const poll = watch(clock, queued.call('get_prop', ['power'], {signal: giveWay.signal}))
    await clock.advance(POLL_MS * chance())
    giveWay.abort()
    const deadline = clock.now() + COMMAND_MS
    const command = watch(clock, queued.call('set_power', ['on'], {deadline, tries: EVER}))
    while (!command.isSettled || !poll.isSettled) await clock.advance(POLL_MS / 10)
    if (command.value) succeeded++
    expect(command.settledAt).toBeLessThanOrEqual(deadline)
  }
  const ids = plug.requests.map(({id}) => id)
  expect(new Set(ids).size).toBe(ids.length) // firmware drops an id it has seen, or repeats its response
  return {succeeded, datagrams: network.sent.length / COMMANDS}
}

/** Commands that are the first thing a client asks, as those of the command line: nothing is known of the plug yet. */
async function commandedAtOnce(loss: number, seed: number): Promise<number> {
  const chance = seeded(seed)
  const outcomes = Array.from({length: COMMANDS}, async () => {
    const clock = new VirtualClock()
    const {client, network} = home(clock, {random: chance})
    network.loses = () => chance() < loss
    const command = watch(clock, client.call('set_power', ['on'], {deadline: COMMAND_MS, tries: EVER}))
    await clock.advance(COMMAND_MS)
    return command.value === undefined ? 0 : 1
  })
  return (await Promise.all(outcomes)).reduce<number>((sum, one) => sum + one, 0)
}

// With tries of 2 s and a hello before each it was 940 to 961 at 20 %, for 4.2 datagrams each. Now it is 995, for 3.4.
describe.each([1, 2, 3])('of 1,000 commands, with the seed %i,', (seed) => {
  test.each([
    [0, 1000, 3],
    [0.05, 1000, 3.5],
    [0.1, 998, 4],
    [0.2, 985, 5],
    [0.5, 540, 11],
  ])(
    'with a loss of %d each way, at least %i succeed within 10 s, for at most %d datagrams each',
    async (loss, least, most) => {
      const {succeeded, datagrams} = await polledAndCommanded(loss, seed)
      expect(succeeded).toBeGreaterThanOrEqual(least)
      expect(datagrams).toBeLessThanOrEqual(most)
    },
  )

  test('with a loss of 0.2 each way, and of a plug of which nothing is known yet, at least 970 succeed within 10 s', async () => {
    expect(await commandedAtOnce(0.2, seed)).toBeGreaterThanOrEqual(970)
  })
})

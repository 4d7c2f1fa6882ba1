import {describe, expect, it} from 'vitest'
import {simulate} from '../../src/simulator/simulated-network.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {startBridge, startUntilTheEnd} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {random} from '../support/seeds.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

const PLUGS = 1000
const LIMIT_MS = 300_000

/** What that costs is measured by `npm run bench`. */
describe('a thousand plugs on one bridge, at default intervals, three times as fast', async () => {
  const clock = new SteadyClock(3)
  const broker = await startMosquitto({config: ['max_queued_messages 0', 'log_type error']})
  const user = await Watcher.open(broker, ['miio2mqtt/+/+', 'miio2mqtt/+/+/availability'])
  const neighbourhood = simulate({
    count: PLUGS,
    firstAddress: loopback(0, 1),
    clock,
    random,
    broadcast: BROADCAST,
    remember: 1000,
  })
  await startUntilTheEnd(neighbourhood)
  const plugs = Object.fromEntries(
    neighbourhood.plugs.map((plug, index) => [`room ${index % 100}/plug ${index}`, plug]),
  )
  const devices = Object.fromEntries(
    Object.entries(plugs).map(([name, {token}]) => [name, {token: token.toString('hex')}]),
  )
  await startBridge({broker, plugs, devices, clock, config: {poll: {}}})
  const said = (state: string) =>
    user.messages
      .filter(({topic, payload}) => topic.endsWith('/availability') && payload.includes(`"${state}"`))
      .map(({topic}) => topic)

  it(
    'are all online, with a state',
    async () => {
      const online = () => new Set(said('online')).size
      await until(() => online() === PLUGS, {
        within: LIMIT_MS,
        what: () => `all to be online; ${online()} are`,
      })
      const stateless = () => {
        const topics = new Set(user.messages.map(({topic}) => topic))
        return Object.keys(plugs).filter((name) => !topics.has(`miio2mqtt/${name}`))
      }
      await until(() => stateless().length === 0, {within: LIMIT_MS, what: () => `states of ${stateless()}`})
    },
    LIMIT_MS,
  )

  it(
    'are all polled again, and none is ever reported as offline',
    async () => {
      const before = neighbourhood.plugs.map(({received}) => received.length)
      const areAsked = () =>
        neighbourhood.plugs.every(({received}, index) => received.length > (before[index] ?? 0))
      await until(areAsked, {within: LIMIT_MS, what: 'a request to each'})
      expect(said('offline')).toEqual([])
    },
    LIMIT_MS,
  )
})

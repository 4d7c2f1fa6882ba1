import {describe, expect, it, vi} from 'vitest'
import {BridgeStatus} from '../../src/bridge/status/bridge-status.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {mosquittoPub, Watcher} from '../support/mqtt-user.ts'
import {steadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

const INTERVAL = 1000

describe('a plug on MQTT', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const plug = await startPlug({address: loopback(1, 1)})
  const bridge = await startBridge({
    broker,
    plugs: {desk: plug},
    config: {poll: {interval: `${INTERVAL}ms`, slow_interval: '5s'}},
  })
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')

  it('switched by mosquitto_pub really receives one set_power ["on"], and its state is retained', async () => {
    await mosquittoPub(broker, '-t', 'miio2mqtt/desk/set', '-m', 'ON')
    await user.waitFor('miio2mqtt/desk', ({payload}) => JSON.parse(payload).state === 'ON')
    expect(plug.received.filter(({method}) => method === 'set_power').map(({params}) => params)).toEqual([
      ['on'],
    ])
    expect(JSON.parse((await user.retained()).get('miio2mqtt/desk') ?? '')).toMatchObject({state: 'ON'})
  })

  it('A press of the button on the plug is on B/N within one poll interval and 1 s.', async () => {
    // From the second time on right after a poll: the next one is as far away as it can be.
    for (const state of ['OFF', 'ON', 'OFF']) {
      user.forget()
      const [pressed, asked] = [steadyClock.now(), plug.received.length]
      plug.state['state'] = state
      await user.waitFor('miio2mqtt/desk', ({payload}) => JSON.parse(payload).state === state)
      const poll = plug.received[asked] ?? expect.fail('no poll')
      expect(poll.at - pressed).toBeLessThan(INTERVAL + 1000)
    }
  })

  it('A poll that finds no change publishes nothing.', async () => {
    const from = user.messages.length
    const polls = plug.received.length
    await until(() => plug.received.length >= polls + 4, {what: 'more polls'})
    const topics = user.messages.slice(from).map(({topic}) => topic)
    expect(topics.filter((topic) => /^(miio2mqtt\/desk|homeassistant)(\/|$)/.test(topic))).toEqual([])
  })

  it('was asked who it is, and then how well it hears its router, and no more', () => {
    expect(plug.received.filter(({method}) => method === 'miIO.info')).toHaveLength(2)
  })

  it('shows every packet in the log at level trace, and only then, with no secret in it', async () => {
    const answered = new RegExp(`^<- ${plug.address}:54321 message .*"result"`)
    const traced = () => bridge.log.filter(({level}) => level === 'trace').map(({message}) => String(message))
    expect(traced()).toEqual([])
    await user.publish('miio2mqtt/bridge/request/options', '{"log_level":"trace"}')
    await until(() => traced().some((line) => answered.test(line)), {
      what: 'an answer in the log',
    })
    expect(traced().join()).toContain(`-> ${plug.address}:54321 message`)
    expect(traced().join()).not.toContain(TOKEN)
  })

  it('that is stopped hears no warning any more: the process may have a new bridge by then', async () => {
    await bridge.stop()
    const logging = vi.spyOn(BridgeStatus.prototype, 'logging')
    bridge.rootLog.warn('said after the end')
    expect(logging).not.toHaveBeenCalled()
  })
})

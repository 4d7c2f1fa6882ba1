import {describe, expect, it} from 'vitest'
import {sleep} from '../../src/common/clock.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
/** Half a minute in a second: a try of 2 s takes 67 ms. */
const clock = new SteadyClock(30)
/** A poll is lost when three tries are. */
const TRIES = 3

/** The plug hears nothing of the next `polls` polls. Resolves when it hears something again. */
function lose(plug: SimulatedPlug, polls: number): Promise<void> {
  const receive = plug.receive.bind(plug)
  let deaf = TRIES * polls
  return new Promise((resolve) => {
    plug.receive = (datagram, from) => {
      if (deaf-- > 0) return
      plug.receive = receive
      resolve()
      receive(datagram, from)
    }
  })
}

/** `run` is called whenever the plug is asked anything, also while it is silent. */
function countAsked(plug: SimulatedPlug): () => number {
  const receive = plug.receive.bind(plug)
  let asked = 0
  plug.receive = (datagram, from) => {
    asked++
    receive(datagram, from)
  }
  return () => asked
}

describe.concurrent('at default intervals, thirty times as fast:', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const at = (host: number) => startPlug({address: loopback(1, host), clock})
  const plugs = {
    // While one plug answers, the silence of all others is theirs, and not that of the network.
    steady: await at(1),
    guest: await at(2),
    drowsy: await at(3),
    fickle: await at(4),
    traveller: await at(5),
    missed: await at(6),
  }
  const bridge = await startBridge({broker, plugs, clock, config: {poll: {}}})
  // Whatever is asked once only has been asked: from now on there are polls.
  await user.waitFor(
    'miio2mqtt/bridge/devices',
    ({payload}) => payload.split('"firmware":"').length > Object.keys(plugs).length,
  )
  const retained = async (topic: string) => JSON.parse((await user.retained()).get(topic) ?? '{}')

  it('B/N/availability is retained, and changes only when the plug really goes offline or comes online.', async () => {
    const {guest} = plugs
    const topic = 'miio2mqtt/guest/availability'
    const asked = countAsked(guest)
    const polls = async (n: number) => {
      const before = asked()
      await until(() => asked() >= before + TRIES * n, {what: 'more polls'})
    }
    await polls(2)
    expect(await retained(topic)).toEqual({state: 'online'})
    guest.setFaults({silence: true})
    await home.waitForAvailability('guest', 'timeout')
    await polls(2)
    expect(await retained(topic)).toEqual({
      state: 'offline',
      reason: 'timeout',
      since: expect.any(String),
      message: expect.stringMatching(new RegExp(`^no answer from ${guest.address}: is the plug powered`)),
    })
    guest.setFaults({})
    await home.waitForAvailability('guest', 'online')
    await polls(2)
    expect(await retained(topic)).toEqual({state: 'online'})
    expect(home.availabilities('guest')).toEqual(['online', 'timeout', 'online'])
  })

  it('One or two lost polls are no outage, and with default settings a plug that does not answer is offline within 90 s.', async () => {
    const {drowsy} = plugs
    await lose(drowsy, 1)
    await sleep(clock, 5 * SECOND) // until that poll is over
    await lose(drowsy, 2)
    drowsy.state['state'] = 'ON'
    await home.waitForState('drowsy', ({state}) => state === 'ON')
    expect(home.availabilities('drowsy')).toEqual(['online'])
    const fell = clock.date().getTime()
    drowsy.setFaults({silence: true})
    await home.waitForAvailability('drowsy', 'timeout')
    const {since} = await retained('miio2mqtt/drowsy/availability')
    expect(Date.parse(since) - fell).toBeGreaterThan(2 * 15 * SECOND)
    expect(Date.parse(since) - fell).toBeLessThan(90 * SECOND)
  })

  it('A plug that answers every second poll stays online.', async () => {
    const {fickle} = plugs
    const end = clock.now() + 10 * MINUTE
    let lost = 0
    for (; clock.now() < end; lost++) {
      await lose(fickle, 1)
      await sleep(clock, 5 * SECOND) // the poll that is answered is over, and the next one not yet due
    }
    expect(lost).toBeGreaterThan(10)
    expect(home.availabilities('fickle')).toEqual(['online'])
  })

  it('A plug that returns is online together with a fresh state within 75 s, however long it was offline.', async () => {
    const {traveller} = plugs
    traveller.setFaults({silence: true})
    await home.waitForAvailability('traveller', 'timeout')
    await sleep(clock, 10 * MINUTE) // by now it is asked as seldom as it ever will be
    const [before, heard] = [user.messages.length, traveller.received.length]
    traveller.state['state'] = 'ON'
    traveller.setFaults({})
    const returned = clock.now()
    await home.waitForAvailability('traveller', 'online')
    expect((traveller.received[heard]?.at ?? Number.NaN) - returned).toBeLessThan(75 * SECOND)
    const told = user.messages.slice(before).filter(({topic}) => topic.startsWith('miio2mqtt/traveller'))
    expect(told.map(({topic}) => topic)).toEqual(['miio2mqtt/traveller', 'miio2mqtt/traveller/availability'])
    expect(JSON.parse(told[0]?.payload ?? '{}')).toMatchObject({state: 'ON'})
  })

  it('A plug that goes offline causes one warning, and its return one line.', async () => {
    const {missed} = plugs
    missed.setFaults({silence: true})
    await home.waitForAvailability('missed', 'timeout')
    await sleep(clock, 5 * MINUTE)
    missed.setFaults({})
    await home.waitForAvailability('missed', 'online')
    const said = bridge.log.filter(({device, level}) => device === 'missed' && level !== 'debug')
    expect(said.map(({level, message}) => `${level}: ${message}`)).toEqual([
      expect.stringMatching(/^warn: missed \(127\.[\d.]+\) is offline: no answer from /),
      expect.stringMatching(/^info: missed \(127\.[\d.]+\) is online again$/),
    ])
    expect(home.warnings().filter((text) => text.includes('missed'))).toHaveLength(1)
    expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
  })
})

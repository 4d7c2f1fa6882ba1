import {afterAll, describe, expect, inject, it} from 'vitest'
import {helloReply, nak, parsePacket} from '../../src/miio/packet.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient, commandsIn} from '../support/command-client.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

const OFTEN = {poll: {interval: '1s', slow_interval: '1h'}}

/** A host that sends with the plug's address: a "checksum wrong" and the hello reply of another plug for every packet. */
function forgeAtEveryPacket(plug: SimulatedPlug): void {
  const receive = plug.receive.bind(plug)
  plug.receive = (datagram, from) => {
    if (parsePacket(datagram).kind === 'message') for (let i = 0; i < 3; i++) plug.send(nak(datagram), from)
    else for (let i = 0; i < 3; i++) plug.send(helloReply(666 + i, 5), from)
    receive(datagram, from)
  }
}

describe.skipIf(!inject('tools').mosquitto)('in a network', async () => {
  const broker: Mosquitto = await startMosquitto()
  const plugs = {
    forged: await startPlug({address: loopback(1, 1)}),
    slow: await startPlug({address: loopback(1, 2), faults: {delay: {fromMs: 2500, toMs: 3500}}}),
  }
  forgeAtEveryPacket(plugs.forged)
  await startBridge({broker, plugs, devices: {forged: {...OFTEN, id: plugs.forged.did}, slow: OFTEN}})
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  afterAll(() => user.stop())

  it('A plug whose packets are forged stays online and carries out every command.', async () => {
    await home.waitForAvailability('forged', 'online')
    for (let i = 0; i < 20; i++)
      expect(await home.publish('forged', 'set', i % 2 === 0 ? 'ON' : 'OFF')).toMatchObject({status: 'ok'})
    const asked = plugs.forged.received.length
    await until(() => plugs.forged.received.length > asked + 5, {within: 30_000, what: 'more polls'})
    expect(home.availabilities('forged')).toEqual(['online'])
    expect(commandsIn(plugs.forged.received)).toHaveLength(20)
  }, 60_000)

  it('a plug that needs 2.5 to 3.5 s for each answer is asked one thing at a time', async () => {
    await home.waitForAvailability('slow', 'online')
    const {received} = plugs.slow
    // Its pace is known after a few answers; from then on nothing more comes before an answer has left.
    const asked = received.length
    await until(() => received.length > asked + 3, {within: 60_000, what: 'a few answers'})
    const from = received.length
    expect(await home.publish('slow', 'set', 'ON')).toMatchObject({status: 'ok'})
    await until(() => received.length > from + 4, {within: 60_000, what: 'a few more'})
    const gaps = received.slice(from).map(({at}, i) => at - (received[from + i - 1]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2500)
    expect(commandsIn(received)).toEqual(['set_power on'])
  }, 200_000)
})

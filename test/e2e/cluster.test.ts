import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient, commandsIn} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'

const ONLINE = '{"state":"online"}'

describe('a cluster of two brokers', async () => {
  const first = await startMosquitto()
  const second = await startMosquitto()
  const onFirst = await Watcher.open(first)
  const onSecond = await Watcher.open(second)
  const desk = await startPlug({address: loopback(2, 1)})
  const lamp = await startPlug({address: loopback(2, 2), model: 'chuangmi.plug.v3'})
  const bridge = await startBridge({
    broker: first,
    plugs: {desk, 'attic/lamp': lamp},
    config: {mqtt: {url: [first.url, second.url]}, groups: {all: {members: ['desk', 'attic/lamp']}}},
  })
  await onFirst.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
  const before = await onFirst.retained()

  it('is used at the node that is named first', () => {
    expect(before.get('miio2mqtt/desk')).toContain('"state":"OFF"')
    expect(onSecond.messages).toEqual([])
  })

  it('that loses this node gets all retained messages on the other node again', async () => {
    const asked = commandsIn(desk.received).length
    await first.kill()
    await onSecond.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    const after = await onSecond.retained()
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort())
    const discovery = (retained: Map<string, string>) =>
      [...retained].filter(([topic]) => topic.startsWith('homeassistant/')).sort()
    expect(discovery(after)).toEqual(discovery(before))
    expect(discovery(after)).toHaveLength(4) // two plugs, the group, the bridge
    expect(JSON.parse(after.get('miio2mqtt/bridge/info') ?? '{}')).toMatchObject({broker: second.url})
    expect(commandsIn(desk.received)).toHaveLength(asked)
  })

  it('delivers commands on the other node', async () => {
    const home = new CommandClient(second, onSecond)
    expect(await home.mosquittoPub('all', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect([desk.state['state'], lamp.state['state']]).toEqual(['ON', 'ON'])
  })

  it('may lose that one, too, when the first is available again', async () => {
    await first.start()
    onFirst.forget()
    await second.kill()
    await onFirst.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    expect((await onFirst.retained()).get('miio2mqtt/desk')).toContain('"state":"ON"')
  })

  it('caused one warning for each lost node', () => {
    const warnings = bridge.log.filter(({level}) => level === 'warn').map(({message}) => message)
    expect(warnings).toEqual([
      expect.stringContaining(`lost the connection to ${first.url}`),
      expect.stringContaining(`lost the connection to ${second.url}`),
    ])
  })
})

describe('a list of brokers of which the first is down', async () => {
  const broker = await startMosquitto()
  const gone = await startMosquitto()
  await gone.stop()
  const user = await Watcher.open(broker)

  it('is tried in turn', async () => {
    const bridge = await startBridge({broker, plugs: {}, config: {mqtt: {url: [gone.url, broker.url]}}})
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    expect(JSON.stringify(bridge.log)).toContain(`cannot use the broker ${gone.url}: connect ECONNREFUSED`)
  })
})

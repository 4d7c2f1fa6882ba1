/** examples/node-red-flow.json in a real Node-RED, with a real broker, the bridge, and a simulated plug. */
import {beforeAll, describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridge} from '../support/bridge.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {NodeRed} from '../support/node-red.ts'
import {FLOW_FILE, type FlowNode, flow, nodeNamed} from '../support/node-red-flow.ts'
import {until} from '../support/wait.ts'

const DONE = 'home/desk/switch/done'
const FAILED = 'home/desk/switch/failed'
const ALARM = 'home/desk/alarm'
const CHART = 'home/desk/power/chart'

describe(`${FLOW_FILE}, imported into a real Node-RED`, () => {
  let broker: Mosquitto
  let user: Watcher
  let desk: SimulatedPlug
  let bridge: TestBridge
  let nodeRed: NodeRed
  let imported: FlowNode[]

  beforeAll(async () => {
    broker = await startMosquitto()
    user = await Watcher.open(broker)
    desk = await startPlug({model: 'chuangmi.plug.v3', address: loopback(2, 1)})
    bridge = await startBridge({
      broker,
      plugs: {desk},
      config: {poll: {command_timeout: '2s', interval: '1s'}},
    })
    nodeRed = await NodeRed.start(loopback(1, 1))
    const {host, port} = broker
    imported = flow.map((node) => (node.type === 'mqtt-broker' ? {...node, broker: host, port} : node))
    await nodeRed.deploy(imported)
    await user.waitFor(ALARM) // its subscriptions were made before it could know this
  }, 600_000)

  const press = (name: string) => nodeRed.press(nodeNamed(name))
  const message = async (topic: string) => JSON.parse((await user.waitFor(topic)).payload)
  /** The plug measures so many watts, and the flow has received the new state. */
  const measures = async (watts: number) => {
    user.forget()
    desk.state['power'] = watts
    await user.waitFor('miio2mqtt/desk', ({payload}) => JSON.parse(payload).power === watts)
  }

  it('runs unchanged, except for the address of the broker', async () => {
    expect(await nodeRed.flows()).toEqual(imported)
  })

  it('switches the plug, and shows the result of its own command', async () => {
    user.forget()
    await press('desk on')
    const result = await message(DONE)
    expect(result).toMatchObject({status: 'ok', request: {set: {state: 'ON'}}, data: {state: 'ON'}})
    expect(desk.state['state']).toBe('ON')
    const sent = user.on('miio2mqtt/desk/set').map(({payload}) => JSON.parse(payload))
    expect(sent).toEqual([{state: 'ON', transaction: result.transaction}])
  })

  it('ignores the results of other commands', async () => {
    user.forget()
    for (const stranger of ['{"state":"OFF","transaction":"a stranger\'s"}', 'OFF', 'nonsense'])
      await user.publish('miio2mqtt/desk/set', stranger)
    await until(() => user.on('miio2mqtt/desk/response').length === 3, {what: 'three results of others'})
    await press('desk on')
    const {transaction} = await message(DONE)
    expect(JSON.parse(user.on('miio2mqtt/desk/set').at(-1)?.payload ?? '').transaction).toBe(transaction)
    expect(user.on(DONE)).toHaveLength(1)
    expect(user.on(FAILED)).toEqual([])
  })

  it('matches the results of two commands at once', async () => {
    user.forget()
    await Promise.all([press('desk on'), press('desk off')])
    await until(() => user.on(DONE).length + user.on(FAILED).length === 2, {what: 'two results'})
    const told = [...user.on(DONE), ...user.on(FAILED)].map(({payload}) => JSON.parse(payload))
    const sent = user.on('miio2mqtt/desk/set').map(({payload}) => JSON.parse(payload))
    expect(new Set(told.map(({transaction}) => transaction))).toEqual(
      new Set(sent.map(({transaction}) => transaction)),
    )
  })

  it('sends a timeout to its second output', async () => {
    user.forget()
    desk.setFaults({silence: true})
    await press('desk off')
    const {status, error} = await message(FAILED)
    desk.setFaults({})
    expect(status).toBe('error')
    expect(['timeout', 'expired']).toContain(error.code) // a poll may have been under way until then
    expect(user.on(DONE)).toEqual([])
  })

  it('raises the alarm once above 2000 W, and ends it below 1800 W', async () => {
    const from = user.messages.length
    for (const watts of [1900, 2000.5, 2100, 1850, 2300, 1799, 1900, 1700]) await measures(watts)
    const alarms = () =>
      user.messages.slice(from).flatMap(({topic, payload}) => (topic === ALARM ? [payload] : []))
    await until(() => alarms().includes('OFF'), {what: 'the end of the alarm'})
    await measures(2400)
    await until(() => alarms().length === 3, {what: 'another alarm'})
    expect(alarms()).toEqual(['ON', 'OFF', 'ON'])
    expect((await user.retained()).get(ALARM)).toBe('ON')
  })

  it('makes one point of the chart from all measurements since the last one', async () => {
    await measures(100)
    await user.waitFor(ALARM) // so it knows of the 100 W, too
    await press('every minute') // the message has all earlier values
    await user.waitFor(CHART)
    user.forget()
    await press('every minute')
    const {time, power} = await message(CHART)
    expect(power).toBe(100)
    expect(new Date(time).toISOString()).toBe(time)
    await measures(3000)
    await user.waitFor(ALARM)
    await press('every minute')
    const mixed = await message(CHART)
    expect(mixed.power).toBeGreaterThan(100)
    expect(mixed.power).toBeLessThan(3000)
  })

  it('reports a missing result, and draws nothing, while the bridge is stopped', async () => {
    await bridge.stop()
    user.forget()
    await user.publish('miio2mqtt/desk', '{"power":0}')
    await user.waitFor(ALARM) // the flow has received this, and so all earlier messages
    await press('every minute')
    await user.waitFor(CHART)
    user.forget()
    await press('desk on')
    await press('every minute')
    const {payload} = await user.waitFor(FAILED)
    expect(JSON.parse(payload)).toMatchObject({status: 'error', error: {code: 'no_result'}})
    expect(user.on(CHART)).toEqual([])
    expect(user.on(FAILED)).toHaveLength(1)
  })

  it('logged no error in Node-RED', () => {
    expect(nodeRed.log).toContain(`Node-RED version: v${nodeRed.version}`)
    expect(nodeRed.problems).toEqual([])
  })
})

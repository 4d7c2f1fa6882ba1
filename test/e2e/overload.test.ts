import {expect, it} from 'vitest'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

it('A bridge that cannot keep up polls all plugs less often and warns once, and commands are carried out as before.', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const desk = await startPlug()
  const lamp = await startPlug()
  let utilization = 0
  const clock = new SteadyClock(20)
  const bridge = await startBridge({broker, plugs: {desk, lamp}, clock, utilization: () => utilization})
  for (const name of ['desk', 'lamp'])
    await user.waitFor(`miio2mqtt/${name}/availability`, ({payload}) => payload.includes('online'))
  const factor = async (isWanted: (factor: number) => boolean) =>
    user.waitFor('miio2mqtt/bridge/health', ({payload}) => isWanted(JSON.parse(payload).poll_factor))

  utilization = 1
  await factor((value) => value > 1)
  for (const value of ['ON', 'OFF', 'ON'])
    expect(await home.publish('desk', 'set', value)).toMatchObject({status: 'ok', data: {state: value}})
  expect(await home.publish('lamp', 'get', '')).toMatchObject({status: 'ok'})
  expect(bridge.daemon.isAlive()).toBe(true)

  user.forget()
  utilization = 0
  await factor((value) => value === 1)
  const lines = () =>
    bridge.log.map(({message}) => String(message)).filter((text) => /^(cannot keep up|keeps up)/.test(text))
  await until(() => lines().length > 1, {what: 'the end of the overload'})
  expect(lines()).toEqual([
    expect.stringMatching(/^cannot keep up: polls every \d+ s in place of 1 s, /),
    expect.stringMatching(/^keeps up again: polls every 1 s; /),
  ])
  expect(bridge.log.filter(({message}) => String(message).includes('offline'))).toEqual([])
})

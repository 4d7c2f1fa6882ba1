import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {SteadyClock} from '../support/steady-clock.ts'
import {until} from '../support/wait.ts'

/** Retained messages are read for 2 s and cleared 5 s later: here in a fifth of that. */
const clock = new SteadyClock(5)
const broker = await startMosquitto()
const user = await Watcher.open(broker)
const recorder = await MessageRecorder.open(broker)
const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-poisoned-'))
afterAll(() => rm(folder, {recursive: true, force: true}))
const desk = await startPlug({address: loopback(1, 1), clock})

const falseMessages = {
  'miio2mqtt/bridge/devices': '[{"name":"evil/#"},{"name":"desk/set"},{"name":"bridge/x"},{"name":"attic"}]',
  'miio2mqtt/bridge/groups': `[{"name":"${'l/'.repeat(220)}l"},{"name":{}},{"__proto__":{"name":"x"}}]`,
  'homeassistant/device/zigbee_1/config': JSON.stringify({
    device: {identifiers: ['zigbee_1']},
    availability: [{topic: 'miio2mqtt/bridge/state'}],
  }),
  'homeassistant/device/miio2mqtt_deep/config': '['.repeat(50_000),
  'miio2mqtt/attic': 'left over',
}

describe('a broker with false retained lists', () => {
  it('Retained messages with false contents about the bridge end it neither at its first start nor at the next, and other software keeps its own.', async () => {
    for (const [topic, payload] of Object.entries(falseMessages))
      await user.publish(topic, payload, {retain: true, qos: 1})
    for (const _ of ['first', 'next']) {
      const bridge = await startBridge({broker, plugs: {desk}, clock, folder})
      await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'))
      await until(async () => !(await user.retained()).get('miio2mqtt/attic'), {
        within: 30_000,
        what: 'the stale messages to be cleared',
      })
      user.forget()
      await user.publish('miio2mqtt/desk/set', 'ON')
      await user.waitFor('miio2mqtt/desk/response', ({payload}) => payload.includes('"ok"'))
      await bridge.stop()
    }
    const cleared = recorder.messages.filter(({payload}) => payload === '').map(({topic}) => topic)
    expect(new Set(cleared)).toEqual(new Set(['miio2mqtt/attic', 'miio2mqtt/attic/availability']))
  })
})

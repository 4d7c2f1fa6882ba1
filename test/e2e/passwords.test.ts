import {describe, expect, it} from 'vitest'
import {startBridge, startPlug} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'

describe('a password that is a word of the messages', () => {
  it.each(['Temperature', 'chuangmi.plug.m1', 'Xiaomi', 'Mi Smart Plug'])(
    'is masked where it is the password, and nowhere else: %s',
    async (password) => {
      const broker = await startMosquitto()
      const user = await Watcher.open(broker, ['#'])
      const mqtt = {url: broker.url, username: 'plugs', password}
      const bridge = await startBridge({broker, plugs: {desk: await startPlug()}, config: {mqtt}})
      await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'), 30_000)
      await bridge.stop()
      const masked = user.messages.filter(({topic, payload}) => `${topic} ${payload}`.includes('***'))
      expect(new Set(masked.map(({topic}) => topic))).toEqual(new Set(['miio2mqtt/bridge/info']))
      for (const {payload} of masked) expect(JSON.parse(payload).config.mqtt.password).toBe('***')
    },
  )
})

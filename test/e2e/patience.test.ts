import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'

/** Longer than the messages below live, and shorter than a try. */
const SLOW = {delay: {fromMs: 1300, toMs: 1300}}

describe('a healthy plug that takes its time', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const plugs = {desk: await startPlug({address: loopback(1, 1)})}
  await startBridge({broker, plugs, config: {poll: {interval: '1h', slow_interval: '1h'}}})
  await home.waitForAvailability('desk', 'online')
  const {desk} = plugs

  it('stays online, however many callers lose patience', async () => {
    expect(await home.publish('desk', 'get', '')).toMatchObject({status: 'ok'}) // its clock is known from here on
    desk.setFaults(SLOW)
    const impatient = {properties: {messageExpiryInterval: 1}}
    for (const to of ['get', 'get/led', 'set']) {
      const results = await Promise.all(
        Array.from({length: 4}, () => home.publish('desk', to, to === 'set' ? 'TOGGLE' : '', impatient)),
      )
      const failed = results.filter(({status}) => status === 'error')
      for (const {error} of failed) expect(['timeout', 'expired']).toContain(error?.code)
      expect(failed).not.toEqual([])
    }
    desk.setFaults({})
    expect(await home.publish('desk', 'get', '')).toMatchObject({status: 'ok'})
    expect(home.availabilities('desk')).toEqual(['online'])
    expect(home.events('device_offline')).toEqual([])
  })
})

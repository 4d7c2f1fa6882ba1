import {describe, expect, it} from 'vitest'
import {countdown, miot, relay} from '../../src/models/builders.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import type {Model} from '../../src/models/model.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'

/** Its firmware counts hours; the property is in minutes. */
const hourly: Model = {
  ids: ['test.plug.hourly'],
  name: 'Plug that counts hours',
  vendor: 'Test',
  confidence: 'inferred',
  evidence: 'made up',
  properties: {
    state: relay(miot(2, 1)),
    countdown: countdown(miot(3, 1), {scale: 60, min: 1, max: 300, lane: 'fast'}),
  },
}

describe('a number that the firmware counts in larger steps', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const home = new CommandClient(broker, user)
  const catalogue = new Catalogue([hourly])
  const model = 'test.plug.hourly'
  const plugs = {desk: await startPlug({address: loopback(2, 1), model, catalogue})}
  await startBridge({broker, plugs, catalogue})
  await home.waitForAvailability('desk', 'online')

  it.each([
    ['100', 120],
    ['1', 60],
    ['300', 300],
  ])('for %s results in %s, which was written, shows that, and is no error', async (sent, written) => {
    const from = home.states('desk').length
    expect(await home.mosquittoPub('desk', 'set/countdown', sent)).toMatchObject({
      status: 'ok',
      data: {countdown: written},
    })
    await home.waitForState('desk', ({countdown}) => countdown === written, from)
    expect(await home.mosquittoPub('desk', 'get/countdown', '')).toMatchObject({data: {countdown: written}})
    const shown = home.states('desk').slice(from)
    expect(shown.map(({countdown}) => countdown).filter((value) => value !== written)).toEqual([])
    expect(home.warnings()).toEqual([])
  })

  it('is offered to Home Assistant in those steps', async () => {
    const messages = [...(await user.retained())].filter(([topic]) => topic.startsWith('homeassistant/'))
    const discovered = messages.map(([, payload]) => JSON.parse(payload).components.countdown)
    expect(discovered.find((found) => found)).toMatchObject({min: 60, max: 300, step: 60})
  })
})

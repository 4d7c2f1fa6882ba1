import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'

const broker = await startMosquitto()
const user = await Watcher.open(broker)
const desk = await startPlug({address: loopback(4, 1), profile: {infoShowsToken: true}})
await startBridge({broker, plugs: {desk}, config: {allow_raw_calls: true}})
await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'), 30_000)

let count = 0

async function request(verb: string, body: Record<string, unknown>, respondedOn = verb) {
  const transaction = `t${++count}`
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify({...body, transaction}))
  const {payload} = await user.waitFor(`miio2mqtt/bridge/response/${respondedOn}`, ({payload}) =>
    payload.includes(`"${transaction}"`),
  )
  return JSON.parse(payload)
}

describe('a raw call', () => {
  it('A raw call is answered without token, Wi-Fi and account.', async () => {
    const {status, data} = await request('device/call', {name: 'desk', method: 'miIO.info'})
    expect(status).toBe('ok')
    expect(data.result).toMatchObject({model: 'chuangmi.plug.m1', token: '***', ap: {ssid: '***'}})
    expect(JSON.stringify(data).toLowerCase()).not.toContain(TOKEN.toLowerCase())
  })

  it.each([
    'miIO.ota ',
    'miIO.ota\0',
    ' miIO.ota',
    'miIO.ota_install',
    'psm_erase',
    '_internal.restore',
    'get prop',
  ])('of %j is refused, and no packet goes to the plug', async (method) => {
    const {status, error} = await request('device/call', {name: 'desk', method})
    expect([status, error.code]).toEqual(['error', 'refused'])
    const sent = desk.received.map((packet) => JSON.stringify(packet)).join()
    expect(sent).not.toContain(method.trim())
  })
})

describe('a token in a request', () => {
  it('is in no response, and in no topic of one', async () => {
    await request(TOKEN, {}, '***')
    for (const spelling of [TOKEN.toUpperCase(), Buffer.from(TOKEN, 'hex').toString('base64')])
      expect(JSON.stringify(await request('device/poll', {name: spelling}))).toContain('***')
    const published = user.messages.filter(({topic}) => !topic.startsWith('miio2mqtt/bridge/request/'))
    expect(JSON.stringify(published).toLowerCase()).not.toContain(TOKEN.toLowerCase())
  })
})

/** docs/topics.md lists the error codes of results: each comes to a command for the reason that the list gives. */
import {describe, expect, it} from 'vitest'
import {CommandError, toCommandError} from '../../src/device/command-error.ts'
import {miot, relay} from '../../src/models/builders.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import {code, documentAt, firstColumn} from '../docs/markdown.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient, type Result} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'

const broker = await startMosquitto()
const user = await Watcher.open(broker)
const home = new CommandClient(broker, user)
const known = {model: 'chuangmi.plug.m1'}
const unknown = new Catalogue([
  {
    ...{ids: ['acme.plug.unknown'], name: '', vendor: '', confidence: 'inferred', evidence: ''},
    properties: {state: relay(miot(9, 9))},
  },
])
const slow = {delay: {fromMs: 300, toMs: 300}}
const desk = await startPlug()
const plugs = {
  desk,
  meter: await startPlug({model: 'chuangmi.plug.v3'}),
  timer: await startPlug({model: 'qmi.plug.psv3'}),
  silent: await startPlug({faults: {silence: true}}),
  stranger: await startPlug({faults: {wrongToken: 'nak'}}),
  exchanged: await startPlug(),
  nowhere: await startPlug(),
  undescribed: await startPlug({model: 'acme.plug.unknown', catalogue: unknown}),
  busy: await startPlug({faults: slow}),
  away: await startPlug(),
  twin: await startPlug({did: desk.did}),
}
await startBridge({
  broker,
  plugs,
  config: {poll: {interval: '1h', slow_interval: '1h', command_timeout: '5s'}},
  devices: {
    silent: {...known, poll: {command_timeout: '2s'}},
    stranger: known,
    exchanged: {...known, id: 4711},
    nowhere: {...known, host: undefined, id: 4712},
    away: {disabled: true},
  },
})
await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')
await user.waitFor('miio2mqtt/twin/availability', ({payload}) => payload.includes('duplicate'))

const set = (name: keyof typeof plugs, payload: string) => home.publish(name, 'set', payload)
const many = async (count: number, payload: (n: number) => string): Promise<Result[]> =>
  Promise.all(Array.from({length: count}, (_, n) => set('busy', payload(n))))
const failed = (results: readonly Result[], wanted: string) => {
  const result = results.find(({error}) => error?.code === wanted)
  return result ?? expect.fail(`expected one ${wanted}, got ${results.map(({error}) => error?.code)}`)
}

/** What is answered to a request to the bridge. */
async function request(verb: string, body: object): Promise<Result> {
  user.forget()
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify(body))
  return JSON.parse((await user.waitFor(`miio2mqtt/bridge/response/${verb}`)).payload)
}

interface Case {
  /** As the list says it. */
  when: string
  get: () => Promise<Result>
  says: RegExp
}

const cases: Readonly<Record<string, readonly Case[]>> = {
  timeout: [{when: 'the plug does not answer', get: () => set('silent', 'ON'), says: /did not answer/}],
  bad_token: [{when: 'the plug says so', get: () => set('stranger', 'ON'), says: /token/}],
  unreachable: [
    {when: 'its address is not known yet', get: () => set('nowhere', 'ON'), says: /4712/},
    {when: 'another device answers there', get: () => set('exchanged', 'ON'), says: /4711/},
  ],
  refused: [
    {
      when: 'the plug says no',
      get: () => {
        desk.next({refuse: {code: -5001, message: 'invalid_arg'}})
        return set('desk', 'ON')
      },
      says: /invalid_arg/,
    },
    {
      when: 'it does not tell what to toggle',
      get: () => {
        desk.next({garble: {payload: '{"id":$id,"result":[null,null,null]}'}})
        return set('desk', 'TOGGLE')
      },
      says: /cannot toggle/,
    },
    {
      when: 'a request is not allowed',
      get: () => request('device/call', {name: 'desk', method: 'miIO.info'}),
      says: /allow_raw_calls/,
    },
    {when: 'its model is not described', get: () => set('undescribed', 'ON'), says: /no definition/},
  ],
  invalid_payload: [
    {when: 'it is not JSON', get: () => set('desk', '{"state":'), says: /expected JSON/},
    {when: 'it is no known word', get: () => set('desk', 'maybe'), says: /expected ON, OFF or TOGGLE/},
    {when: 'it is nothing at all', get: () => set('desk', ''), says: /got nothing/},
    {
      when: 'a request names no plug',
      get: () => request('device/poll', {name: 'nobody'}),
      says: /no plug is called "nobody"/,
    },
    {when: 'it is too long', get: () => set('desk', 'x'.repeat(20_000)), says: /at most 16384 bytes/},
  ],
  unknown_property: [
    {
      when: 'the plug has none',
      get: () => set('desk', '{"usb":"ON"}'),
      says: /one of state, temperature, led/,
    },
  ],
  not_writable: [
    {when: 'it can only be read', get: () => set('meter', '{"power":3}'), says: /power can only be read/},
  ],
  out_of_range: [
    {
      when: 'it is above',
      get: () => set('timer', '{"countdown":1441}'),
      says: /expected 0 to 1440 min, got 1441/,
    },
    {
      when: 'it is below',
      get: () => set('timer', '{"countdown":-1}'),
      says: /expected 0 to 1440 min, got -1/,
    },
  ],
  superseded: [
    {
      when: 'a newer value came',
      get: async () => failed(await many(3, (n) => (n % 2 === 0 ? 'ON' : 'OFF')), 'superseded'),
      says: /newer value for state/,
    },
  ],
  queue_full: [
    {
      when: '32 wait',
      get: async () => failed(await many(40, () => 'TOGGLE'), 'queue_full'),
      says: /32 commands are waiting already/,
    },
  ],
  expired: [
    {
      when: 'its deadline passed before its turn',
      get: async () => failed(await many(32, () => 'TOGGLE'), 'expired'),
      says: /its deadline passed before it could be sent/,
    },
  ],
  disabled: [{when: 'the plug is disabled', get: () => set('away', 'ON'), says: /away is disabled/}],
  duplicate: [{when: 'two names are one plug', get: () => set('twin', 'ON'), says: /the same plug as desk/}],
}

describe('the code of a result', () => {
  it.each(
    Object.entries(cases).flatMap(([wanted, all]) => all.map((each) => [wanted, each.when, each] as const)),
  )('is %s when %s, and the message says what to look at', async (wanted, _, {get, says}) => {
    const {status, error} = await get()
    expect({status, code: error?.code}).toEqual({status: 'error', code: wanted})
    expect(error?.message).toMatch(says)
  })

  it('is internal for a mistake of the bridge, which no command can bring about', () => {
    expect(toCommandError(new TypeError('x is not a function'))).toMatchObject({code: 'internal'})
    expect(toCommandError(new CommandError('disabled', ''))).toMatchObject({code: 'disabled'})
  })

  it('is one of the list in docs/topics.md, and the list has no other', () => {
    const listed = firstColumn(documentAt('docs/topics.md'), '| code | means |').map(code)
    expect(listed.sort()).toEqual([...Object.keys(cases), 'internal'].sort())
  })
})

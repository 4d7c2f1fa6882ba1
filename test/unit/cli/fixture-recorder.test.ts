import {describe, expect, it} from 'vitest'
import {
  type FixtureExchange,
  personalTexts,
  ResponseRecorder,
  recordFixture,
} from '../../../src/cli/fixture-recorder.ts'
import {parseIdentity} from '../../../src/device/model-resolver.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'
import {Cipher} from '../../../src/miio/packet.ts'
import {miot, relay, textSensor, watts} from '../../../src/models/builders.ts'
import type {Model} from '../../../src/models/model.ts'

const DID = 200_100_001
const INFO = {
  model: 'acme.plug.one',
  fw_ver: '1.0.6',
  hw_ver: 'MW300',
  mac: '28:6C:07:0A:0B:0C',
  life: 1234,
  uid: 6_543_210_987,
  ap: {ssid: 'code', bssid: 'AA:BB:CC:00:11:22', rssi: -60},
  netif: {localIp: '192.168.1.40', gw: '192.168.1.1'},
}
const MODEL: Model = {
  ids: ['acme.plug.one'],
  name: '',
  vendor: '',
  confidence: 'inferred',
  evidence: '',
  batch: 2,
  pause: 1500,
  properties: {
    state: relay(miot(2, 1)),
    power: watts(miot(3, 1), {scale: 0.1}),
    note: textSensor('Note', miot(2, 2), {lane: 'rare'}),
  },
}

const cipher = new Cipher(Buffer.alloc(16, 7))
const sealed = (text: string) => cipher.seal(DID, 1, Buffer.from(text))

/** What is recorded when the plug responds with these datagrams, a list of them for each request. */
async function recorded(...responses: (readonly Buffer[])[]): Promise<FixtureExchange[]> {
  const recorder = new ResponseRecorder(cipher)
  const receive = (datagram: Buffer) => recorder.record('received', datagram)
  receive(sealed('{"id":0,"result":["too early"]}'))
  const identity = parseIdentity(INFO)
  const pauses: number[] = []
  const fixture = await recordFixture({
    identity,
    model: MODEL,
    personal: personalTexts(INFO, identity, DID),
    recorder,
    pause: async (ms) => pauses.push(ms),
    call: async () => {
      recorder.record('sent', sealed('{"id":1,"method":"get_properties"}'))
      const datagrams = responses.shift() ?? []
      for (const datagram of datagrams) receive(datagram)
      if (datagrams.length === 0) throw new MiioError('timeout', 'request', 'no answer')
    },
  })
  // A firmware that restarts under many requests gets them as slowly as from the bridge.
  expect(pauses).toEqual([1500, 1500])
  expect(fixture).toMatchObject({model: 'acme.plug.one', firmware: '1.0.6'})
  return fixture.exchanges
}

const item = (siid: number, piid: number, rest: string) => `{"siid":${siid},"piid":${piid},${rest}}`

describe('the recorder of fixtures', () => {
  it('keeps each response as it came, with the repairs it needs and what it means', async () => {
    const damaged = `{"id":1,"result":[${item(2, 1, '"code":0,"value":true')}${item(3, 1, '"code":0,"value":415')}]}`
    const [first, second] = await recorded(
      [sealed(`${damaged}\0`)],
      [sealed('{"id":2,"error":{"code":-30001,"message":"Resp invalid json."}}')],
    )
    expect(first).toEqual({
      method: 'get_properties',
      params: [
        {did: 'state', siid: 2, piid: 1},
        {did: 'power', siid: 3, piid: 1},
      ],
      reply: damaged,
      repairs: ['missing_comma'],
      state: {state: 'ON', power: 41.5},
    })
    expect(second).toEqual({
      method: 'get_properties',
      params: [{did: 'note', siid: 2, piid: 2}],
      reply: '{"id":2,"error":{"code":-30001,"message":"Resp invalid json."}}',
      error: {code: -30001, message: 'Resp invalid json.'},
    })
  })

  it('keeps what no repair can read, prefers what can be read, and leaves out requests without a response', async () => {
    expect(await recorded([], [sealed('?')])).toMatchObject([{reply: '?', unreadable: true}])
    const late = [
      sealed('{"id":2,"result":[]}'),
      sealed('?'),
      Buffer.from('no packet'),
      sealed('').subarray(0, 40),
    ]
    expect(await recorded(late)).toMatchObject([{reply: '{"id":2,"result":[]}', state: {state: null}}])
    await expect(recorded()).rejects.toThrow('no answer')
  })

  it('replaces what identifies the plug, its home and its owner, and keeps JSON what it is', async () => {
    const text = 'at 28:6c:07:0a:0b:0c, 286C070A0B0C, 192.168.1.40, aa:bb:cc:00:11:22, code'
    const [, second] = await recorded(
      [],
      [
        sealed(
          `{"id":2,"result":[${item(2, 2, `"did":${DID},"code":0,"value":"${text}"`)},"code",6543210987],"token":"x","ssid":7}`,
        ),
      ],
    ).then((exchanges) => [undefined, ...exchanges])
    expect(second?.reply).toBe(
      `{"id":2,"result":[${item(2, 2, '"did":111111111,"code":0,"value":"at 11:1x:11:1x:1x:1x, 111x111x1x1x, 111.111.1.11, xx:xx:xx:11:11:11, code"')},"xxxx",1111111111],"token":"***","ssid":"***"}`,
    )
    expect(second?.repairs).toBeUndefined()
  })
})

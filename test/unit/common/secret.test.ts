import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {maskedJson} from '../../../src/common/secret.ts'
import {withoutSecrets} from '../../../src/device/raw-calls.ts'
import {refusedError} from '../../../src/miio/miio-error.ts'
import {secretMask} from '../../../src/miio/packet-trace.ts'
import {checkProperty} from '../../support/seeds.ts'

const SECRET_KEYS = [
  ...[
    'token',
    'Token',
    'dtoken',
    'ssid',
    'bssid',
    'ap_ssid',
    'wifi_ssid',
    'passwd',
    'wifi_passwd',
    'password',
  ],
  ...[
    'pwd',
    'psk',
    'passphrase',
    'secret',
    'uid',
    'userId',
    'owner_id',
    'bind_key',
    'local_key',
    'ltmk',
    'wifiPass',
  ],
]
const OPEN_KEYS = ['model', 'mac', 'rssi', 'bypass', 'hotkey', 'uidx', 'method', 'did', 'power']
const SECRET = 'Zu Hause, "5 GHz" {1} \\ [2]'

describe('the answer of a plug, as it is shown', () => {
  it.each(SECRET_KEYS)('has no value of %s, of whatever kind it is', (key) => {
    const values = [SECRET, '', 1234567, -1.5e3, true, [SECRET, [1]], {a: SECRET, b: {c: [SECRET]}}]
    for (const value of values) {
      const text = JSON.stringify({id: 1, result: {before: 1, [key]: value, after: [2]}})
      expect(maskedJson(text)).toBe(`{"id":1,"result":{"before":1,"${key}":"***","after":[2]}}`)
      expect(maskedJson(JSON.stringify({[key]: value}, null, 2))).toBe(`{\n  "${key}": "***"\n}`)
    }
    expect(maskedJson(`{"${key}":null}`)).toBe(`{"${key}":null}`)
  })

  it.each(OPEN_KEYS)('has that of %s', (key) => {
    const text = JSON.stringify({[key]: [SECRET, 'token', {x: 1}]})
    expect(maskedJson(text)).toBe(text)
  })

  it('has none in JSON that stands as text in other JSON, however often', () => {
    let text = JSON.stringify({ssid: SECRET, rssi: -50, ap: {bssid: [SECRET], uid: 7}})
    let shown = '{"ssid":"***","rssi":-50,"ap":{"bssid":"***","uid":"***"}}'
    for (let times = 0; times < 4; times++) {
      text = JSON.stringify({result: [text]})
      shown = JSON.stringify({result: [shown]})
      expect(maskedJson(text)).toBe(shown)
    }
  })

  it('has none where the JSON is damaged or cut off', () => {
    const text = JSON.stringify({power: 'on', ap: {ssid: SECRET, list: [{passwd: 'hidden'}]}})
    for (let length = 0; length <= text.length; length++) {
      const shown = maskedJson(text.slice(0, length))
      expect(shown).not.toMatch(/Zu|Hause|GHz|hidden/)
      expect(shown.slice(0, 20)).toBe(text.slice(0, Math.min(length, 20)))
    }
    expect(maskedJson('{"ssid":,"power":00,"token":x,,}')).toBe('{"ssid":"***","power":00,"token":"***",,}')
  })

  it('is the same in the trace of a call and in its result', () => {
    const key = fc.constantFrom(...SECRET_KEYS, ...OPEN_KEYS)
    const {value} = fc.letrec((tie) => ({
      value: fc.oneof(
        {depthSize: 'small'},
        fc.string({unit: 'binary'}),
        fc.integer(),
        fc.boolean(),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('value'), {maxLength: 3}),
      object: fc.dictionary(key, tie('value'), {maxKeys: 4, noNullPrototype: true}),
    }))
    const mask = secretMask(Buffer.alloc(16, 0xab))
    checkProperty(
      fc.property(fc.dictionary(key, value, {noNullPrototype: true}), (answer) => {
        const traced = mask(JSON.stringify({id: 1, result: answer}))
        expect(JSON.parse(traced)).toEqual({id: 1, result: withoutSecrets(answer)})
      }),
    )
  })

  it('is masked in a refusal, too', () => {
    const message = JSON.stringify({ssid: SECRET, at: 'set'})
    expect(refusedError('desk', 'get_prop', {code: -1, message}).message).toBe(
      'desk refused get_prop with code -1 "{\\"ssid\\":\\"***\\",\\"at\\":\\"set\\"}"',
    )
  })
})

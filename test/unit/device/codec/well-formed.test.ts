import {describe, expect, it} from 'vitest'
import {json} from '../../../../src/bridge/publisher.ts'
import {fromFirmware} from '../../../../src/device/codec/values.ts'
import {parseIdentity} from '../../../../src/device/model-resolver.ts'
import {miot, textSensor} from '../../../../src/models/builders.ts'

/** Halves of characters in the ways that a plug, a request or a file can have them. */
const HALVES = ['\ud800', '\udfff', 'a\ud83d', '\udc00b', '\ude00\ud83d', 'ok\ud800\ud800']
const WHOLE = ['', 'plug', '😀', '灯\ufffd', String.raw`\ud800`, String.raw`\\ud800`, 'a\\']
const isWhole = (value: string) => !/\p{Cs}/u.test(value)

describe('text from a plug', () => {
  it.each(HALVES)(
    'has no half of a character where it is taken for its identity or its state: %j',
    (half) => {
      const info = {model: `acme.plug.${half}`, fw_ver: half, hw_ver: `x${half}`, mac: half}
      const identity = parseIdentity(info)
      expect(Object.values(identity).every(isWhole)).toBe(true)
      expect(identity.model).toMatch(/^acme\.plug\..*\ufffd/)
      expect(isWhole(String(fromFirmware(textSensor('Schedule', miot(2, 1)), half)))).toBe(true)
    },
  )
})

describe('what is published as JSON', () => {
  it.each(HALVES)('has no escape of half a character, which strict readers refuse: %j', (half) => {
    const {payload} = json('t', {[half]: [half, {deep: `${half}x`}], transaction: half})
    expect(payload).not.toMatch(/\\ud[89a-f]/i)
    const values = JSON.stringify(JSON.parse(payload))
    expect(values).toContain('\ufffd')
  })

  it.each(WHOLE)('is what it was otherwise: %j', (whole) => {
    const value = {[whole]: [whole, `${whole}${whole}`]}
    expect(JSON.parse(json('t', value).payload)).toEqual(value)
  })
})

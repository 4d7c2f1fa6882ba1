import {describe, expect, test} from 'vitest'
import {parseResponse, UnreadableResponse} from '../../../src/miio/json-repair.ts'
import {Cipher, parsePacket} from '../../../src/miio/packet.ts'
import {BAD_JSON, RESPONSES, TOKEN} from './vectors.ts'

describe('what firmware really sends', () => {
  test.each(BAD_JSON)('$name carries the payload of its plain text', ({plain, hex}) => {
    expect(opened(hex).toString('latin1')).toBe(plain)
  })

  for (const bad of BAD_JSON)
    test(`${bad.name}: ${bad.why}`, () => {
      if ('refused' in bad) {
        expect(() => parseResponse(opened(bad.hex))).toThrow(UnreadableResponse)
        expect(() => parseResponse(opened(bad.hex))).toThrow(bad.refused)
      } else {
        const {id, result, repairs} = bad
        expect(parseResponse(opened(bad.hex))).toEqual({response: {id, result}, repairs})
      }
    })

  test.each(RESPONSES)('$name needs no repair', ({hex, plain}) => {
    const {id, result, error} = JSON.parse(plain.replace(/\0$/, ''))
    const {response, repairs} = parseResponse(opened(hex))
    expect(response).toEqual(error ? {id, error} : {id, result})
    expect(repairs).toEqual([])
  })
})

describe('repairs', () => {
  test('add up in one message', () => {
    const {response, repairs} = read('\0{"id":1,"result":[nan,,00],,"exe_time":}\0k')
    expect(response).toEqual({id: 1, result: [null, null, 0]})
    expect(repairs).toEqual([
      'leading_nul',
      'text_after_nul',
      'not_a_number',
      'double_zero',
      'empty_slot',
      'empty_member',
      'empty_value',
    ])
  })

  test('never move a value: the strip that did not know two of ten names', () => {
    const {response} = read('{"result":["off",50,1,"normal",0,,,23057,12,8],"id":1}')
    expect(response.result).toEqual(['off', 50, 1, 'normal', 0, null, null, 23057, 12, 8])
  })

  test('leave the text inside strings alone', () => {
    const ssid = 'a,,b}{ [,] :, 00 nan \\" \\\\'
    const {response} = read(`{"id":1,"result":{"ssid":"${ssid}","x":,"y":00}}`)
    expect(response.result).toEqual({ssid: 'a,,b}{ [,] :, 00 nan " \\', x: null, y: 0})
  })

  test('leave empty lists and empty objects empty', () => {
    expect(read('{"id":1,"result":[[],{},[[]]],,"x":{}}').response.result).toEqual([[], {}, [[]]])
  })

  test('reach nested lists and first and last slots', () => {
    expect(read('{"id":1,"result":[,[1,,2],[,],3,]}').response.result).toEqual([
      null,
      [1, null, 2],
      [null, null],
      3,
      null,
    ])
  })

  test('drop commas that separate no members', () => {
    expect(read('{,"id":1,,,"result":{"a":1,},}').response).toEqual({id: 1, result: {a: 1}})
  })

  test('make every way to print no number unknown', () => {
    expect(read('{"id":1,"result":[-nan,NaN,inf,-Infinity]}').response.result).toEqual([
      null,
      null,
      null,
      null,
    ])
  })

  test.each([
    [
      'a text cut off in a string, whose rest is left over from an earlier one',
      '{"id":1,"result":["o\0ff"]}',
    ],
    ['a text cut off after a backslash', '{"id":1,"result":["o\\'],
    ['two objects', '{"id":1,"result":[1]}{"id":1,"result":[2]}'],
    ['numbers that white space separates', '{"id":1,"result":[1 2],"x":,}'],
    ['numbers in no notation of JSON', '{"id":1,"result":[05]}'],
    ['members without a comma', '{"id":1,"result":["on"]"x":1}'],
    ['words', 'offline'],
    ['a number', '5'],
    ['null', 'null'],
    ['neither a result nor an error', '{"id":1,"method":"props","params":{}}'],
    ['an error of no known form', '{"id":1,"error":"no"}'],
    ['one name twice, once written in escapes', '{"id":1,"r":1,"result":["on"],"resul\\u0074":["off"]}'],
    ['one name twice, deep inside', '{"id":1,"result":[{"siid":2,"value":true,"value":false}]}'],
    ['__proto__', '{"id":1,"result":{"__proto__":{"on":true}}}'],
    ['very deep nesting', `{"id":1,"result":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
  ])('do not guess: %s', (_, text) => {
    expect(() => read(text)).toThrow(UnreadableResponse)
  })
})

describe('a reply', () => {
  test('may have "error":null beside its result', () => {
    expect(read('{"id":1,"error":null,"result":[0]}').response).toEqual({id: 1, result: [0]})
  })

  test('is an error where there is both', () => {
    expect(read('{"id":1,"error":{"code":-5},"result":["ok"]}').response).toEqual({
      id: 1,
      error: {code: -5, message: ''},
    })
  })

  test.each(['{"result":[]}', '{"id":"1","result":[]}', '{"id":1.5,"result":[]}', '{"id":null,"result":[]}'])(
    'without a whole number as its id has none: %s',
    (text) => {
      expect(read(text).response).toEqual({id: undefined, result: []})
    },
  )
})

function read(text: string) {
  return parseResponse(Buffer.from(text, 'utf8'))
}

function opened(hex: string): Buffer {
  const packet = parsePacket(Buffer.from(hex, 'hex'))
  if (packet.kind !== 'message') throw new Error('expected a message')
  return new Cipher(TOKEN).open(packet)
}

import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {closestWord, levenshtein} from '../../../../src/common/suggestion.ts'
import {notWritable, unknownProperty} from '../../../../src/device/codec/validation.ts'
import {checkProperty} from '../../../support/seeds.ts'

const WRITABLE = ['state', 'usb', 'led']
const ALL = ['state', 'usb', 'temperature', 'led', 'power', 'energy', 'energy_today', 'rssi', 'last_seen']

describe('a property that a plug has not got', () => {
  it.each([
    ['State', 'state'],
    ['STATE', 'state'],
    [' state ', 'state'],
    ['sate', 'state'],
    ['power', 'state'],
    ['POWER', 'state'],
    ['relay', 'state'],
    ['switch', 'state'],
    ['on', 'state'],
    ['LED', 'led'],
    ['wifi_led', 'led'],
    ['usb_on', 'usb'],
  ])('%j that was to be set was probably %s', (name, meant) => {
    expect(unknownProperty(name, ALL, WRITABLE).message).toBe(
      `expected one of ${ALL.join(', ')}, got ${name}, did you mean ${meant}?`,
    )
  })

  it.each([
    ['POWER', 'power'],
    ['consumption', 'power'],
    ['kwh', 'energy'],
    ['energyToday', 'energy_today'],
    ['temp', 'temperature'],
    ['signal', 'rssi'],
  ])('%s that was to be read was probably %s', (name, meant) => {
    expect(unknownProperty(name, ALL, ALL).message).toMatch(new RegExp(`, did you mean ${meant}\\?$`))
  })

  it.each(['colour', 'brightness', 'x', '', 'constructor', 'x'.repeat(100)])(
    '%j was none of them',
    (name) => {
      expect(unknownProperty(name, ALL, ALL).message).not.toMatch(/did you mean/)
    },
  )

  it('on a strip is that of its first socket', () => {
    expect(unknownProperty('power', ['state_1', 'state_2'], ['state_1', 'state_2']).message).toMatch(
      /did you mean state_1\?$/,
    )
  })
})

describe('a property that can only be read', () => {
  it('was probably the relay when it was to be switched', () => {
    expect(notWritable('power', 'ON', WRITABLE).message).toBe('power can only be read, did you mean state?')
    expect(notWritable('power', 3, WRITABLE).message).toBe('power can only be read')
    expect(notWritable('temperature', 'ON', WRITABLE).message).toBe('temperature can only be read')
  })
})

describe('the nearest word', () => {
  it('is found among ten thousand without comparing what is too long or too different', () => {
    const many = Array.from({length: 10_000}, (_, at) => `plug-${at}`)
    expect(closestWord('Plug_9999', many)).toBe('plug-9999')
    expect(closestWord('a'.repeat(1_000_000), many)).toBeUndefined()
    expect(closestWord('plug', ['p'.repeat(1_000_000)])).toBeUndefined()
  })

  it.each([
    ['tv', ['to', 'a']],
    ['on', ['off', 'usb']],
    ['house', ['desk', 'lamp', 'kettle']],
    ['x', ['a']],
    ['', ['a', 'ab']],
  ])('of %j is none of %j', (word, known) => {
    expect(closestWord(word, known)).toBeUndefined()
  })

  it.each([
    ['recieve', 'receive'],
    ['kettel', 'kettle'],
    ['hall lamp', 'hall-lamp'],
    ['Büro', 'bu\u0308ro'],
  ])('of %s is %s', (word, meant) => {
    expect(closestWord(word, ['other', meant])).toBe(meant)
  })
})

describe('the distance of two words', () => {
  const word = fc.string({unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6})

  /** By its definition, step by step from the ends. */
  function bySteps(a: string, b: string): number {
    if (a === '' || b === '') return a.length + b.length
    const [x, y] = [a.at(-1), b.at(-1)]
    const ways = [
      bySteps(a.slice(0, -1), b) + 1,
      bySteps(a, b.slice(0, -1)) + 1,
      bySteps(a.slice(0, -1), b.slice(0, -1)) + (x === y ? 0 : 1),
    ]
    if (x === b.at(-2) && y === a.at(-2)) ways.push(bySteps(a.slice(0, -2), b.slice(0, -2)) + 1)
    return Math.min(...ways)
  }

  it('is the fewest letters to add, take away, change or swap', () => {
    checkProperty(
      fc.property(word, word, fc.nat(4), (a, b, most) => {
        const slips = bySteps(a, b)
        expect(levenshtein(a, b)).toBe(slips)
        expect(levenshtein(a, b, most)).toBe(slips <= most ? slips : Number.POSITIVE_INFINITY)
      }),
      {numRuns: 100},
    )
  })
})

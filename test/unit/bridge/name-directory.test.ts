import {describe, expect, it} from 'vitest'
import {closestName} from '../../../src/bridge/name-directory.ts'

describe('the nearest name', () => {
  it.each([
    ['Desk', 'desk'],
    ['dekk', 'desk'],
    ['desk', 'office/desk', ['office/desk', 'lamp']],
    ['office/desk', 'desk'],
    ['kettel', 'kettle'],
    ['tv', undefined],
    ['x', undefined],
    ['', undefined],
    ['x'.repeat(60_000), undefined],
  ])('%.20s is %s', (name, expected, known = ['desk', 'lamp', 'kettle', 'a']) => {
    expect(closestName(name, known)).toBe(expected)
  })
})

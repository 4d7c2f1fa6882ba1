import {expect, it} from 'vitest'
import {closestKey} from '../../../src/common/suggestion.ts'

const KEYS = ['host', 'port', 'icon', 'token', 'homeassistant']

it.each([
  ['hots', 'host'],
  ['HOST_', 'host'],
  ['tokn', 'token'],
  ['homeasistnat', 'homeassistant'],
])('%s is probably %s', (word, key) => {
  expect(closestKey(word, KEYS)).toBe(key)
})

it.each(['hosted', 'hostid', 'portal', 'iconic', 'x'.repeat(100)])(
  '%s is none of the keys: a short key allows one typo, however long the word is',
  (word) => {
    expect(closestKey(word, KEYS)).toBeUndefined()
  },
)

import {expect, it} from 'vitest'
import {plugLabel} from '../../../src/bridge/plug.ts'

it('The label of a plug in the log is its name, with its address when that is known.', () => {
  expect(plugLabel({name: 'desk', address: '192.168.1.40'})).toBe('desk (192.168.1.40)')
  expect(plugLabel({name: 'office/desk', address: undefined})).toBe('office/desk')
})

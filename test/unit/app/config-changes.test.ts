import {describe, expect, it} from 'vitest'
import {configChangesText, findRenames} from '../../../src/app/config-changes.ts'
import {type Config, parseConfig} from '../../../src/config/config.ts'

const A = '00112233445566778899aabbccddeef0'
const B = '00112233445566778899aabbccddeef1'

function config(devices: Record<string, unknown>, more: Record<string, unknown> = {}): Config {
  const text = JSON.stringify({devices, ...more})
  return parseConfig(text, {file: 'config.yaml', env: {}, readFile: () => ''})
}

const desk = {host: '192.168.1.40', token: A}
const lamp = {host: '192.168.1.41', token: B}

/** The log line about the change, for plugs that never answered. */
function changesText(before: Config, after: Config): string {
  const [old, now] = [Object.keys(before.devices), Object.keys(after.devices)]
  const added = now.filter((name) => !old.includes(name))
  const removed = old.filter((name) => !now.includes(name))
  const same = now.filter((name) => old.includes(name))
  const changed = same.filter(
    (name) => JSON.stringify(before.devices[name]) !== JSON.stringify(after.devices[name]),
  )
  const unheard = (names: string[]) => names.map((name) => ({name, did: undefined}))
  const renames = findRenames(unheard(removed), unheard(added), before, after)
  return configChangesText(before, after, {added, changed, removed}, renames)
}

describe('a new configuration in the log', () => {
  it.each([
    ['nothing changed', {desk}, {desk}],
    ['added lamp', {desk}, {desk, lamp}],
    ['removed lamp', {desk, lamp}, {desk}],
    ['changed desk (area, qos)', {desk: {...desk, area: 'Hall'}}, {desk: {...desk, qos: 0}}],
    ['renamed desk to office/desk', {desk, lamp}, {'office/desk': desk, lamp}],
    ['renamed desk to table (area)', {desk}, {table: {...desk, area: 'Hall'}}],
    ['renamed desk to table; added lamp', {desk}, {table: desk, lamp}],
    [
      'renamed a to b (host)',
      {a: {id: 4711, host: '192.168.1.40', token: A}},
      {b: {id: 4711, host: '192.168.1.99', token: A}},
    ],
    ['added table; removed desk', {desk}, {table: {...desk, token: B}}],
  ])('says: %s', (expected, before, after) => {
    expect(changesText(config(before), config(after))).toBe(expected)
  })

  it('names the groups and the other settings that differ', () => {
    const before = config({desk, lamp}, {groups: {evening: {members: ['desk']}, night: {members: ['lamp']}}})
    const after = config(
      {desk, lamp},
      {groups: {evening: {members: ['lamp']}, day: {members: ['lamp']}}, log: {level: 'debug'}},
    )
    expect(changesText(before, after)).toBe('groups changed: evening, night, day; settings changed: log')
  })

  it('with many plugs has their number and the first of them', () => {
    const many = Object.fromEntries(
      Array.from({length: 120}, (_, at) => [`p${at}`, {host: `192.168.1.${at + 50}`, token: A}]),
    )
    expect(changesText(config({}), config(many))).toBe('added 120 plugs: p0, p1, p2, p3, p4 and 115 more')
  })

  it('contains no secret: a token that changed is named, and not shown', () => {
    const changed = changesText(config({desk}), config({desk: {...desk, token: B}}))
    expect(changed).not.toMatch(/[0-9a-f]{8}/)
  })

  it('recognizes a plug that has answered by its device id, whatever its address', () => {
    const [before, after] = [config({desk}), config({table: {host: '192.168.1.77', token: B}})]
    const renames = findRenames([{name: 'desk', did: 7}], [{name: 'table', did: 7}], before, after)
    expect(renames).toEqual([{from: 'desk', to: 'table'}])
  })
})

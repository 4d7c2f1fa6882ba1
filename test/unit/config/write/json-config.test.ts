import {describe, expect, it} from 'vitest'
import type {ConfigEdit} from '../../../../src/bridge/requests/bridge-actions.ts'
import {editYaml} from '../../../../src/config/write/edit.ts'
import {TOKEN} from '../../../support/token.ts'

const config = {
  mqtt: {url: 'mqtt://localhost:1883', keepalive: '15s'},
  poll: {interval: 2.5, offline_after: 3},
  devices: {
    desk: {host: '192.0.2.1', token: TOKEN, qos: 1, retain: true, area: 'Büro "oben"'},
    'kitchen/kettle': {host: '192.0.2.2', token: TOKEN, filtered: ['led', 'usb']},
  },
  groups: {all: {members: ['desk', 'kitchen/kettle']}},
}

const edits: [name: string, edit: ConfigEdit, changed: (copy: typeof config) => unknown][] = [
  [
    'a rename',
    {path: ['devices', 'desk'], rename: 'office/desk'},
    ({devices: {desk, ...devices}, ...copy}) => ({...copy, devices: {...devices, 'office/desk': desk}}),
  ],
  [
    'a plug more',
    {
      path: ['devices', 'x: y'],
      put: {host: 'h', token: TOKEN, qos: 0, retain: false, poll: {interval: 1.5}, area: '1'},
    },
    (copy) => ({
      ...copy,
      devices: {
        ...copy.devices,
        'x: y': {host: 'h', token: TOKEN, qos: 0, retain: false, poll: {interval: 1.5}, area: '1'},
      },
    }),
  ],
  [
    'a plug less',
    {path: ['devices', 'desk'], drop: true},
    ({devices: {desk: _, ...devices}, ...copy}) => ({...copy, devices}),
  ],
  [
    'other members of a group',
    {path: ['groups', 'all', 'members'], put: ['desk', 'true', '5']},
    (copy) => ({...copy, groups: {all: {members: ['desk', 'true', '5']}}}),
  ],
  [
    'a text with everything in it',
    {path: ['devices', 'desk', 'description'], put: 'a: "b" #c\n\\ {x} null ü \u2028'},
    (copy) => ({
      ...copy,
      devices: {
        ...copy.devices,
        desk: {...copy.devices.desk, description: 'a: "b" #c\n\\ {x} null ü \u2028'},
      },
    }),
  ],
]

describe.each(edits)('%s in a config.yaml that is JSON', (_, edit, changed) => {
  it.each([
    ['spread over lines', 2],
    ['with tabs', '\t'],
    ['on one line', undefined],
  ])('leaves it JSON, %s', (_, indent) => {
    const before = `${JSON.stringify(config, null, indent)}\n`
    const after = editYaml(before, 'config.yaml', [edit]).text
    expect(JSON.parse(after)).toEqual(changed(structuredClone(config)))
    expect(after.endsWith('}\n')).toBe(true)
    expect(after.includes('\n  "') || after.includes('\n\t"')).toBe(indent !== undefined)
  })
})

describe('JSON', () => {
  it('keeps the order of its keys, its numbers and what stands on one line', () => {
    const before =
      '{\n  "groups": {},\n  "devices": {\n    "2": {"host": "h", "port": 54321},\n    "1": {"host": "i"}\n  }\n}\n'
    expect(editYaml(before, 'config.yaml', [{path: ['devices', '1', 'area'], put: 'Hall'}]).text).toBe(
      before.replace('{"host": "i"}', '{"host": "i", "area": "Hall"}'),
    )
  })

  it('is written for an empty JSON file, too, and keeps a byte order mark', () => {
    const put = {path: ['devices', 'desk'], put: {host: 'h'}}
    expect(JSON.parse(editYaml('{}', 'config.yaml', [put]).text)).toEqual({devices: {desk: {host: 'h'}}})
    expect(editYaml('\ufeff{}\n', 'config.yaml', [put]).text).toMatch(/^\ufeff\{.*\}\n$/s)
  })

  it('is not written for YAML that has brackets', () => {
    const before = `devices: {desk: {host: h}} # mine\n`
    expect(editYaml(before, 'config.yaml', [{path: ['devices', 'desk', 'area'], put: 'Hall'}]).text).toBe(
      'devices: {desk: {host: h, area: Hall}} # mine\n',
    )
  })
})

import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {edited} from '../../../src/config/edit.ts'
import {ConfigError} from '../../../src/config/problems.ts'
import {parseConfig} from '../../../src/config.ts'
import {TOKEN} from '../../support/token.ts'

const text = `# my plugs
mqtt:
    url: mqtt://localhost:1883   # the broker
    password: !env MQTT_PASSWORD

devices:
    # beside the window
    desk: {host: 192.168.1.40, token: !secret desk_token}   # the lamp
    kitchen/kettle:
        id: 123456789
        token: 00000000000000000000000000000123 # not a number
        # careful: it boils
        area: "Kitchen"

    # must never be off
    fridge:
        host: 192.168.1.41
        token: !file /run/secrets/fridge
`
/** Spaces before a comment behind a value are not kept. */
const tidy = text.replaceAll(/(\S) +#/g, '$1 #')
const edit = (...edits: Parameters<typeof edited>[2]) => edited(text, 'config.yaml', edits)
const comments = (yaml: string) => Array.from(yaml.matchAll(/#.*$/gm), ([comment]) => comment.trim())

describe('config.yaml, when a request edits it', () => {
  it('gets a plug at the end of its plugs, and is otherwise as somebody wrote it', () => {
    const added = edit({path: ['devices', 'heater'], put: {host: '192.168.1.42', token: TOKEN}})
    expect(added).toBe(`${tidy}    heater:\n        host: 192.168.1.42\n        token: ${TOKEN}\n`)
  })

  it('loses a plug, and no comment of another', () => {
    const removed = edit({path: ['devices', 'kitchen/kettle'], drop: true})
    expect(removed).not.toContain('kettle')
    expect(comments(removed)).toEqual([
      '# my plugs',
      '# the broker',
      '# beside the window',
      '# the lamp',
      '# must never be off',
    ])
  })

  it('has a renamed plug in the same place, with its comments', () => {
    const renamed = edit({path: ['devices', 'fridge'], rename: 'garage: fridge #2'})
    expect(renamed).toBe(tidy.replace('    fridge:', '    "garage: fridge #2":'))
    expect(comments(renamed)).toEqual(expect.arrayContaining(['# must never be off']))
  })

  it('keeps what stands for a secret as it is', () => {
    const changed = edit({path: ['devices', 'desk', 'area'], put: 'Office'})
    expect(changed).toContain(
      'desk: {host: 192.168.1.40, token: !secret desk_token, area: Office} # the lamp',
    )
  })

  it('gets a section that was not there, and one that was empty', () => {
    const groups = edit({path: ['groups', 'evening'], put: {members: ['desk', 'fridge']}})
    expect(groups).toMatch(/groups:\n {4}evening:\n {8}members:\n {12}- desk\n {12}- fridge\n$/)
    const first = {path: ['devices', 'desk'], put: {host: '1.2.3.4', token: TOKEN}} as const
    for (const before of ['devices:\n', 'devices: {}\n', ''])
      expect(edited(before, 'config.yaml', [first])).toBe(
        `devices:\n  desk:\n    host: 1.2.3.4\n    token: ${TOKEN}\n`,
      )
  })

  it('says what is wrong when there is nothing to rename, or the text is no YAML', () => {
    expect(() => edit({path: ['devices', 'lamp'], rename: 'light'})).toThrow(ConfigError)
    expect(() => edited('devices: [', 'config.yaml', [])).toThrow(ConfigError)
  })

  it('reads back whatever was written, however it looks', () => {
    fc.assert(
      fc.property(fc.string({unit: 'grapheme', minLength: 1}), (description) => {
        const put = {host: '192.168.1.40', token: TOKEN, description}
        const config = parseConfig(edited('', 'config.yaml', [{path: ['devices', 'desk'], put}]), {
          file: 'config.yaml',
          env: {},
        })
        expect(config.devices['desk']?.description).toBe(description)
      }),
    )
  })
})

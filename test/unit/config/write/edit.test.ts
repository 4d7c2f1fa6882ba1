import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {parseConfig} from '../../../../src/config/config.ts'
import {ConfigError} from '../../../../src/config/config-error.ts'
import {editYaml} from '../../../../src/config/write/edit.ts'
import {checkProperty} from '../../../support/seeds.ts'
import {TOKEN} from '../../../support/token.ts'

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
const sections = `# plugs
devices:
  # -- ground floor --
  desk: {host: 192.168.1.40, token: !secret desk} # the desk

  # -- cellar --

  # beside the stairs
  lamp:
    host: 192.168.1.41 # fixed
    token: !secret lamp
    area: Stairs # it moves
    poll:
      interval: 1s # quick
    # and no more of it
  # nothing yet

# together
groups:
  all:
    members:
      - desk # where I sit
      - lamp # where I do not
# the end
`
/** Spaces before a comment behind a value are not kept. */
const tidy = text.replaceAll(/(\S) +#/g, '$1 #')
const edit = (...edits: Parameters<typeof editYaml>[2]) => editYaml(text, 'config.yaml', edits).text
const comments = (yaml: string) => Array.from(yaml.matchAll(/#.*$/gm), ([comment]) => comment.trim())

describe('config.yaml, when a request edits it', () => {
  it('gets a plug at the end of its plugs, and stays as it was otherwise', () => {
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

  it('keeps tags as they are', () => {
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
      expect(editYaml(before, 'config.yaml', [first]).text).toBe(
        `devices:\n  desk:\n    host: 1.2.3.4\n    token: ${TOKEN}\n`,
      )
  })

  it('is refused with a reason when there is nothing to rename, or the text is no YAML', () => {
    expect(() => edit({path: ['devices', 'lamp'], rename: 'light'})).toThrow(ConfigError)
    expect(() => editYaml('devices: [', 'config.yaml', []).text).toThrow(ConfigError)
  })

  it('keeps the headings of what comes next, when the last of a section goes', () => {
    const removed = editYaml(sections, 'config.yaml', [
      {path: ['devices', 'lamp'], drop: true},
      {path: ['groups', 'all'], drop: true},
    ]).text
    expect(removed).toBe(`# plugs
devices:
  # -- ground floor --
  desk: {host: 192.168.1.40, token: !secret desk} # the desk

  # -- cellar --

  # nothing yet

# together
groups: {}

# the end
`)
    expect(
      editYaml(removed, 'config.yaml', [{path: ['groups', 'all'], put: {members: ['desk']}}]).text,
    ).toMatch(/# together\ngroups:\n {2}all:\n {4}members:\n {6}- desk\n\n# the end\n$/)
  })

  it('keeps the comments on what is only changed: a value, a list, and what stays in it', () => {
    const changed = editYaml(sections, 'config.yaml', [
      {path: ['devices', 'lamp', 'area'], put: 'Hall'},
      {path: ['devices', 'lamp', 'poll'], put: {interval: 2, slow_interval: '1m'}},
      {path: ['devices', 'desk'], rename: 'table'},
      {path: ['groups', 'all', 'members'], put: ['table', 'lamp', 'fan']},
    ]).text
    expect(comments(changed)).toEqual(comments(sections))
    expect(changed).toContain('area: Hall # it moves')
    expect(changed).toContain('interval: 2 # quick')
    expect(changed).toContain('- table # where I sit')
    const fewer = editYaml(changed, 'config.yaml', [{path: ['groups', 'all', 'members'], put: ['lamp']}]).text
    expect(comments(fewer)).toEqual(comments(sections).filter((comment) => comment !== '# where I sit'))
  })

  it('keeps every comment, wherever it stands', () => {
    const lines = sections.split('\n')
    const remarks = fc.array(fc.tuple(fc.nat(lines.length), fc.nat(8), fc.boolean()), {maxLength: 12})
    checkProperty(
      fc.property(remarks, fc.constantFrom('desk', 'lamp', 'fan'), (places, name) => {
        const withComments = lines.flatMap((line, index) => [
          ...places.flatMap(([at, indent, isApart], remark) =>
            at === index ? [...(isApart ? [''] : []), `${' '.repeat(indent)}# remark ${remark}`] : [],
          ),
          line,
        ])
        const before = withComments.join('\n')
        const path = ['devices', name, 'description']
        const once = editYaml(before, 'config.yaml', [{path, put: 'one'}]).text
        expect(comments(once)).toEqual(comments(before))
        expect(comments(editYaml(once, 'config.yaml', [{path, drop: true}]).text)).toEqual(comments(before))
        const without = comments(
          editYaml(once, 'config.yaml', [{path: ['devices', 'lamp'], drop: true}]).text,
        )
        const [above = '', below = ''] = before.split(/(?<=# -- cellar --\n).*(?=\n {2}# nothing yet)/s)
        expect(without).toEqual(expect.arrayContaining([...comments(above), ...comments(below)]))
        expect(comments(before).filter((comment) => without.includes(comment))).toEqual(without)
      }),
      {numRuns: 100},
    )
  })

  it('takes numbers, switches, and words that mean nothing or something else elsewhere', () => {
    const put = {
      host: '192.168.1.40',
      token: TOKEN,
      qos: 1,
      retain: false,
      poll: {interval: 2.5},
      homeassistant: {name: 'null'},
      filtered: ['led'],
    }
    const read = (name: string) =>
      parseConfig(editYaml('', 'config.yaml', [{path: ['devices', name], put}]).text, {
        file: 'config.yaml',
        env: {},
      })
    for (const name of ['<<', 'null', '~', '[x]', '!x', '*x'])
      expect(read(name).devices[name]).toMatchObject({
        qos: 1,
        retain: false,
        poll: {interval: 2500},
        homeassistant: {name: 'null'},
        filtered: ['led'],
      })
  })

  it('is not edited where one value stands for two places', () => {
    const twice = `devices:\n  desk: &desk {host: 192.168.1.40, token: ${TOKEN}}\n  lamp: *desk\n`
    for (const change of [
      {path: ['devices', 'desk'], drop: true},
      {path: ['devices', 'lamp', 'area'], put: 'Hall'},
      {path: ['devices', 'lamp', 'token'], drop: true},
    ] as const)
      expect(() => editYaml(twice, 'config.yaml', [change]).text).toThrow(ConfigError)
  })

  it('has the written values when it is read again, whatever its style', () => {
    checkProperty(
      fc.property(fc.string({unit: 'grapheme', minLength: 1}), (description) => {
        const put = {host: '192.168.1.40', token: TOKEN, description}
        const config = parseConfig(editYaml('', 'config.yaml', [{path: ['devices', 'desk'], put}]).text, {
          file: 'config.yaml',
          env: {},
        })
        expect(config.devices['desk']?.description).toBe(description)
      }),
    )
  })
})

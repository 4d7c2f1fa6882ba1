import {describe, expect, it} from 'vitest'
import {warningLogger} from '../../../src/cli/load-config.ts'
import {parseConfig} from '../../../src/config/config.ts'
import {TOKEN} from '../../support/token.ts'

const DESK = `devices: {desk: {host: 192.168.1.40, token: ${TOKEN}}}\n`
const UNUSED = 'mqtt: {verify: false}\n'
const OPEN = 'mqtt: {url: mqtt://test.mosquitto.org}\n'

function reader() {
  const lines: string[] = []
  const logWarnings = warningLogger({warn: (line) => lines.push(line)})
  const read = (text: string) => {
    const config = parseConfig(text, {file: 'config.yaml', env: {}})
    expect(logWarnings(config)).toBe(config)
    return lines.splice(0)
  }
  return read
}

describe('The warnings of a configuration', () => {
  it('are a line each, with its place', () => {
    expect(reader()(UNUSED + DESK)).toEqual([
      expect.stringMatching(/^config\.yaml:1:8 mqtt\.verify: without effect/),
    ])
  })

  it('are logged once, also when their lines move', () => {
    const read = reader()
    expect(read(UNUSED + DESK)).toHaveLength(1)
    expect(read(UNUSED + DESK)).toEqual([])
    expect(read(`# a line more\n${UNUSED}${DESK}`)).toEqual([])
  })

  it('are logged after a reload where they are new', () => {
    const read = reader()
    read(UNUSED + DESK)
    expect(read(`mqtt: {url: mqtt://test.mosquitto.org, verify: false}\n${DESK}`)).toEqual([
      expect.stringMatching(/^config\.yaml:1:8 mqtt\.url: every program on the internet can read and switch/),
    ])
  })

  it('are logged again when they were gone meanwhile', () => {
    const read = reader()
    read(OPEN + DESK)
    expect(read(DESK)).toEqual([])
    expect(read(OPEN + DESK)).toHaveLength(1)
  })

  it('leave out that there are no plugs, which the bridge logs at its start', () => {
    expect(reader()('')).toEqual([])
  })
})

import {describe, expect, it} from 'vitest'
import {Terminal} from '../../../src/cli/terminal.ts'

function screen(columns: number | undefined) {
  let text = ''
  const write = (part: string) => {
    text += part
    return true
  }
  const stream = columns === undefined ? {isTTY: false, write} : {isTTY: true, columns, write}
  return {terminal: new Terminal({out: stream, err: stream, env: {NO_COLOR: '1'}}), text: () => text}
}

const head = ['model', 'name', 'properties']
const rows = [
  ['acme.plug.one', 'A plug with a name of several words', 'state* power voltage'],
  ['acme.plug.two', '厨房的水壶', null],
]

describe('a table', () => {
  it('is as wide as its cells in a pipe, and on a screen that is wide enough', () => {
    for (const columns of [undefined, 74])
      expect(screen(columns).terminal.table(head, rows, {shrinking: ['name']})).toBe(
        `MODEL          NAME                                 PROPERTIES
acme.plug.one  A plug with a name of several words  state* power voltage
acme.plug.two  厨房的水壶`,
      )
  })

  it('is cut in the shrinking columns, the widest first, and nowhere else', () => {
    const {terminal} = screen(51)
    expect(terminal.table(head, rows, {shrinking: ['name', 'properties']})).toBe(
      `MODEL          NAME              PROPERTIES
acme.plug.one  A plug with a n…  state* power vol…
acme.plug.two  厨房的水壶`,
    )
    expect(terminal.table(head, rows, {shrinking: ['properties']})).toContain(
      'acme.plug.one  A plug with a name of several words  state* po…',
    )
    expect(terminal.table(head, rows)).toContain('state* power voltage')
  })

  it('that cannot be cut enough is broken between words, and loses nothing', () => {
    const {terminal, text} = screen(40)
    terminal.result(rows, terminal.table(head, rows))
    expect(text()).toBe(`MODEL          NAME
               PROPERTIES
acme.plug.one  A plug with a name of
               several words  state*
               power voltage
acme.plug.two  厨房的水壶
`)
  })

  it('with control characters in a cell stays one line', () => {
    expect(screen(30).terminal.table(['name'], [['a\nb\tc\u001b[2J']], {shrinking: ['name']})).toBe(
      'NAME\na\ufffdb\ufffdc\ufffd[2J',
    )
  })
})

describe('facts', () => {
  it('continue a long value below its beginning', () => {
    expect(screen(30).terminal.facts({name: 'desk', product: 'Mi Smart Plug, two USB ports', id: 7})).toBe(
      `name     desk
product  Mi Smart Plug, two
         USB ports
id       7`,
    )
  })
})

describe('data', () => {
  const value = {ssid: '***', list: [1, {a: 'b'}]}
  const width = JSON.stringify(value).length

  it('is one line of JSON where it fits, and for pipes; else it is indented', () => {
    for (const columns of [undefined, width]) {
      const {terminal, text} = screen(columns)
      terminal.data(value)
      expect(text()).toBe(`${JSON.stringify(value)}\n`)
    }
    const {terminal, text} = screen(width - 1)
    terminal.data(value)
    expect(text()).toBe(`${JSON.stringify(value, null, 2)}\n`)
    terminal.useJson()
    terminal.result(value, 'text')
    expect(text()).toBe(`${JSON.stringify(value, null, 2)}\n`.repeat(2))
  })
})

describe('a command to copy', () => {
  const command = 'miio2mqtt status --host 127.0.54.1 --token 2aed976192bdd2c7c7170d545670ed73'
  it('is one line where it fits, and for pipes', () => {
    for (const columns of [undefined, 110, 2 + command.length])
      expect(screen(columns).terminal.command(command)).toBe(`  ${command}`)
  })

  it('is continued with a backslash where it does not fit', () => {
    const shown = screen(60).terminal.command(command)
    expect(shown).toBe(
      `  miio2mqtt status --host 127.0.54.1 --token \\\n    2aed976192bdd2c7c7170d545670ed73`,
    )
    expect(shown.replaceAll('\\\n', '').split(/\s+/).join(' ').trim()).toBe(command)
  })
})

import {describe, expect, it} from 'vitest'
import {Terminal} from '../../../src/cli/terminal.ts'

const HEAD = ['name', 'product', 'state', 'power', 'address', 'signal', 'answer']
const row = (name: string, product = 'Mi Smart Plug') => [
  name,
  product,
  'ON',
  '2200 W',
  '192.168.100.140',
  '-52 dBm',
  '1234 ms',
]

function table(rows: string[][], width?: number): string[] {
  const stream = {isTTY: width !== undefined, columns: width ?? 0, write: () => true}
  const terminal = new Terminal({out: stream, err: stream, env: {NO_COLOR: '1'}})
  return terminal.table(HEAD, rows, {shrinking: ['name'], optional: 'product'}).split('\n')
}

/** Columns on a terminal, counted independently of src/common/terminal-text.ts. */
const columns = (line: string) =>
  [...line].reduce((sum, letter) => sum + ((letter.codePointAt(0) ?? 0) > 0x2bff ? 2 : 1), 0)

describe('a table of plugs', () => {
  it('has columns as wide as what is in them where there is room', () => {
    expect(table([row('desk'), row('kitchen/kettle', 'Gosund Smart Plug')])).toEqual([
      'NAME            PRODUCT            STATE  POWER   ADDRESS          SIGNAL   ANSWER',
      'desk            Mi Smart Plug      ON     2200 W  192.168.100.140  -52 dBm  1234 ms',
      'kitchen/kettle  Gosund Smart Plug  ON     2200 W  192.168.100.140  -52 dBm  1234 ms',
    ])
  })

  it('cuts the product first, and leaves it out when it would be too short', () => {
    expect(table([row('kitchen/kettle', 'Gosund Smart Plug')], 80)[1]).toBe(
      'kitchen/kettle  Gosund Smart…  ON     2200 W  192.168.100.140  -52 dBm  1234 ms',
    )
    expect(table([row('kitchen/kettle')], 70)).toEqual([
      'NAME            STATE  POWER   ADDRESS          SIGNAL   ANSWER',
      'kitchen/kettle  ON     2200 W  192.168.100.140  -52 dBm  1234 ms',
    ])
  })

  it.each([60, 80, 110, 200])('is never wider than a terminal of %s columns', (width) => {
    const names = ['desk', 'a'.repeat(200), '书房/台灯'.repeat(10), 'Büro 💡', 'kitchen/kettle']
    const rows = [
      ...names.map((name) => row(name, 'Gosund Smart Power Strip, four sockets and USB')),
      ...names.map((name) => [name, `192.168.100.140: no hello: no plug ${'answers '.repeat(30)}`]),
    ]
    const lines = table(rows, width)
    expect(lines).toHaveLength(11)
    for (const line of lines) expect(columns(line), line).toBeLessThan(width)
  })

  it('shows an error from behind the name to the end of the line', () => {
    expect(
      table([row('desk'), ['lamp', '192.168.1.41: no hello: no plug answers at this address']], 80)[2],
    ).toBe('lamp  192.168.1.41: no hello: no plug answers at this address')
  })

  it('replaces control characters in names', () => {
    expect(table([row('desk\u001b[2J')]).join('')).not.toContain('\u001b')
  })

  it('without plugs has only its head', () => {
    expect(table([])).toEqual(['NAME  PRODUCT  STATE  POWER  ADDRESS  SIGNAL  ANSWER'])
  })
})

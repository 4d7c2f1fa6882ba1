import {describe, expect, it} from 'vitest'
import {Terminal} from '../../../src/cli/terminal.ts'

/** Every control character, and those that change the direction of writing. */
const HIDDEN = [
  ...Array.from({length: 0x20}, (_, code) => code).filter((code) => code !== 0x09 && code !== 0x0a),
  ...Array.from({length: 0x21}, (_, code) => code + 0x7f),
  ...[0x061c, 0x200e, 0x200f, 0x2028, 0x2029],
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069],
].map((code) => String.fromCharCode(code))
const HOSTILE = `${HIDDEN.join('')}\u001b[2J\u009b31m\u001b]0;title\u0007`

class Screen {
  readonly isTTY: boolean
  text = ''
  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }
  write(text: string): boolean {
    this.text += text
    return true
  }
}

function screens(isTTY: boolean) {
  const out = new Screen(isTTY)
  const err = new Screen(isTTY)
  return {out, err, terminal: new Terminal({out, err, env: {}})}
}

const hiddenIn = (text: string) => HIDDEN.filter((character) => text.includes(character))
/** The sequences of the terminal itself: bold, cyan, and a cleared line. */
const OURS = ['\u001b[1m', '\u001b[22m', '\u001b[36m', '\u001b[39m', '\r\u001b[K']
const withoutOurs = (text: string) => OURS.reduce((rest, sequence) => rest.replaceAll(sequence, ''), text)

describe('the terminal', () => {
  const ways: [string, (terminal: Terminal) => void][] = [
    ['a line', (terminal) => terminal.line(HOSTILE)],
    ['a note', (terminal) => terminal.note(HOSTILE)],
    ['a failure', (terminal) => terminal.failure(HOSTILE, 'code')],
    ['a result', (terminal) => terminal.result({[HOSTILE]: [HOSTILE]}, HOSTILE)],
    ['JSON', (terminal) => terminal.line(JSON.stringify({[HOSTILE]: HOSTILE}))],
    ['a table', (terminal) => terminal.line(terminal.table(['name'], [[HOSTILE]]))],
    ['facts', (terminal) => terminal.line(terminal.facts({[HOSTILE]: HOSTILE}))],
    ['progress', (terminal) => terminal.progress(HOSTILE)],
  ]

  it.each(ways)('shows %s without raw control characters, to people, programs and pipes', (_, show) => {
    for (const isTTY of [true, false])
      for (const json of [true, false]) {
        const {out, err, terminal} = screens(isTTY)
        if (json) terminal.useJson()
        show(terminal)
        expect(hiddenIn(withoutOurs(out.text))).toEqual([])
        expect(hiddenIn(withoutOurs(err.text))).toEqual([])
        if (!isTTY) expect(hiddenIn(out.text + err.text)).toEqual([])
      }
  })

  it('escapes control characters for programs, which read the same value', () => {
    const {out, terminal} = screens(false)
    terminal.useJson()
    const value = {[HOSTILE]: [HOSTILE, 'two\nlines\tand a tab']}
    terminal.result(value, '')
    expect(JSON.parse(out.text)).toEqual(value)
  })

  it('keeps line breaks, tabs and colours of its own', () => {
    const {out, terminal} = screens(true)
    const painted = '\u001b[1mb\u001b[22m \u001b[36mc\u001b[39m'
    terminal.line(`a\n\t${painted}`)
    expect(out.text).toBe(`a\n\t${painted}\n`)
  })
})

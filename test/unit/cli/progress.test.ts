import {describe, expect, it} from 'vitest'
import {Terminal} from '../../../src/cli/terminal.ts'

const CLEAR = '\r\u001b[K'

/** Standard output and standard error in the order in which they were written, as on one screen. */
function oneScreen({
  isTTY = true,
  columns = 80,
  env = {},
}: {
  isTTY?: boolean
  columns?: number
  env?: object
} = {}) {
  const written: string[] = []
  const stream = {isTTY, columns, write: (text: string) => written.push(text) > 0}
  const terminal = new Terminal({out: stream, err: stream, env: {NO_COLOR: '1', ...env}})
  return {terminal, written: () => written.join('')}
}

const signalHandlers = () => ['SIGINT', 'SIGTERM'].map((signal) => process.listenerCount(signal))

describe('a line of progress', () => {
  const ways: [string, (terminal: Terminal) => void, string][] = [
    ['a line', (terminal) => terminal.line('done'), 'done\n'],
    ['a result', (terminal) => terminal.result('done', 'done'), 'done\n'],
    ['a definition', (terminal) => terminal.yaml('done', 'done'), 'done\n'],
    ['data', (terminal) => terminal.data('done'), '"done"\n'],
    ['a note', (terminal) => terminal.note('done'), 'done\n'],
    ['a packet', (terminal) => terminal.trace('done'), 'done\n'],
    ['a failure', (terminal) => terminal.failure('done', 'code'), 'done\n'],
    ['another one', (terminal) => terminal.progress('done'), 'done'],
    ['its end', (terminal) => terminal.progress(''), ''],
  ]

  it.each(ways)('is cleared, once, before %s', (_, write, shown) => {
    const {terminal, written} = oneScreen()
    terminal.progress('asking desk …')
    write(terminal)
    expect(written()).toBe(`asking desk …${CLEAR}${shown}`)
    terminal.progress('')
  })

  it('is not cleared when none was shown', () => {
    const {terminal, written} = oneScreen()
    terminal.progress('')
    terminal.line('done')
    expect(written()).toBe('done\n')
  })

  it.each([
    ['a pipe', {isTTY: false}],
    ['a terminal that cannot write a line anew', {env: {TERM: 'dumb'}}],
  ])('is not written to %s', (_, options) => {
    const {terminal, written} = oneScreen(options)
    terminal.progress('asking desk …')
    terminal.line('done')
    expect(written()).toBe('done\n')
  })

  it('is no longer than a line of the screen, or the rest of it could not be cleared', () => {
    const {terminal, written} = oneScreen({columns: 20})
    terminal.progress('asking a plug with a long name …')
    expect(written()).toBe('asking a plug wi…')
    terminal.progress('')
  })

  it('catches signals while it is shown, and no longer', () => {
    const before = signalHandlers()
    const {terminal} = oneScreen()
    for (const text of ['one', 'two']) {
      terminal.progress(text)
      expect(signalHandlers()).toEqual(before.map((count) => count + 1))
    }
    terminal.line('done')
    expect(signalHandlers()).toEqual(before)
  })

  it('is cleared at a signal, which other handlers still get', () => {
    const seen: string[] = []
    const other = () => seen.push('caught')
    process.on('SIGINT', other)
    const {terminal, written} = oneScreen()
    terminal.progress('asking desk …')
    process.emit('SIGINT', 'SIGINT')
    process.off('SIGINT', other)
    expect(seen).toEqual(['caught'])
    expect(written()).toBe(`asking desk …${CLEAR}`)
  })
})

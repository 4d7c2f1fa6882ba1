import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'
import {
  displayWidth,
  padded,
  terminalFeatures,
  truncated,
  wrapped,
  wrappedYaml,
} from '../../../src/common/terminal-text.ts'
import {formatDefinition} from '../../../src/config/definitions/definition.ts'
import {builtIn} from '../../../src/models/catalogue.ts'

describe('the width of a text on a terminal', () => {
  it.each([
    ['', 0],
    ['desk', 4],
    ['Küche', 5],
    ['Ku\u0308che', 5],
    ['书房', 4],
    ['книга', 5],
    ['💡 lamp', 7],
    ['41.5 °C …', 9],
    ['\u001b[1mbold\u001b[22m \u001b[36mcyan\u001b[39m', 9],
  ])('of %j is %d columns', (text, width) => {
    expect(displayWidth(text)).toBe(width)
    expect(displayWidth(padded(text, 12))).toBe(12)
  })

  it('is never more than the one it is cut to', () => {
    for (const text of ['kitchen/kettle', '厨房的水壶', 'a b c d e f', '💡💡💡💡'])
      for (let width = 1; width < 16; width++)
        expect(displayWidth(truncated(text, width))).toBeLessThanOrEqual(width)
    expect(truncated('kitchen/kettle', 14)).toBe('kitchen/kettle')
    expect(truncated('kitchen/kettle', 8)).toBe('kitchen…')
    expect(truncated('two words', 5)).toBe('two…')
  })
})

describe('a text that is too wide for the terminal', () => {
  it('breaks between words, and each line keeps its own indentation', () => {
    expect(wrapped('one two three four', 9)).toBe('one two\nthree\nfour')
    expect(wrapped('first\n  second line of all that there are\nlast', 24)).toBe(
      'first\n  second line of all\n  that there are\nlast',
    )
  })

  it('is continued below its second column where it has columns, as long as there is room', () => {
    expect(wrapped('name  a value of several words', 26)).toBe('name  a value of several\n      words')
    expect(wrapped('  a name   a value of several words', 33)).toBe(
      '  a name   a value of several\n           words',
    )
    expect(wrapped(`${'x'.repeat(20)}  a value of several words`, 30)).toBe(
      `${'x'.repeat(20)}  a value\n${' '.repeat(10)}of several words`,
    )
  })

  it('stays as it is where it fits, spaces included', () => {
    const table = 'ID   NAME\n1    desk\n\n  indented'
    expect(wrapped(table, 10)).toBe(table)
  })

  it('is continued as a comment where it is one', () => {
    expect(wrapped('# the model is missing: compare it', 24)).toBe('# the model is missing:\n# compare it')
  })

  it('has the same meaning where it is YAML: every definition, at every width', () => {
    for (const model of builtIn.models.values()) {
      const text = `# ${model.name}: a comment of several words\n${formatDefinition(model)}`
      for (const width of [20, 33, 60, 80, 110]) {
        const lines = wrappedYaml(text, width).split('\n')
        expect(parse(lines.join('\n'))).toEqual(parse(text))
        for (const line of lines) if (displayWidth(line) > width) expect(line.trim()).not.toContain(' ')
      }
    }
  })

  it('keeps a word that is wider than the terminal whole', () => {
    const url = `https://${'x'.repeat(20)}`
    expect(wrapped(`see ${url} there`, 12)).toBe(`see\n${url}\nthere`)
  })
})

describe('the terminal behind a stream', () => {
  it('exists only for a TTY', () => {
    expect(terminalFeatures({}, {})).toBeUndefined()
    expect(terminalFeatures({isTTY: false, columns: 80}, {})).toBeUndefined()
    expect(terminalFeatures({isTTY: true, columns: 110}, {})).toEqual({
      columns: 110,
      coloured: true,
      rewritable: true,
    })
  })

  it('has 80 columns when its size is not known, and the current size after a change', () => {
    expect(terminalFeatures({isTTY: true}, {})?.columns).toBe(80)
    const stream = {isTTY: true, columns: 0}
    const screen = terminalFeatures(stream, {})
    expect(screen?.columns).toBe(80)
    stream.columns = 132
    expect(screen?.columns).toBe(132)
  })

  it('shows no colour with NO_COLOR and where it cannot', () => {
    const stream = {isTTY: true, columns: 80}
    expect(terminalFeatures(stream, {NO_COLOR: '1'})).toMatchObject({coloured: false, rewritable: true})
    expect(terminalFeatures(stream, {NO_COLOR: ''})).toMatchObject({coloured: true})
    expect(terminalFeatures(stream, {TERM: 'dumb'})).toMatchObject({coloured: false, rewritable: false})
  })
})

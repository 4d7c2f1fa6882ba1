import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {type TokenKind, tokensOf, withoutComments} from '../../support/typescript-tokens.ts'

const of = (kind: TokenKind, source: string) =>
  tokensOf(source)
    .filter((token) => token.kind === kind)
    .map(({text}) => text)

describe('the tokens of TypeScript', () => {
  it('tell comments from what only looks like one', () => {
    const source = `// a
const url = 'http://b' /* c
d */ + "/* e */" + \`// f \${g /* h */} // i\` // it's j
`
    expect(of('comment', source)).toEqual(['// a', '/* c\nd */', '/* h */', "// it's j"])
  })

  it('tell a regular expression from a division', () => {
    expect(of('regex', `a / b / c; d = /'e[/]/g; f(/\\//, g / 2) ? h[0] / i : /j/`)).toEqual([
      `/'e[/]/g`,
      '/\\//',
      '/j/',
    ])
    const words = `return /a/; x = (b) / c / d; \`\${/e/.source}\`; typeof /f/; g.return_ / h / i`
    expect(of('regex', words)).toEqual(['/a/', '/e/', '/f/'])
  })

  it('follow templates within templates, and objects within their expressions', () => {
    const source = `\`a\${\`b\${{c: {d}}.e}f\`}g\` + h`
    expect(of('template', source)).toEqual(['`a$' + '{', '`b$' + '{', '}f`', '}g`'])
    expect(of('identifier', source)).toEqual(['c', 'd', 'e', 'h'])
  })

  it('have whole names, private ones and those in other alphabets, and no digits of numbers', () => {
    expect(of('identifier', 'this.#heard = größe$1 + 0xbeef + 1_000n + .5e3')).toEqual([
      'this',
      '#heard',
      'größe$1',
    ])
    expect(of('number', '0xbeef + 1_000n + .5e3 + a.b')).toEqual(['0xbeef', '1_000n', '.5e3'])
  })

  it('know escapes, and the line of each', () => {
    const source = `const a = 'it\\'s' + "\\\\"\n\nb`
    expect(of('string', source)).toEqual([`'it\\'s'`, `"\\\\"`])
    expect(tokensOf(source).at(-1)).toEqual({kind: 'identifier', text: 'b', line: 3})
  })

  it.each(['const a = "b', "it's", `\`a\${b`, '`a'])('end with an error for %s', (source) => {
    expect(() => tokensOf(`\n${source}`)).toThrow(/^line 2: a (string|template) without an end$/)
  })

  it('are the whole text of every file of src, in order', () => {
    const files = readdirSync('src', {recursive: true, encoding: 'utf8'}).filter((file) =>
      file.endsWith('.ts'),
    )
    for (const file of files) {
      const source = readFileSync(join('src', file), 'utf8')
      const tokens = tokensOf(source)
      const squeeze = (text: string) => text.replaceAll(/\s/g, '')
      expect(squeeze(tokens.map(({text}) => text).join(''))).toBe(squeeze(source))
    }
    expect(files.length).toBeGreaterThan(50)
  })
})

describe('source without its comments', () => {
  it('keeps its lines, and texts that look like comments', () => {
    expect(withoutComments(`a // b\n/* c\n d */ 'http://e'\n`)).toBe(`a  \n \n  'http://e'\n`)
  })
})

/** Every sentence of docs/promises.md is the name of an end-to-end test. */
import {readdirSync, readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {documentAt} from './markdown.ts'

const promises = Array.from(
  documentAt('docs/promises.md').prose.matchAll(/^(\d+)\. (.+)$/gm),
  ([, n, text = '']) => ({
    number: Number(n),
    name: text.replaceAll('`', ''),
  }),
)
const tests = readdirSync('test/e2e', {encoding: 'utf8'}).flatMap((file) =>
  Array.from(
    readFileSync(`test/e2e/${file}`, 'utf8').matchAll(/\bit\(\s*(['"])(.+?)\1,/g),
    ([, , name]) => name,
  ),
)
const names = new Set(tests)

describe('docs/promises.md', () => {
  it('is numbered from 1 to 74', () => {
    expect(promises.map(({number}) => number)).toEqual(Array.from({length: 74}, (_, index) => index + 1))
  })

  it.each(promises)('$number is the name of a test against mosquitto and simulated plugs', ({name}) => {
    expect(names).toContain(name)
  })
})

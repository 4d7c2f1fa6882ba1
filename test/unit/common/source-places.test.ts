import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {transformSync} from 'esbuild'
import {afterAll, expect, it} from 'vitest'
import {withSourcePlaces} from '../../../src/common/source-places.ts'

const folder = mkdtempSync(join(tmpdir(), 'miio2mqtt-places-'))
afterAll(() => rmSync(folder, {recursive: true, force: true}))

const SOURCE = `type Plug = string

export function start(plug: Plug): never {
  throw new Error(plug)
}`
const built = transformSync(SOURCE, {
  loader: 'ts',
  minifyWhitespace: true,
  sourcemap: 'external',
  sourcefile: '../../src/app/start.ts',
})
const at = `:1:${built.code.indexOf('new Error') + 1}`
const url = (file: string) => pathToFileURL(join(folder, file)).href
writeFileSync(join(folder, 'start.js.map'), built.map)
writeFileSync(join(folder, 'broken.js.map'), '{')

it('names the place in the source, for every place in a stack whose file has a source map', () => {
  expect(
    withSourcePlaces(`Error: why\n    at start (${url('start.js')}${at})\n    at ${url('start.js')}${at}`),
  ).toBe('Error: why\n    at start (src/app/start.ts:4:9)\n    at src/app/start.ts:4:9')
})

it.each([
  ['of a file without a source map', 'other.js'],
  ['of a file whose source map cannot be read', 'broken.js'],
])('leaves a place %s as it is', (_, file) => {
  expect(withSourcePlaces(`    at start (${url(file)}${at})`)).toBe(`    at start (${url(file)}${at})`)
})

it.each(['    at node:internal/process:1:2', '    at <anonymous>', 'Error: 10:20:30', ''])(
  'leaves %j as it is',
  (stack) => {
    expect(withSourcePlaces(stack)).toBe(stack)
  },
)

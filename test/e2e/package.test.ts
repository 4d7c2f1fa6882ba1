/** What `npm run build` makes, and what of it users install. */
import {execFile} from 'node:child_process'
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {describe, expect, it, onTestFinished} from 'vitest'
import {miio2mqtt} from '../support/program.ts'

const maps = (await readdir('dist', {recursive: true})).filter((file) => file.endsWith('.js.map'))
const bundled = (await Promise.all(maps.map(sourcesOf))).flat()

async function sourcesOf(map: string): Promise<string[]> {
  return JSON.parse(await readFile(join('dist', map), 'utf8')).sources
}

describe('the package', () => {
  it('needs no other package', async () => {
    const {dependencies, optionalDependencies, peerDependencies} = JSON.parse(
      await readFile('package.json', 'utf8'),
    )
    expect([dependencies, optionalDependencies, peerDependencies]).toEqual([undefined, undefined, undefined])
  })

  it('has the licence of every package that is in its files', async () => {
    const names = bundled.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
    const packages = [...new Set(names)].filter((name) => name !== undefined).sort()
    expect(packages).toEqual(expect.arrayContaining(['mqtt', 'p-queue', 'pino', 'yaml']))
    const text = await readFile('dist/third-party-licenses.txt', 'utf8')
    expect(
      text
        .split(/^-{80}$/m)
        .slice(1)
        .map((part) => part.trim().split(' ')[0]),
    ).toEqual(packages)
  })

  it('contains the program with its source maps, and what users need beside it', async () => {
    const {stdout} = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'])
    const files: string[] = JSON.parse(stdout)[0].files.map(({path}: {path: string}) => path)
    const folders = [...new Set(files.map((file) => file.split('/')[0]))]
    expect(folders.toSorted()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'config.example.yaml',
      'config.schema.json',
      'dist',
      'docs',
      'examples',
      'package.json',
      'systemd',
    ])
    const programs = files.filter((file) => file.endsWith('.js')).toSorted()
    expect(programs).toEqual(expect.arrayContaining(['dist/main.js', 'dist/app/healthcheck.js']))
    expect(files.filter((file) => file.endsWith('.js.map')).toSorted()).toEqual(
      programs.map((file) => `${file}.map`),
    )
  })
})

it('The stack of an internal error names files and lines of the source.', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-mistake-'))
  onTestFinished(() => rm(folder, {recursive: true, force: true}))
  const mistake = join(folder, 'mistake.cjs')
  // commander reads it
  await writeFile(
    mistake,
    `Object.defineProperty(process, 'execArgv', {get() { throw new Error('unforeseen') }})`,
  )
  const {code, stderr} = await miio2mqtt(['models'], {env: {NODE_OPTIONS: `--require=${mistake}`}})
  expect(code).toBe(70)
  const lines = (await readFile('src/cli/program.ts', 'utf8')).split('\n')
  const called = lines.findIndex((line) => line.includes('.parseAsync()')) + 1
  expect(stderr).toContain('unforeseen')
  expect(stderr).toMatch(new RegExp(`at (async )?runProgram \\(src/cli/program\\.ts:${called}:\\d+\\)`))
})

/** A Node.js that is too old gets an error message. No old one is needed here: the processes of this file have another `process.version`. */
import {cp, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, relative} from 'node:path'
import {Script} from 'node:vm'
import {afterAll, describe, expect, it} from 'vitest'
import {EXIT} from '../../src/cli/errors.ts'
import {miio2mqtt} from '../support/program.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-old-node-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const packageJson = JSON.parse(await readFile('package.json', 'utf8'))
const needed: string = packageJson.engines.node.replace('>=', '')

/** Runs the program in a Node.js with another `process.version`. */
async function inNode(version: string, args: readonly string[], entry?: string) {
  const pretence = join(folder, `${version}.cjs`)
  await writeFile(
    pretence,
    `for (const [of, name, value] of [[process, 'version', 'v${version}'], [process.versions, 'node', '${version}']])
       Object.defineProperty(of, name, {value, enumerable: true})`,
  )
  return miio2mqtt(args, {env: {NODE_OPTIONS: `--require=${pretence}`}, ...(entry && {entry})})
}

describe('a Node.js that is too old', () => {
  it.each(
    [
      '20.11.1',
      '20.0.0',
      '19.9.0',
      '18.20.8',
      '16.20.2',
      '14.21.3',
      '12.22.12',
      '10.24.1',
      '9.11.2',
      '4.9.1',
    ].flatMap((version) => [['status', 'desk'], ['--version'], []].map((args) => [version, args] as const)),
  )('(%s) is refused in one sentence, with any arguments: %j', async (version, args) => {
    expect(await inNode(version, args)).toMatchObject({
      code: EXIT.failed,
      stdout: '',
      stderr: expect.stringMatching(
        `^miio2mqtt needs Node\\.js ${needed} or newer; this is ${version}\\. How to get it: https://nodejs\\.org/\\S+ .*\\n$`,
      ),
    })
  })

  it('is refused before any other file is loaded', async () => {
    const alone = join(folder, 'alone')
    await cp('dist/main.js', join(alone, 'main.js'))
    await writeFile(join(alone, 'package.json'), JSON.stringify({type: packageJson.type}))
    const {stderr} = await inNode('18.20.8', [], relative('.', join(alone, 'main.js')))
    expect(stderr).toMatch(/^miio2mqtt needs Node\.js/)
  })

  it.each(['20.12.0', '20.12.2', '20.20.2', '21.0.0', '22.11.0', '100.0.0'])(
    'is none of those from %s on',
    async (version) => {
      expect(await inNode(version, ['--version'])).toMatchObject({
        code: EXIT.done,
        stdout: `${packageJson.version}\n`,
        stderr: '',
      })
    },
  )
})

describe('the file that Node.js reads first', async () => {
  const text = await readFile('dist/main.js', 'utf8')
  const code = text.replace(/^#!.*|\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')

  it('is a module and a script at once: without static imports, exports, `import.meta` and `await`', () => {
    expect(() => new Script(text)).not.toThrow()
  })

  it('has no syntax that is newer than ES2018', () => {
    // In this order: ?. ?? ??= catch {}, #private, 1_000, 1n, static {}, and calls of newer functions.
    const newer =
      /\?\.|\?\?|\|\|=|&&=|\bcatch\s*\{|#\w|\d_\d|\d+n\b|\bstatic\s*\{|\.(?:at|flat|flatMap|matchAll|replaceAll)\(/g
    expect(code.match(newer)).toBeNull()
  })

  it('names the version that package.json names', () => {
    expect(packageJson.engines.node).toMatch(/^>=\d+\.\d+$/)
    expect(code).toContain(`{ major: ${needed.replace('.', ', minor: ')} }`)
  })
})

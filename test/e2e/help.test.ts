import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {openSync} from 'node:fs'
import {join} from 'node:path'
import {expect, it} from 'vitest'
import {miio2mqtt} from '../support/program.ts'

it.each([
  [['help', 'staus'], 'no command is called "staus", did you mean "status"?\n'],
  [['help', 'models', 'imprt'], 'no command is called "imprt", did you mean "import"?\n'],
  [['help', 'foo'], 'no command is called "foo": `miio2mqtt help` lists them\n'],
])('%j is a wrong use', async (args, stderr) => {
  expect(await miio2mqtt(args)).toMatchObject({code: 64, stdout: '', stderr})
})

it.each([[['help', 'models', 'import']], [['models', 'import', '--help']]])(
  '%j is the help of that command',
  async (args) => {
    const {code, stdout} = await miio2mqtt(args)
    expect(code).toBe(0)
    expect(stdout).toContain('Usage: miio2mqtt models import')
  },
)

it('a result that cannot be written is one sentence', async () => {
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [join(process.cwd(), 'dist/main.js'), 'help'], {
    stdio: ['ignore', full, 'pipe'],
  })
  const errors: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
  const [code] = await once(child, 'close')
  expect(code).toBe(1)
  expect(Buffer.concat(errors).toString()).toMatch(/^the result cannot be written: ENOSPC.*\n$/)
})

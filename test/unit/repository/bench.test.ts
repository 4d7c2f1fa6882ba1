import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {describe, expect, it} from 'vitest'
import {bundledProgram} from '../../support/bundled-program.ts'

const program = bundledProgram('bench/index.ts')

async function bench(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args])
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return {code, stderr}
}

describe('the benchmark', () => {
  it('without a broker says what to install, and shows no stack', async () => {
    const {code, stderr} = await bench('--only', 'latency', '--mosquitto', '/nowhere/mosquitto')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^expected the broker mosquitto at \/nowhere\/mosquitto, .*apt-get install mosquitto.*\n$/,
    )
  })

  it.each([
    [
      ['--only', 'speed'],
      /^--only: expected codec, requests, start, latency, polls, crowd, pressure, got speed\n$/,
    ],
    [['--plugs', 'many'], /^--plugs: expected a whole number from 1, got many\n$/],
    [['--fast'], /^Unknown option '--fast'.*\nnpm run bench -- \[options\]\n/],
  ])('that is asked for with %j says what was expected', async (args, message) => {
    const {code, stderr} = await bench(...args)
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^ +at /m)
  })
})

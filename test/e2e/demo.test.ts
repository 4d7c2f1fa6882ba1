import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, readdir, rm} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {expect, it, onTestFinished} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startPlug} from '../support/bridge.ts'
import {freePort} from '../support/mosquitto.ts'
import {miio2mqtt, Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const shell = promisify(execFile)

/** Runs a command line as typed, until the test has ended. What it prints comes line by line: `topic payload`. */
function listen(command: string): {topic: string; payload: string}[] {
  const messages: {topic: string; payload: string}[] = []
  // A reader at the other end of a pipe gets lines at once only from a program on a terminal.
  const child = spawn('sh', ['-c', `exec stdbuf -oL ${command}`], {stdio: ['ignore', 'pipe', 'inherit']})
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [topic = '', ...payload] = line.split(' ')
      messages.push({topic, payload: payload.join(' ')})
    }
  })
  onTestFinished(async () => {
    child.kill()
    await once(child, 'close')
  })
  return messages
}

it('the demo suggests commands, each of them works word for word, and Ctrl-C leaves nothing behind', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'miio2mqtt-demo-test-'))
  onTestFinished(() => rm(temporary, {recursive: true, force: true}))
  const port = await freePort()
  const options = {env: {TMPDIR: temporary}}
  const demo = new Program(['demo', '--port', String(port), '--address', loopback(54, 1)], options)
  await demo.waitForOutput(/Ctrl-C ends the demo/)
  expect(await readdir(temporary)).toHaveLength(1)

  const [, subscribe = ''] = await demo.waitForOutput(/: (mosquitto_sub .*)$/m)
  expect(subscribe).toBe(`mosquitto_sub -p ${port} -v -t miio2mqtt/desk`)
  const messages = listen(subscribe)
  const state = () => JSON.parse(messages.at(-1)?.payload ?? '{}')
  await until(() => state().state === 'OFF', {what: 'the state of the plug'})

  const commands = Array.from(demo.stdout.matchAll(/^ {2}(\S.*)/gm), ([, command = '']) => command)
  const results = [
    /desk +state +OFF → ON +MQTT command/,
    /kitchen\/kettle +state +OFF → ON +MQTT command/,
    /bedroom +usb +OFF → ON +MQTT command/,
    /desk +state +ON → OFF +poll/,
  ]
  expect(commands).toHaveLength(results.length)
  for (const [index, command] of commands.entries()) {
    await shell('sh', ['-c', command])
    await demo.waitForOutput(results[index] ?? /nothing/)
  }
  await shell('sh', ['-c', commands[0] ?? ''])
  await until(() => state().state === 'ON', {what: 'the plug on again'})
  const watts = () => new Set(messages.map(({payload}) => JSON.parse(payload).power))
  await until(() => watts().size > 2, {what: 'moving watts'})

  demo.signal('SIGINT')
  expect(await demo.waitForEnd()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/The demo has ended\.\n$/),
  })
  expect(await readdir(temporary)).toEqual([])
  for (const last of [1, 2, 3]) await (await startPlug({address: loopback(54, last)})).stop()
  await expect(shell('sh', ['-c', commands[0] ?? ''])).rejects.toThrow(/Connection refused/)
})

it('the demo finds a port of its own when the usual one is taken, but not when the port was given', async () => {
  const holder = createServer().on('error', () => {}) // another program may hold it already
  onTestFinished(() => void holder.close())
  holder.listen(1883, '127.0.0.1')
  const refused = await miio2mqtt(['demo', '--port', '1883', '--address', loopback(55, 1)])
  expect(refused).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: 'port 1883 is taken: choose another one with --port\n',
  })
  const demo = new Program(['demo', '--address', loopback(55, 1)])
  const [, port] = await demo.waitForOutput(/mosquitto_sub -p (\d+) /)
  expect(port).not.toBe('1883')
  demo.signal('SIGTERM')
  expect((await demo.waitForEnd()).code).toBe(0)
})

it('the demo leaves no folder when its window is closed', async () => {
  const TMPDIR = await mkdtemp(join(tmpdir(), 'miio2mqtt-closed-'))
  onTestFinished(() => rm(TMPDIR, {recursive: true, force: true}))
  const port = String(await freePort())
  const demo = new Program(['demo', '--port', port, '--address', loopback(57, 1)], {env: {TMPDIR}})
  await demo.waitForOutput(/Ctrl-C/)
  expect(await readdir(TMPDIR)).toHaveLength(1)
  demo.signal('SIGHUP')
  expect((await demo.waitForEnd()).code).toBe(0)
  expect(await readdir(TMPDIR)).toEqual([])
})

it('the demo at addresses that are taken is one clear message', async () => {
  await startPlug({address: loopback(56, 2)})
  const {code, stderr} = await miio2mqtt([
    'demo',
    '--port',
    String(await freePort()),
    '--address',
    loopback(56, 1),
  ])
  expect(code).toBe(1)
  expect(stderr).toMatch(
    new RegExp(`^UDP ${loopback(56, 2)}:54321 is taken: .*\\nChoose another address with --address\\.\\n$`),
  )
})

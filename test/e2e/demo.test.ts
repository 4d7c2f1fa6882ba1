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
  // A reader at the other end of a pipe gets lines at once only from a program that believes in a terminal.
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

it('the demo says what to type next, all of it works word for word, and Ctrl-C leaves nothing behind', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'miio2mqtt-demo-test-'))
  onTestFinished(() => rm(temporary, {recursive: true, force: true}))
  const port = await freePort()
  const options = {env: {TMPDIR: temporary}}
  const demo = new Program(['demo', '--port', String(port), '--address', loopback(54, 1)], options)
  await demo.said(/Ctrl-C ends the demo/)
  expect(await readdir(temporary)).toHaveLength(1)

  const [subscribe = '', ...commands] = (demo.stdout.match(/^ {2}mosquitto_.*/gm) ?? []).map((line) =>
    line.trim(),
  )
  expect(subscribe).toBe(`mosquitto_sub -p ${port} -v -t 'miio2mqtt/#'`)
  expect(commands).toHaveLength(3)
  const messages = listen(subscribe)
  const on = (topic: string) =>
    messages.filter((message) => message.topic === topic).map(({payload}) => JSON.parse(payload))
  await until(() => on('miio2mqtt/bridge/state').at(-1)?.state === 'online', {what: 'the bridge online'})
  for (const command of commands) await shell('sh', ['-c', command])
  const results = () => [...on('miio2mqtt/desk/response'), ...on('miio2mqtt/kitchen/kettle/response')]
  await until(() => results().length === 3, {what: 'three results'})
  expect(results()).toEqual([
    expect.objectContaining({status: 'ok', data: {state: 'ON'}}),
    expect.objectContaining({status: 'ok', data: {usb: 'OFF', led: 'OFF'}}),
    expect.objectContaining({status: 'ok', data: {state: 'ON'}}),
  ])
  const watts = () => new Set(on('miio2mqtt/desk').map(({power}) => power))
  await until(() => watts().size > 2, {what: 'moving watts'})

  demo.signal('SIGINT')
  expect(await demo.ended()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/The demo has ended\.\n$/),
  })
  expect(await readdir(temporary)).toEqual([])
  for (const last of [1, 2, 3]) await (await startPlug({address: loopback(54, last)})).stop()
  await expect(shell('sh', ['-c', commands[0] ?? ''])).rejects.toThrow(/Connection refused/)
})

it('the demo finds a port of its own when the usual one is taken, but not when it was told which', async () => {
  const holder = createServer().on('error', () => {}) // somebody else may hold it already
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
  const [, port] = await demo.said(/mosquitto_sub -p (\d+) /)
  expect(port).not.toBe('1883')
  demo.signal('SIGTERM')
  expect((await demo.ended()).code).toBe(0)
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
    new RegExp(
      `^UDP ${loopback(56, 2)}:54321 is taken: .*\\nOther addresses are chosen with --address\\.\\n$`,
    ),
  )
})

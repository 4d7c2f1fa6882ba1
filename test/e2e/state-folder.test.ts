import {execFile} from 'node:child_process'
import {chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it, onTestFinished} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {configText, startPlug} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {type Ending, miio2mqtt, Program} from '../support/program.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-state-e2e-'))
afterAll(() => rm(folder, {recursive: true, force: true}))
const broker = await startMosquitto()
const user = await Watcher.open(broker)
/** Any user but root. */
const OTHER_USER = 65_534

let files = 0

/** A configuration with a base topic and a state folder of its own. */
async function house(plugs = {}) {
  const base = `stored${++files}`
  const state = join(folder, `state-${files}`)
  const config = join(folder, `${files}.yaml`)
  await mkdir(state, {mode: 0o700})
  await writeFile(
    config,
    configText({broker, plugs, config: {mqtt: {url: broker.url, base_topic: base}, state_dir: state}}),
    {mode: 0o600},
  )
  const start = () => {
    const program = new Program(['--config', config])
    onTestFinished(async () => {
      if (!program.isOver) await program.abandon()
    })
    return program
  }
  const online = () => user.waitFor(`${base}/bridge/state`, ({payload}) => payload.includes('online'))
  return {base, state, config, start, online}
}

/** Runs the program to its end as another user. */
function runAsOtherUser(config: string): Promise<Ending> {
  return new Promise((resolve) => {
    const user = process.getuid?.() === 0 ? {uid: OTHER_USER, gid: OTHER_USER} : {}
    execFile(
      process.execPath,
      [join(process.cwd(), 'dist/main.js'), '--config', config],
      user,
      (error, stdout, stderr) => {
        resolve({code: typeof error?.code === 'number' ? error.code : 0, signal: null, stdout, stderr})
      },
    )
  })
}

describe('a start on a state folder', () => {
  it.each(['state.json', 'energy.json'])(
    'whose %s belongs to another user is one error that says what to do, and changes nothing',
    async (name) => {
      const {state, config} = await house()
      await chmod(folder, 0o755)
      await chmod(config, 0o644)
      const text = '{"version":1,"client_id":"c","plugs":{}}'
      await writeFile(join(state, name), text, {mode: process.getuid?.() === 0 ? 0o600 : 0})
      if (process.getuid?.() === 0) await chown(state, OTHER_USER, OTHER_USER)
      const {code, stderr} = await runAsOtherUser(config)
      await chmod(join(state, name), 0o600)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^cannot use the state file .*: permission denied.*\n$/)
      expect(stderr).toContain(join(state, name))
      expect(stderr).toMatch(/sudo chown -R \d+:\d+ /)
      expect(await readdir(state)).toEqual([name])
      expect(await readFile(join(state, name), 'utf8')).toBe(text)
    },
  )

  it('with a folder in place of a file ends at once, with one line', async () => {
    const {state, start} = await house()
    await mkdir(join(state, 'energy.json'))
    const {code, stderr} = await start().waitForEnd()
    expect(code).toBe(1)
    expect(stderr).toMatch(/^cannot use the state file .*energy\.json: it is no regular file.*\n$/)
  })

  it('that another bridge uses is refused, until that one has stopped or was killed', async () => {
    const one = await house()
    const first = one.start()
    await one.online()
    const {code, stderr} = await one.start().waitForEnd()
    expect(code).toBe(1)
    expect(stderr).toMatch(/^the state folder .* is in use by another miio2mqtt: process \d+ on .*\n$/)
    expect(stderr).toContain(`process ${first.pid} `)
    expect(await miio2mqtt(['check', '--config', one.config])).toMatchObject({code: 0})
    first.signal('SIGKILL')
    await first.waitForEnd()
    user.forget()
    const second = one.start()
    await one.online()
    second.signal('SIGHUP') // and once more within the same process
    await second.waitForOutput(/applied the configuration/)
    user.forget()
    await user.publish(`${one.base}/bridge/request/restart`, '{}')
    await user.waitFor(`${one.base}/bridge/response/restart`, () => true)
    await one.online()
    second.signal('SIGTERM')
    expect((await second.waitForEnd()).code).toBe(0)
    expect((await readdir(one.state)).filter((name) => name.startsWith('bridge.lock'))).toEqual([])
  })

  it('whose state is damaged clears nothing that is not its own, and goes online', async () => {
    const desk = await startPlug({address: loopback(30, 1)})
    const {base, state, start, online} = await house({desk})
    await user.publish('zigbee2mqtt/bridge/state', 'theirs', {retain: true})
    await user.publish(`${base}/gone`, 'ours', {retain: true})
    const topics = [
      '',
      '$SYS/x',
      `${base}/a/#`,
      'homeassistant/#',
      'zigbee2mqtt/bridge/state',
      `${base}/gone`,
    ]
    const text = {
      version: 1,
      client_id: '\0',
      published: {bases: ['#', '', base], topics, isAll: true},
      plugs: {0: {}},
    }
    await writeFile(join(state, 'state.json'), JSON.stringify(text))
    const program = start()
    await online()
    await user.waitFor(`${base}/gone`, ({payload}) => payload === '')
    program.signal('SIGTERM')
    expect(await program.waitForEnd()).toMatchObject({code: 0})
    expect(user.on('zigbee2mqtt/bridge/state').map(({payload}) => payload)).toEqual(['theirs'])
    expect(program.stdout.match(/ WARN .*/g)).toEqual([expect.stringContaining('ignored invalid entries: ')])
  }, 60_000)

  it('that others may write, with a configuration that all may read, is a warning each, and temporary files of edits are removed', async () => {
    const desk = await startPlug({address: loopback(30, 2)})
    const {state, config, start, online} = await house({desk})
    await chmod(folder, 0o755)
    await chmod(config, 0o644)
    await chmod(state, 0o777)
    await writeFile(`${config}.0a1b2c3d.tmp`, 'token: 1')
    const program = start()
    await online()
    program.signal('SIGTERM')
    expect(await program.waitForEnd()).toMatchObject({code: 0})
    expect(program.stdout.match(/ WARN .*/g)).toEqual([
      expect.stringContaining(`chmod 640 ${config}`),
      expect.stringContaining(`chmod 700 ${state}`),
    ])
    expect(program.stdout).toMatch(/the state folder .* can be written by other users \(mode 777\)/)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect(await miio2mqtt(['check', '--config', config])).toMatchObject({code: 0, stderr: ''})
  })
})

/** The log of the bridge, as a person in front of a terminal sees it, and as a pipe gets it; and what `run --debug` adds to it. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {freePort, loopback} from '../support/addresses.ts'
import {configText, startPlug} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {type ScreenOptions, TerminalScreen} from '../support/screen.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-run-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const broker = await startMosquitto()
const user = await Watcher.open(broker)
const desk = await startPlug({address: loopback(1, 1)})

interface Choice {
  baseTopic: string
  url?: string
  log?: Record<string, string>
}

async function configured({baseTopic, url = broker.url, log = {}}: Choice): Promise<string> {
  const file = join(folder, `${baseTopic}.yaml`)
  const config = {
    mqtt: {url, base_topic: baseTopic},
    log,
    homeassistant: {enabled: false},
    state_dir: join(folder, baseTopic),
  }
  await writeFile(file, configText({broker, plugs: {desk}, config}))
  return file
}

/** The bridge with a broker that is not there, which is a warning; ended by Ctrl-C. */
async function onTerminal(baseTopic: string, options: ScreenOptions) {
  const file = await configured({baseTopic, url: `mqtt://127.0.0.1:${await freePort()}`})
  const screen = new TerminalScreen(['run', '--config', file], {cwd: folder, ...options})
  await screen.shows(/ WARN /)
  screen.type('\x03')
  await screen.shows(/ INFO {2}stopped/)
  expect(await screen.ended()).toBe(0)
  return screen
}

describe('the log of the bridge on a terminal', () => {
  it('has the local time of day and coloured warnings, and breaks between words', async () => {
    const screen = await onTerminal('coloured', {columns: 80, env: {TZ: 'Asia/Kolkata'}})
    const [start, end] = [screen.lines[0], screen.lines.at(-1)]
    expect(start).toMatch(/^\d\d:\d\d:\d\d INFO {2}miio2mqtt \S+ on Node v\S+, time zone Asia\//)
    expect(end).toMatch(/^\d\d:\d\d:\d\d INFO {2}stopped$/)
    for (const line of screen.lines)
      expect(line).toMatch(/^(?:\d\d:\d\d:\d\d [A-Z]{4,5} +| {15})\S|^[\d-]{10}$/)
    expect(screen.colourOf('WARN')).toBe(3)
    expect(screen.colourOf('INFO')).toBe(-1)
    const minutes = (Date.now() / 60_000 + 330) % 1440
    const [hour = 0, minute = 0] = (end ?? '').split(':').map(Number)
    expect((minutes - (hour * 60 + minute) + 1440) % 1440).toBeLessThan(30)
  })

  it.each([
    ['NO_COLOR', {NO_COLOR: '1'}],
    ['TERM=dumb', {TERM: 'dumb'}],
  ])('has no colours with %s, and the same lines', async (name, env) => {
    const screen = await onTerminal(name.toLowerCase().replace(/\W/, '-'), {env})
    expect(screen.text).toMatch(/^\d\d:\d\d:\d\d WARN {2}\S/m)
    expect(screen.colourOf('WARN')).toBe(-1)
  })

  it('in a pipe has UTC, no colours, and each entry in one line', async () => {
    const file = await configured({baseTopic: 'piped', url: `mqtt://127.0.0.1:${await freePort()}`})
    const program = new Program(['run', '--config', file], {
      env: {TZ: 'Asia/Kolkata', TERM: 'xterm-256color'},
    })
    await program.waitForOutput(/ WARN /)
    program.signal('SIGTERM')
    const {stdout} = await program.waitForEnd()
    for (const line of stdout.trimEnd().split('\n'))
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]{4,5} +\S/)
    expect(stdout).not.toContain('\u001b')
  })
})

describe('run --debug', () => {
  it('logs every packet, whatever log level the configuration has, also after a reload', async () => {
    const file = await configured({baseTopic: 'debugged', log: {level: 'warn'}})
    const program = new Program(['run', '--debug', '--config', file])
    const packets = () => program.stdout.match(/ TRACE (?:->|<-) .* device=desk$/gm)?.length ?? 0
    await program.waitForOutput(/ TRACE -> \S+:54321 hello device=desk/)
    await program.waitForOutput(/ TRACE <- \S+:54321 message did \d+ stamp \d+ .*"ssid\\?":\\?"\*\*\*/)
    await user.waitFor('debugged/bridge/state', ({payload}) => payload.includes('online'))
    await configured({baseTopic: 'debugged', log: {level: 'error'}})
    await user.publish('debugged/bridge/request/reload', '{"transaction":"again"}')
    await user.waitFor('debugged/bridge/response/reload', ({payload}) => payload.includes('again'))
    const before = packets()
    await until(() => packets() > before + 4, {what: 'packets after a reload'})
    // A request for another level is followed.
    await user.publish('debugged/bridge/request/options', '{"log_level":"info","transaction":"less"}')
    await user.waitFor('debugged/bridge/response/options', ({payload}) => payload.includes('less'))
    program.signal('SIGTERM')
    expect(await program.waitForEnd()).toMatchObject({code: 0, stderr: ''})
  })

  it('stands before or after the command, or alone', async () => {
    for (const [index, args] of [['--debug'], ['--debug', 'run'], ['run', '--debug']].entries()) {
      const file = await configured({baseTopic: `alone${index}`})
      const program = new Program([...args, '--config', file])
      await program.waitForOutput(/ TRACE -> /)
      program.signal('SIGTERM')
      expect((await program.waitForEnd()).code).toBe(0)
    }
  })
})

import {execFileSync} from 'node:child_process'
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {connectAsync} from 'mqtt'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startPlug} from '../support/bridge.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {type Ending, Program} from '../support/program.ts'
import {leaks, spellings} from '../support/secret-leaks.ts'
import {until} from '../support/wait.ts'

/** Configured, and correct. */
const TOKEN = 'c0ffee11d00dfeed5afe0badcab1e5a7'
/** Configured for plugs that have MOVED_ON by now, which no output may contain either. */
const STALE = 'facade0ff1cedeadbeef0ddba11cab00'
const MOVED_ON = 'ba5eba11feedfacecafed00dc0defade'
/** Configured without its last digit, or with a wrong one. */
const MANGLED = 'ace0fba5e1ab5eed0decade5ca1ab1e'
const PASSWORD = 'Sesame, öffne/dich+now? "100%"\\'
const WRONG_PASSWORD = 'Sesamum, &öffne=dich #5'
const secrets = {TOKEN, STALE, MOVED_ON, MANGLED, PASSWORD, WRONG_PASSWORD}

describe('the search for leaks', () => {
  const framed = (text: string | Buffer) =>
    Buffer.concat([Buffer.from('before '), Buffer.from(text), Buffer.from(' after')])

  it.each([
    ['as it is', framed(TOKEN)],
    ['in capitals', framed(TOKEN.toUpperCase())],
    ['as raw bytes', framed(Buffer.from(TOKEN, 'hex'))],
    ['in base64', framed(Buffer.from(TOKEN, 'hex').toString('base64'))],
    [
      'in base64url, within something longer',
      framed(Buffer.from(`{"token":"${TOKEN}"}`).toString('base64url')),
    ],
    [
      'in base64 of its bytes, within something longer',
      framed(
        Buffer.concat([Buffer.alloc(7, 1), Buffer.from(TOKEN, 'hex'), Buffer.alloc(4)]).toString('base64'),
      ),
    ],
    ['as the hex of its text', framed(Buffer.from(TOKEN).toString('hex').toUpperCase())],
  ])('finds a token %s', (_, output) => {
    expect(leaks(output, TOKEN)).not.toEqual([])
    expect(leaks(output, STALE)).toEqual([])
  })

  it.each([
    ['as it is', PASSWORD],
    ['in a URL', `mqtt://plugs:${encodeURIComponent(PASSWORD)}@broker`],
    ['in JSON', JSON.stringify({password: PASSWORD})],
    ['in a login of HTTP', Buffer.from(`plugs:${PASSWORD}`).toString('base64')],
  ])('finds a password %s', (_, output) => {
    expect(leaks(framed(output), PASSWORD)).not.toEqual([])
    expect(leaks(framed(output), WRONG_PASSWORD)).toEqual([])
  })

  it('knows at least ten spellings of each', () => {
    for (const secret of Object.values(secrets))
      expect(new Set(spellings(secret).map(({name}) => name)).size).toBeGreaterThan(10)
  })
})

describe('everything that the program writes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-secrets-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const outputs: {from: string; bytes: Buffer}[] = []
  const collect = (from: string, ...bytes: (string | Buffer)[]) =>
    outputs.push({from, bytes: Buffer.concat(bytes.map((part) => Buffer.from(part)))})

  beforeAll(async () => {
    const broker = await startMosquitto({
      config: ['allow_anonymous true', `password_file ${passwordFile(folder)}`],
    })
    const stopListening = await collectAll(broker, (topic, payload) =>
      collect(`topic ${topic}`, topic, ' ', payload),
    )
    const plugs = await startPlugs()
    await live(broker, plugs, 'text')
    await live(broker, plugs, 'json')
    await refused(broker)
    await invalidConfigurations()
    await commandLine(plugs)
    await stopListening()
    for (const file of await readdir(folder, {recursive: true, withFileTypes: true}))
      if (file.isFile() && !file.name.endsWith('.yaml') && file.name !== 'passwords')
        collect(`file ${file.name}`, await readFile(join(file.parentPath, file.name)))
  }, 240_000)

  /** Messages of the bridge: all but requests. */
  const isMessage = ({from}: {from: string}) =>
    from.startsWith('topic ') && !from.includes('/bridge/request/')

  it('No message on any topic has a token or a password, in plain text, hex, base64 or URL form.', () => {
    const messages = outputs.filter(isMessage)
    expect(new Set(messages.map(({from}) => from)).size).toBeGreaterThan(50)
    expect(Object.values(secrets).flatMap((secret) => leaking(messages, secret))).toEqual([])
  })

  it.each(Object.entries(secrets))(
    'does not contain %s: on the terminal, in a log, in a file',
    (_, secret) => {
      const others = outputs.filter(({from}) => !from.startsWith('topic '))
      expect(others.length).toBeGreaterThan(50)
      expect(leaking(others, secret)).toEqual([])
    },
  )

  it('is complete', () => {
    const all = (from: string) =>
      outputs
        .filter((output) => output.from.startsWith(from))
        .map(({bytes}) => bytes.toString())
        .join('\n')
    for (const topic of [
      'info',
      'devices',
      'health',
      'logging',
      'event',
      'response/info',
      'response/nonsense',
    ])
      expect(all('topic text/bridge/')).toContain(`text/bridge/${topic} `)
    expect(all('topic text/stale/availability')).toContain('bad_token')
    expect(all('topic text/bridge/response/device/call')).toContain('"token":"***"')
    expect(all('topic text/bridge/response/***')).toContain('"status":"error"')
    expect(all('topic text/desk/response')).toContain('"status":"ok"')
    expect(all('run text')).toMatch(/an unexpected error: .*\*\*\*/)
    expect(all('run json')).toMatch(/^{"level":"error",.*"lost \*\*\* and \*\*\*".*"an unexpected error: /m)
    expect(all('run refused')).toMatch(/cannot use the broker .*(Not authorized|Bad User Name)/i)
    expect(all('mistaken')).toContain('devices.desk.token: expected 32 hex digits, got 31')
    expect(all('call')).toContain('"token":"***"')
    expect(all('file state.json')).toContain('fingerprint')
    expect(all('file health')).toContain('"ok":true')
  })

  function leaking(those: typeof outputs, secret: string): string[] {
    return those.flatMap(({from, bytes}) => leaks(bytes, secret).map((how) => `${from}: ${how}`))
  }

  type Plugs = Record<'desk' | 'stale' | 'silent' | 'moody', SimulatedPlug>

  async function startPlugs(): Promise<Plugs> {
    const real = (hex: string) => Buffer.from(hex, 'hex')
    const plugs = {
      desk: await startPlug({
        address: loopback(1, 1),
        token: real(TOKEN),
        profile: {infoShowsToken: true, helloShows: 'token'},
      }),
      stale: await startPlug({address: loopback(1, 2), token: real(MOVED_ON)}),
      silent: await startPlug({
        address: loopback(1, 3),
        token: real(MOVED_ON),
        profile: {wrongToken: 'silent'},
      }),
      moody: await startPlug({
        address: loopback(1, 4),
        token: real(TOKEN),
        faults: {garbage: 0.5, error: {code: -9999, share: 0.5}},
      }),
    }
    await inReachOfBroadcasts(Object.values(plugs))
    return plugs
  }

  function settings(base: string, url: string, more: Record<string, unknown> = {}) {
    return {
      mqtt: {url, base_topic: base, username: 'plugs', password: PASSWORD},
      network: {broadcast: [BROADCAST]},
      poll: {interval: '1s', offline_after: 1},
      allow_raw_calls: true,
      devices: {
        desk: {host: loopback(1, 1), token: TOKEN},
        stale: {host: loopback(1, 2), token: STALE},
        silent: {host: loopback(1, 3), token: STALE.toUpperCase().replace('0', '1')},
        moody: {host: loopback(1, 4), token: TOKEN.toUpperCase()},
      },
      ...more,
    }
  }

  async function configFile(name: string, content: unknown): Promise<string> {
    const file = join(folder, `${name}.yaml`)
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
    return file
  }

  function run(name: string, file: string): Program {
    /** An error of the program, with secrets in its message. */
    const mistake = `process.on('SIGUSR2', () => { throw Object.assign(new Error(${JSON.stringify(`lost ${TOKEN} and ${PASSWORD}`)}), {token: Buffer.from('${STALE}', 'hex')}) })`
    const env = {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(mistake)}`,
      STATE_DIRECTORY: join(folder, `state-${name}`),
      HEALTH_FILE: join(folder, `health-${name}`),
    }
    return new Program(['run', '--config', file], {env})
  }

  async function ended(name: string, program: Program): Promise<Ending> {
    const ending = await program.waitForEnd()
    collect(`run ${name}`, program.output('stdout'), '\n', program.output('stderr'))
    return ending
  }

  /** Everything that a bridge publishes and logs, up to an unexpected error. */
  async function live(broker: Mosquitto, plugs: Plugs, format: 'text' | 'json'): Promise<void> {
    const file = await configFile(format, settings(format, broker.url, {log: {level: 'trace', format}}))
    const program = run(format, file)
    const published = (topic: string, part = '') =>
      until(
        () => outputs.some(({from, bytes}) => from === `topic ${format}/${topic}` && bytes.includes(part)),
        {
          what: `${part} on ${topic} from the program, whose output is:\n${program.stdout}`,
        },
      )
    await published('bridge/state', 'online')
    await published('stale/availability', 'bad_token')
    const user = await connectAsync(broker.url)
    for (const [verb, payload] of [
      ['info', '{}'],
      ['health_check', '{}'],
      ['discover', '{"timeout":0.3}'],
      ['options', '{"log_level":"trace"}'],
      ['nonsense', '{}'],
      ['device/call', '{"name":"desk","method":"miIO.info"}'],
    ] as const) {
      await user.publishAsync(`${format}/bridge/request/${verb}`, payload)
      await published(`bridge/response/${verb}`)
    }
    for (const [verb, payload] of [
      [TOKEN, '{}'],
      ['device/call', JSON.stringify({name: 'desk', method: TOKEN})],
      ['device/call', JSON.stringify({name: 'desk', method: 'miIO.info', transaction: {TOKEN, PASSWORD}})],
      ['device/remove', JSON.stringify({name: Buffer.from(TOKEN, 'hex').toString('base64')})],
      ['device/remove', JSON.stringify({name: TOKEN.toUpperCase(), transaction: 'the last'})],
    ] as const)
      await user.publishAsync(`${format}/bridge/request/${verb}`, payload)
    await published('bridge/response/device/remove', 'the last')
    for (const name of ['desk', 'stale', 'moody']) await user.publishAsync(`${format}/${name}/set`, 'ON')
    await user.publishAsync(`${format}/desk/set`, '{"state":"sideways"}')
    await published('desk/response', '"status":"ok"')
    await published('stale/response', 'bad_token')
    await published('bridge/health')
    await writeFile(file, JSON.stringify(settings(format, broker.url)).replace(TOKEN, MANGLED))
    program.signal('SIGHUP')
    await program.waitForOutput(/the new configuration is refused/)
    plugs.desk.changeToken(Buffer.from(MOVED_ON, 'hex'))
    await published('desk/availability', 'bad_token')
    plugs.desk.changeToken(Buffer.from(TOKEN, 'hex'))
    program.signal('SIGUSR2')
    expect((await ended(format, program)).code).toBe(70)
    await user.endAsync()
  }

  /** A broker that refuses the login, which is in the address or beside it. */
  async function refused({host, port}: Mosquitto): Promise<void> {
    const login = `mqtt://plugs:${encodeURIComponent(WRONG_PASSWORD)}@${host}:${port}`
    const beside = {url: `mqtt://${host}:${port}`, username: 'plugs', password: WRONG_PASSWORD}
    for (const [at, mqtt] of [{url: login}, beside].entries()) {
      const program = run('refused', await configFile(`refused${at}`, settings('refused', login, {mqtt})))
      await program.waitForOutput(/cannot use the broker/, 60_000)
      program.signal('SIGTERM')
      expect((await ended('refused', program)).code).toBe(0)
    }
  }

  /** Configurations with errors where their secrets are. */
  async function invalidConfigurations(): Promise<void> {
    const mqtt = {url: `http://plugs:${PASSWORD}@x`, password: [PASSWORD], pasword: PASSWORD}
    const devices = [
      {token: MANGLED},
      {token: `${MANGLED}g`},
      {tokn: TOKEN},
      {token: [TOKEN]},
      {host: TOKEN, token: TOKEN},
      {host: loopback(1, 1), token: TOKEN, model: TOKEN, id: TOKEN, icon: TOKEN},
      TOKEN,
    ]
    const contents = [
      ...devices.map((desk) => ({mqtt, devices: {desk}})),
      `devices: {desk: {token: ${TOKEN}`,
      `devices:\n  ${TOKEN}: {host: 1}\n  desk: *${TOKEN}\n`,
      `${TOKEN}: 1`,
    ]
    for (const [at, content] of contents.entries()) {
      const file = await configFile(`mistaken${at}`, content)
      await Promise.all([
        command('mistaken', ['run', '-c', file], 78),
        command('mistaken', ['check', '-c', file], 78),
        command('mistaken', ['check', '-c', file, '--json'], 78),
      ])
    }
  }

  /** The command line, with every packet shown. */
  async function commandLine({stale, silent}: Plugs): Promise<void> {
    const file = await configFile('typed', settings('typed', 'mqtt://127.0.0.1:1'))
    const named = (...args: string[]) => [...args, '--debug', '-c', file]
    await Promise.all([
      command('check', ['check', '-c', file], 0),
      command('info', named('info', 'desk'), 0),
      command('status', named('status', 'desk'), 0),
      command('set', named('set', 'desk', 'led', 'on', '--json'), 0),
      command('call', named('call', 'desk', 'miIO.info'), 0),
      command('call', named('call', 'desk', TOKEN), 1),
      command('discover', named('discover', '--timeout', '500ms'), 0),
      command('stale', named('on', 'stale'), 1),
      command('silent', ['on', '--host', silent.address, '--token', STALE, '--debug'], 1),
      command('json', ['on', '--host', stale.address, '--token', STALE, '--debug', '--json'], 1),
      command('usage', ['on', '--host', stale.address, '--token', MANGLED], 64),
      command('usage', ['on', stale.address, `--tokn=${TOKEN}`], 64),
      command('usage', ['on', TOKEN, '-c', file], 64),
      command('usage', [TOKEN], 64),
      command('usage', ['set', 'desk', TOKEN, TOKEN, '-c', file], 64),
      command('usage', ['discover', '--broadcast', TOKEN], 64),
    ])
  }

  async function command(what: string, args: readonly string[], expected: number): Promise<void> {
    const program = new Program(args)
    const {code} = await program.waitForEnd()
    collect(what, program.output('stdout'), '\n', program.output('stderr'))
    expect({args, code}).toEqual({args, code: expected})
  }
})

/** A file with one login. The broker also accepts clients without one. */
function passwordFile(folder: string): string {
  const file = join(folder, 'passwords')
  execFileSync('mosquitto_passwd', ['-b', '-c', file, 'plugs', PASSWORD], {stdio: 'ignore'})
  return file
}

/** Passes every topic and payload to `take`. @returns a function that ends the subscription */
async function collectAll(
  {url}: Mosquitto,
  take: (topic: string, payload: Buffer) => void,
): Promise<() => Promise<void>> {
  const client = await connectAsync(url)
  client.on('message', take)
  await client.subscribeAsync('#')
  return () => client.endAsync()
}

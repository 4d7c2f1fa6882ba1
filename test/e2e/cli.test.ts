import {execFile} from 'node:child_process'
import {mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, describe, expect, it} from 'vitest'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {Program, type ProgramOptions, miio2mqtt as run} from '../support/program.ts'
import {until} from '../support/wait.ts'

const shell = promisify(execFile)
const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-cli-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const WRONG = '00112233445566778899aabbccddeeff'

const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3'})
const kettle = await startPlug({address: loopback(1, 2), model: 'chuangmi.plug.m1'})
const strange = await startPlug({
  address: loopback(1, 3),
  profile: {infoShowsToken: true, helloShows: 'token'},
})
await inReachOfBroadcasts([desk, kettle, strange])

const config = join(folder, 'config.yaml')
await writeFile(
  config,
  JSON.stringify({
    network: {broadcast: [BROADCAST]},
    devices: {
      desk: {host: desk.address, token: TOKEN},
      kettle: {id: kettle.did, token: TOKEN, model: 'chuangmi.plug.m1'},
      gone: {id: 99, token: TOKEN},
    },
  }),
)
const broken = join(folder, 'broken.yaml')
await writeFile(broken, `pol: {interval: 5s}\ndevices: {desk: {host: ${desk.address}, token: 12}}\n`)

const walledIn = join(folder, 'walled-in.yaml')
await writeFile(
  walledIn,
  JSON.stringify({network: {bind: '127.0.0.1'}, devices: {far: {host: '198.51.100.7', token: TOKEN}}}),
)

/** Every run of this file looks for the token, and for what only programmers read. */
async function miio2mqtt(args: readonly string[], options: ProgramOptions = {}) {
  const ending = await run(args, {cwd: folder, ...options})
  for (const text of [ending.stdout, ending.stderr]) {
    expect(text).not.toMatch(new RegExp(`${TOKEN}|${WRONG}`, 'i'))
    expect(text).not.toMatch(/\n {4}at /)
    expect(text).not.toContain('\u001b')
  }
  return ending
}

const at = (host: string, ...args: string[]) => [...args, '--host', host, '--token', TOKEN]
const done = (stdout: string) => ({code: 0, stdout, stderr: ''})
const failed = (stderr: RegExp, code = 1) => ({code, stdout: '', stderr: expect.stringMatching(stderr)})
const usage = (stderr: RegExp) => failed(new RegExp(`^${stderr.source}\n$`), 64)
const lines = (...all: string[]) => `${all.join('\n')}\n`
const writes = () =>
  desk.received.filter(({method}) => method.startsWith('set_')).map(({method, params}) => [method, params])

describe('a plug, by its name in the configuration', () => {
  it('shows its identity', async () => {
    const {stdout, code} = await miio2mqtt(['info', 'desk'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^name +desk\nmodel +chuangmi\.plug\.v3\nproduct +Mi Smart Plug.*\nfirmware +2\.0\.4_0026\n/,
    )
    expect(stdout).toMatch(
      new RegExp(
        `\\nmac +28:6c:07:.*\\ndevice id +\\d+\\naddress +${desk.address}\\nup for +24 h\\nsignal +-52 dBm\\n$`,
      ),
    )
  })

  it('has its identity as JSON for programs', async () => {
    const {stdout} = await miio2mqtt(['info', 'desk', '--json'])
    expect(JSON.parse(stdout)).toEqual({
      name: 'desk',
      model: 'chuangmi.plug.v3',
      box: 'Mi Smart Plug, enhanced, two USB ports',
      firmware: '2.0.4_0026',
      hardware: 'MW300',
      mac: expect.stringMatching(/^28:6c:07:/),
      did: desk.did,
      address: desk.address,
      uptime: expect.any(Number),
      rssi: -52,
    })
  })

  it('shows its state, with units for people and without for programs', async () => {
    desk.state['power'] = 41.5
    desk.state['state'] = 'ON'
    expect(await miio2mqtt(['status', 'desk'])).toMatchObject(
      done(
        lines(
          'state        ON',
          'usb          OFF',
          'temperature  24 °C',
          'led          OFF',
          'power        41.5 W',
        ),
      ),
    )
    const {stdout} = await miio2mqtt(['--json', 'status', 'desk'])
    expect(JSON.parse(stdout)).toEqual({state: 'ON', usb: 'OFF', temperature: 24, led: 'OFF', power: 41.5})
    expect(await miio2mqtt(['get', 'desk', 'power'])).toMatchObject(done('41.5\n'))
    expect(await miio2mqtt(['get', 'desk', 'usb', '--json'])).toMatchObject(done('"OFF"\n'))
  })

  it('is switched on, off and over, and its other properties are set', async () => {
    desk.state['state'] = 'OFF'
    const before = writes().length
    expect(await miio2mqtt(['on', 'desk'])).toMatchObject(done('desk: state is ON\n'))
    expect(await miio2mqtt(['off', 'desk', '--json'])).toMatchObject(done('{"state":"OFF"}\n'))
    expect(await miio2mqtt(['toggle', 'desk'])).toMatchObject(done('desk: state is ON\n'))
    expect(await miio2mqtt(['set', 'desk', 'led', 'true'])).toMatchObject(done('desk: led is ON\n'))
    expect(writes().slice(before)).toEqual([
      ['set_power', ['on']],
      ['set_power', ['off']],
      ['set_power', ['on']],
      ['set_wifi_led', ['on']],
    ])
    expect(desk.state).toMatchObject({state: 'ON', led: 'ON'})
  })

  it('shows the result of a raw call, which is sent once', async () => {
    expect(await miio2mqtt(['call', 'kettle', 'get_prop', '["power"]'])).toMatchObject(done('["off"]\n'))
    kettle.next({loseResponse: true})
    const before = kettle.received.length
    expect(await miio2mqtt(['call', 'kettle', 'set_power', '["on"]'])).toMatchObject(
      failed(/^token wrong \(probably\)/),
    )
    expect(kettle.received.slice(before).map(({method}) => method)).toEqual(['set_power'])
  })

  it('is found by its id alone, in the whole network', async () => {
    expect(await miio2mqtt(['get', 'kettle', 'led'])).toMatchObject(done('OFF\n'))
  })

  it('shows every packet with --debug, the token masked, and its result apart from them', async () => {
    const {stdout, stderr} = await miio2mqtt(['get', 'desk', 'led', '--debug'])
    expect(stdout).toBe('ON\n')
    const packets = stderr.trimEnd().split('\n')
    const at = `${desk.address}:54321`
    const [hello, ...others] = [
      `^-> ${at} hello$`,
      `^<- ${at} hello_reply did \\d+ stamp \\d+$`,
      `^-> ${at} message did \\d+ stamp \\d+ {"id":\\d+,"method":"miIO.info","params":\\[\\]}$`,
      `^<- ${at} message did \\d+ stamp \\d+ {"id":\\d+,"result":{.*"model":"chuangmi.plug.v3"`,
    ].map((pattern) => packets.findIndex((packet) => new RegExp(pattern).test(packet)))
    expect(hello).toBe(0)
    // A try that a busy machine makes too slow may be repeated in between.
    expect(others).not.toContain(-1)
    expect(others).toEqual(others.toSorted((a, b) => a - b))
  })
})

describe('a plug, by its address and token', () => {
  it('needs no configuration, and its model is found out', async () => {
    const nowhere = {cwd: tmpdir()}
    expect(await miio2mqtt(at(desk.address, 'on'), nowhere)).toMatchObject(
      done(`${desk.address}: state is ON\n`),
    )
    const {stdout} = await miio2mqtt(at(desk.address, 'info'), nowhere)
    expect(stdout).toContain('chuangmi.plug.v3')
  })

  it('takes its token from the environment', async () => {
    const env = {MIIO_TOKEN: TOKEN}
    expect(await miio2mqtt(['get', '--host', kettle.address, 'temperature'], {env})).toMatchObject(
      done('24\n'),
    )
  })

  it('gets no request for a model that was given', async () => {
    const before = kettle.received.length
    await miio2mqtt(at(kettle.address, 'off', '--model', 'chuangmi.plug.m1'))
    expect(kettle.received.slice(before).map(({method}) => method)).toEqual(['set_power'])
  })

  it('never has its token shown, not even one that the plug shows itself', async () => {
    const {stdout, stderr} = await miio2mqtt(at(strange.address, 'call', 'miIO.info', '--debug'))
    expect(stdout).toContain('"token":"***"')
    expect(stderr).toContain('"token":"***"')
  })
})

describe.concurrent('a plug that cannot be called', () => {
  it.each([
    [
      'another token',
      ['on', '--host', desk.address, '--token', WRONG],
      /^token wrong\n.*\n.*account/,
      'token_wrong',
    ],
    [
      'an address without a plug',
      at(loopback(9, 9), 'status'),
      /^no hello: .*\n.* \d+ hellos.*\n`miio2mqtt discover`/,
      'no_hello',
    ],
    [
      'an id of no plug',
      ['status', 'gone'],
      /^no hello: no plug with this device id answers\ngone has the device id 99/,
      'no_hello',
    ],
    [
      'an address to which no packet goes',
      ['status', 'far', '-c', walledIn],
      /^no route: the packet could not leave this machine\ncannot send to 198\.51\.100\.7:54321: .*\n.*firewall/,
      'no_route',
    ],
    [
      'a request that it does not support',
      at(desk.address, 'call', 'get_nonsense'),
      /^request unsupported: .*\n.* refused get_nonsense with code -30001/,
      'request_unsupported',
    ],
  ])('(%s) is a 1 that names the stage and what to do', async (_, args, message, code) => {
    const [forPeople, {stderr, ...ending}] = await Promise.all([
      miio2mqtt(args),
      miio2mqtt([...args, '--json']),
    ])
    expect(forPeople).toMatchObject(failed(message))
    expect(ending).toMatchObject({code: 1, stdout: ''})
    expect(JSON.parse(stderr)).toEqual({error: {code, message: expect.stringMatching(message)}})
  })

  it('because it drops requests under a wrong token, is distinguished from one that is not there', async () => {
    const silent = await startPlug({address: loopback(2, 1), faults: {wrongToken: 'silent'}})
    expect(await miio2mqtt(at(silent.address, 'status'))).toMatchObject(
      failed(/^token wrong \(probably\): the plug is reachable/),
    )
  })

  it('any more, although it responded a moment ago, is distinguished from one with another token', async () => {
    const weak = await startPlug({address: loopback(2, 2)})
    weak.next({}, ...Array.from({length: 6}, () => ({loseResponse: true})))
    expect(await miio2mqtt(at(weak.address, 'get', 'state'))).toMatchObject(
      failed(/^no answer: the plug answered before/),
    )
  })
})

describe('a wrong command line', () => {
  it.each([
    [['bogus'], /no command is called "bogus": `miio2mqtt help` lists them/],
    [['staus', 'desk'], /no command is called "staus", did you mean "status"\?/],
    [['on'], /which plug\? .*/],
    [['on', 'desk', '--host'], /option '--host <address>' argument missing.*/],
    [['on', 'dask'], /no plug is called "dask", did you mean "desk"\?/],
    [['on', 'desk', 'now'], /expected nothing after the plug, got also "now"/],
    [['set', 'desk', 'led'], /expected <property> <value> after the plug, got no <value>/],
    [['set', 'desk', 'ledd', 'on'], /expected one of state, .*, got "ledd", did you mean "led"\?/],
    [['set', 'desk', 'led', 'blue'], /led: expected ON, OFF or TOGGLE, got "blue"/],
    [['set', 'desk', 'power', '5'], /power can only be read/],
    [['get', 'desk', 'watts'], /expected one of state, .*, got "watts"/],
    [['call', 'desk', 'get_prop', '[power]'], /expected the params as JSON, .*, got "\[power\]"/],
    [['call', 'desk', 'miIO.ota'], /miIO.ota can brick a plug .*/],
    [['on', '--host', '192.0.2.1'], /--host needs --token, or .* MIIO_TOKEN/],
    [['on', '--host', '192.0.2.1', '--token', WRONG.slice(1)], /--token: expected 32 hex digits, got 31/],
    [
      ['on', '--host', '192.0.2.400', '--token', WRONG],
      /--host: expected an IPv4 address or a host name, got "192\.0\.2\.400"/,
    ],
    [
      ['on', 'desk', '--model', 'chuangmi.plug.v33'],
      /--model: the model "chuangmi\.plug\.v33" is not supported, did you mean "chuangmi\.plug\.v3"\?/,
    ],
    [['on', WRONG], /no plug is called 32 characters; .*/],
    [['--jsn', 'models'], /unknown option '--jsn' \(Did you mean --json\?\); `miio2mqtt help` .*/],
    [
      ['discover', '--timeout', 'soon'],
      /--timeout: expected a duration such as 15s, from 100ms to 10m, got "soon"/,
    ],
    [['discover', '--broadcast', 'here'], /--broadcast: expected an IPv4 address, got "here"/],
    [['simulate', '--count', 'many'], /--count: expected a whole number from 1 to \d+, got "many"/],
    [
      ['simulate', '--address', '10.0.0.1'],
      /--address: expected a loopback address such as 127\.0\.54\.1, got "10\.0\.0\.1"/,
    ],
    [['simulate', '--model', 'lamp'], /--model: expected some of chuangmi\.plug\.v1, .*, got lamp/],
    [['simulate', '--fault', 'fire'], /--fault: unknown fault "fire"; known are loss=0\.2, .*/],
    [['demo', '--port', 'x'], /--port: expected a whole number from 1 to 65535, got "x"/],
  ])('(%j) is a 64 and one line that helps', async (args, message) => {
    expect(await miio2mqtt(args)).toMatchObject(usage(message))
  })

  it('is different from a wrong configuration, which is a 78 that lists every problem', async () => {
    expect(await miio2mqtt(['on', 'desk', '--config', broken])).toMatchObject(
      failed(
        /^.*broken\.yaml:1:1 pol: unknown key, did you mean "poll"\?\n.*broken\.yaml:2:\d+ devices\.desk\.token: expected .*\n$/,
        78,
      ),
    )
  })
})

describe('check', () => {
  it('names the plugs of a valid configuration, from a variable as from an option', async () => {
    const file = join(folder, 'own-tokens.yaml')
    const token = (digit: string) => `${TOKEN.slice(1)}${digit}`
    await writeFile(
      file,
      `devices: {desk: {id: 1, token: ${token('1')}}, kitchen/kettle: {id: 2, token: ${token('2')}}}\n`,
    )
    const valid = done(`${file} is valid: 2 plugs: desk, kitchen/kettle\n`)
    expect(await miio2mqtt(['check', '-c', file])).toMatchObject(valid)
    expect(await miio2mqtt(['check'], {env: {MIIO2MQTT_CONFIG: file}, cwd: '/'})).toMatchObject(valid)
    const {stdout} = await miio2mqtt(['check', '--json', '-c', 'own-tokens.yaml'])
    expect(JSON.parse(stdout)).toEqual({
      valid: true,
      file: 'own-tokens.yaml',
      devices: ['desk', 'kitchen/kettle'],
      warnings: [],
    })
  })

  it('names the groups, where there are some', async () => {
    const grouped = join(folder, 'grouped.yaml')
    await writeFile(
      grouped,
      'devices: {desk: {id: 1, token: !env DESK}}\ngroups: {evening: {members: [desk]}}\n',
    )
    const env = {DESK: TOKEN}
    const valid = done(`${grouped} is valid: 1 plug: desk\n1 group: evening\n`)
    expect(await miio2mqtt(['check', '-c', grouped], {env})).toMatchObject(valid)
    const {stdout} = await miio2mqtt(['check', '-c', grouped, '--json'], {env})
    expect(JSON.parse(stdout)).toMatchObject({devices: ['desk'], groups: ['evening']})
  })

  it('does not suggest a new file when there is one that cannot be read', async () => {
    const loop = join(folder, 'loop.yaml')
    await symlink(loop, loop)
    const {code, stderr} = await miio2mqtt(['check', '-c', loop])
    expect(code).toBe(78)
    expect(stderr).not.toContain('config.example.yaml')
  })

  it('lists problems for programs, too', async () => {
    const {code, stdout} = await miio2mqtt(['check', '-c', broken, '--json'])
    expect(code).toBe(78)
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      file: broken,
      problems: [
        {file: broken, line: 1, column: 1, path: 'pol', message: expect.stringContaining('unknown key')},
        {path: 'devices.desk.token', message: 'expected 32 hex digits, got 2'},
      ],
    })
  })
})

describe('discover', () => {
  const everywhere = ['discover', '--timeout', '600ms']
  const inReach = [...everywhere, '--broadcast', BROADCAST]
  /** Repeated until all devices have replied in time, for which a busy machine may be too slow. */
  const discover = (args: readonly string[], options?: ProgramOptions) =>
    until(
      async () => {
        const ending = await miio2mqtt(args, options)
        return [desk, kettle, strange].every(({did}) => ending.stdout.includes(`${did}`)) ? ending : undefined
      },
      {what: 'a scan that finds all three'},
    )

  it('lists the devices that reply, with their names where the configuration has them', async () => {
    const {code, stdout} = await discover(everywhere)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^DEVICE ID +ADDRESS +UP FOR +NAME +MODEL *\n/)
    expect(stdout).toMatch(new RegExp(`^${desk.did} +${desk.address} +24 h +desk$`, 'm'))
    expect(stdout).toMatch(
      new RegExp(`^${kettle.did} +${kettle.address} +24 h +kettle +chuangmi\\.plug\\.m1$`, 'm'),
    )
    expect(stdout).toMatch(
      new RegExp(`^${strange.did} +${strange.address} .*not set up: shows its token to everyone$`, 'm'),
    )
  })

  it('lists them for programs', async () => {
    const {stdout} = await discover([...everywhere, '--json'])
    const row = {
      did: desk.did,
      address: desk.address,
      uptime: expect.any(Number),
      name: 'desk',
      model: null,
      set_up: true,
    }
    expect(JSON.parse(stdout)).toContainEqual(row)
  })

  it.each([
    ['without a configuration', {cwd: tmpdir()}, ''],
    ['when the variable names a file that is missing', {env: {MIIO2MQTT_CONFIG: '/nowhere.yaml'}}, ''],
    [
      'with a broken one',
      {env: {MIIO2MQTT_CONFIG: broken}},
      `continuing without ${broken}, which is not valid: see \`miio2mqtt check\`\n`,
    ],
  ])('works %s', async (_, options, note) => {
    const {code, stdout, stderr} = await discover(inReach, options)
    expect(code).toBe(0)
    expect(stdout).toContain(`${desk.did}  ${desk.address} `)
    expect(stderr).toBe(note)
  })

  it('shows every packet with --debug', async () => {
    const {stderr} = await discover([...inReach, '--debug'])
    expect(stderr).toContain(`-> ${BROADCAST}:54321 hello\n`)
    expect(stderr).toMatch(
      new RegExp(`^<- ${desk.address}:54321 hello_reply did ${desk.did} stamp \\d+$`, 'm'),
    )
  })

  it('that finds no device is a 1 with hints', async () => {
    expect(await miio2mqtt([...everywhere, '--broadcast', loopback(9, 255)])).toMatchObject(
      failed(
        /^no device answered a hello to 127\.[\d.]+\.9\.255\n.*subnet.*\n.*--broadcast 192\.168\.x\.255.*\n.*miio2mqtt info --host/,
      ),
    )
  })
})

describe('a scan with nowhere to scan', () => {
  it('is a 1 that names the setting', async () => {
    const quiet = join(folder, 'quiet.yaml')
    await writeFile(quiet, 'network: {broadcast: []}\n')
    expect(await miio2mqtt(['discover', '--timeout', '100ms', '-c', quiet])).toMatchObject(
      failed(/^no hello was sent: `network\.broadcast` is empty, or this machine is in no network\n/),
    )
  })
})

describe('simulate', () => {
  it('runs plugs that the other commands can call, until Ctrl-C', async () => {
    const program = new Program([
      'simulate',
      '-n',
      '2',
      '--address',
      loopback(3, 1),
      '-m',
      'chuangmi.plug.v1',
      '--seed',
      '7',
    ])
    await program.waitForOutput(/Ctrl-C ends the simulation/)
    const [line = ''] = /miio2mqtt status .*/.exec(program.stderr) ?? []
    const {stdout} = await run(line.split(' ').slice(1))
    expect(stdout).toMatch(/^state +ON\nusb +OFF\ntemperature +\d+ °C\n$/)
    program.signal('SIGINT')
    expect(await program.waitForEnd()).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/\n2 plugs stopped\.\n$/),
    })
    expect(await miio2mqtt(at(loopback(3, 1), 'status'))).toMatchObject(failed(/^no hello/))
  })

  it('lists the plugs as JSON for programs, and injects faults', async () => {
    const program = new Program([
      'simulate',
      '--json',
      '-n',
      '1',
      '--address',
      loopback(3, 9),
      '-f',
      'error=-9999',
      '-m',
      'chuangmi.plug.m1',
    ])
    const [line] = await program.waitForOutput(/^\[.*\]$/m)
    const [plug] = JSON.parse(line)
    expect(plug).toEqual({
      model: 'chuangmi.plug.m1',
      did: expect.any(Number),
      address: loopback(3, 9),
      token: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    const {code, stderr} = await run([
      'call',
      'get_prop',
      '["power"]',
      '--host',
      plug.address,
      '--token',
      plug.token,
    ])
    expect(code).toBe(1)
    expect(stderr).toContain('refused get_prop with code -9999')
    program.signal('SIGTERM')
    expect(await program.waitForEnd()).toMatchObject({code: 0, stderr: '1 plug stopped.\n'})
  })

  it('at an address that is taken is one clear message', async () => {
    expect(await miio2mqtt(['simulate', '--address', desk.address])).toMatchObject(
      failed(
        new RegExp(`^UDP ${desk.address}:54321 is taken: .*\\nChoose another address with --address\\.\\n$`),
      ),
    )
  })
})

describe('the terminal', () => {
  const main = join(process.cwd(), 'dist/main.js')
  const command = `${process.execPath} ${main} discover --timeout 600ms`
  const onTerminal = (env: Record<string, string> = {}) =>
    shell('script', ['-qec', command, '/dev/null'], {
      cwd: folder,
      env: {PATH: process.env['PATH'], TERM: 'xterm', ...env},
    })

  it('shows colour and progress on a screen', async () => {
    const {stdout} = await onTerminal()
    expect(stdout).toContain('listening: 0 devices so far …')
    expect(stdout).toContain('\u001b[1mDEVICE ID ')
  })

  it('shows no colour where that is not wanted', async () => {
    for (const env of [{NO_COLOR: '1'}, {TERM: 'dumb'}])
      expect((await onTerminal(env)).stdout).not.toContain('\u001b[1m')
  })

  it('may be a pipe that closes early', async () => {
    const {stderr} = await shell('sh', ['-c', `${process.execPath} ${main} schema | true`])
    expect(stderr).toBe('')
  })
})

describe('the reference that the program prints', () => {
  it('prints a model as JSON with the keys of definition files', async () => {
    const {stdout} = await miio2mqtt(['models', 'chuangmi.plug.m1', '--json'])
    expect(JSON.parse(stdout).properties.state).toMatchObject({lane: 'fast'})
  })

  it('lists the models, as a table and as JSON', async () => {
    const {stdout} = await miio2mqtt(['models'])
    expect(stdout).toMatch(/^MODEL +NAME +PROPERTIES \(\* CAN BE SET\)\n/)
    expect(stdout).toMatch(
      /^chuangmi\.plug\.v3 +Mi Smart Plug, enhanced, two USB ports +state\* usb\* temperature led\* power$/m,
    )
    const models: {id: string}[] = JSON.parse((await miio2mqtt(['models', '--json'])).stdout)
    expect(models.find(({id}) => id === 'chuangmi.plug.v3')).toMatchObject({
      name: 'Mi Smart Plug, enhanced, two USB ports',
      properties: expect.arrayContaining([
        {name: 'state', unit: null, writable: true},
        {name: 'power', unit: 'W', writable: false},
      ]),
    })
  })

  it('has the schema of the configuration, as it is in the package', async () => {
    const {stdout} = await miio2mqtt(['schema'])
    expect(JSON.parse(stdout)).toEqual(JSON.parse(await readFile('config.schema.json', 'utf8')))
  })

  it('has the version', async () => {
    const {version} = JSON.parse(await readFile('package.json', 'utf8'))
    expect(await miio2mqtt(['--version'])).toMatchObject(done(`${version}\n`))
  })

  it('has every command, with help for each', async () => {
    const {stdout} = await miio2mqtt(['help'])
    const commands = [...stdout.matchAll(/^ {2}([a-z]+)(?: [<[].*?)? {2,}\S/gm)].map(([, name = '']) => name)
    for (const name of [
      'run',
      'check',
      'info',
      'status',
      'on',
      'off',
      'toggle',
      'get',
      'set',
      'call',
      'discover',
      'models',
      'schema',
      'demo',
      'simulate',
    ])
      expect(commands).toContain(name)
    for (const name of commands.filter((name) => name !== 'help')) {
      const help = await miio2mqtt([name, '--help'])
      expect(help).toMatchObject({code: 0, stderr: ''})
      expect(help.stdout).toMatch(new RegExp(`^Usage: miio2mqtt ${name} `))
    }
  })
})

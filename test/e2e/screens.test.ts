/**
 * Every command on a real terminal of 80 and of 110 columns: the whole screen, as a person sees it. `run`, `demo` and the overview of all
 * plugs have files of their own.
 */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {version} from '../../src/app/version.ts'
import {miot, relay, watts} from '../../src/models/builders.ts'
import {Catalogue} from '../../src/models/catalogue.ts'
import {LOOPBACK_BROADCAST} from '../../src/simulator/simulated-network.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {miio2mqtt} from '../support/program.ts'
import {TerminalScreen} from '../support/screen.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-screens-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const desk = await startPlug({
  address: loopback(1, 1),
  did: 200100001,
  model: 'chuangmi.plug.v3',
  state: {state: 'ON', power: 41.5},
})
const strip = await startPlug({address: loopback(1, 2), did: 200100002, model: 'qmi.powerstrip.v1'})
const fresh = await startPlug({address: loopback(1, 3), did: 200100003, profile: {helloShows: 'token'}})
const strange = await startPlug({
  address: loopback(1, 4),
  did: 200100004,
  model: 'acme.plug.one',
  catalogue: new Catalogue([
    {
      ids: ['acme.plug.one'],
      name: '',
      vendor: '',
      confidence: 'inferred',
      evidence: '',
      properties: {state: relay(miot(2, 1)), power: watts(miot(3, 2))},
    },
  ]),
})
await inReachOfBroadcasts([desk, strip, fresh])

const plug = (address: string) => ({host: address, token: TOKEN})
await writeFile(
  join(folder, 'config.yaml'),
  JSON.stringify({
    network: {broadcast: [BROADCAST]},
    devices: {
      desk: plug(desk.address),
      'kitchen/strip': {...plug(strip.address), model: 'qmi.powerstrip.v1'},
      strange: plug(strange.address),
    },
  }),
)
await writeFile(
  join(folder, 'many.yaml'),
  JSON.stringify({
    devices: Object.fromEntries(
      Array.from({length: 9}, (_, index) => [`floor ${index}/lamp`, {id: index + 1, token: TOKEN}]),
    ),
  }),
)
const urn = (kind: string) => `urn:miot-spec-v2:${kind}:acme-one:1`
await writeFile(
  join(folder, 'spec.json'),
  JSON.stringify({
    type: urn('device:outlet:0000A002'),
    description: 'Outlet',
    services: [
      {
        iid: 2,
        type: urn('service:switch:0000780C'),
        description: 'Switch',
        properties: [
          {
            iid: 1,
            type: urn('property:on:00000006'),
            description: 'Switch Status',
            format: 'bool',
            access: ['read', 'write', 'notify'],
          },
        ],
      },
    ],
  }),
)

/** A screen without what is another in each run: addresses of this file, and how a table with them is cut. */
function normalised(screen: TerminalScreen): string {
  return screen.text
    .replace(/127\.\d+\.1\./g, '127.x.1.')
    .replace(/\bADDRESS {2,}/, 'ADDRESS    ')
    .replace(/not set up: \S+…/, 'not set up: …')
    .replace(/(?<="life": )\d+/, '86400')
}

/** The terminal breaks what does not fit, in the middle of a word. */
function expectUnbroken(screen: TerminalScreen): void {
  expect(screen.wrappedLines).toEqual([])
}

interface Expected {
  code?: number
  /** Whether warnings may follow. */
  begins?: boolean
  /** The screen of 80 columns. */
  at80: string
  /** The screen of 110 columns; the same when left out. */
  at110?: string
}

const MODELS_AT_80 = `MODEL                 NAME                         PROPERTIES (* CAN BE SET)
chuangmi.plug.v1      Mi Smart Plug with USB       state* usb* temperature
chuangmi.plug.v3      Mi Smart Plug, enhanced, t…  state* usb* temperature led…
chuangmi.plug.m1      Mi Smart Plug                state* temperature led*`
const MODELS_AT_110 = `MODEL                 NAME                                        PROPERTIES (* CAN BE SET)
chuangmi.plug.v1      Mi Smart Plug with USB                      state* usb* temperature
chuangmi.plug.v3      Mi Smart Plug, enhanced, two USB ports      state* usb* temperature led* power
chuangmi.plug.m1      Mi Smart Plug                               state* temperature led*`

const PROBED = `ids: [acme.plug.one]
name: acme.plug.one
vendor: acme
confidence: hardware
evidence: miio2mqtt probe, firmware 2.0.4_0026
properties:
  state: {miot: 2.1}`

const commands: [string[], Expected][] = [
  [
    ['info', 'desk'],
    {
      at80: `name       desk
model      chuangmi.plug.v3
product    Mi Smart Plug, enhanced, two USB ports
firmware   2.0.4_0026
hardware   MW300
mac        28:6c:07:ed:48:a1
device id  200100001
address    127.x.1.1
up for     24 h
signal     -52 dBm`,
    },
  ],
  [
    ['status', 'desk'],
    {
      at80: `state        ON
usb          OFF
temperature  24 °C
led          OFF
power        41.5 W`,
    },
  ],
  [
    ['status', 'kitchen/strip'],
    {
      at80: `state            OFF
temperature      24 °C
current          0 A
mode             normal
power            0 W
voltage          230 V
power_factor     0 %
leakage_current  0 mA`,
    },
  ],
  [
    ['--json', 'status', 'desk'],
    {at80: '{"state":"ON","usb":"OFF","temperature":24,"led":"OFF","power":41.5}'},
  ],
  [['get', 'desk', 'power'], {at80: '41.5'}],
  [['on', 'kitchen/strip'], {at80: 'kitchen/strip: state is ON'}],
  [['off', 'kitchen/strip'], {at80: 'kitchen/strip: state is OFF'}],
  [['toggle', 'kitchen/strip'], {at80: 'kitchen/strip: state is ON'}],
  [['set', 'kitchen/strip', 'state', 'off'], {at80: 'kitchen/strip: state is OFF'}],
  [['call', 'desk', 'get_power'], {at80: '[4150]'}],
  [
    ['call', 'desk', 'miIO.info'],
    {
      at80: `{
  "life": 86400,
  "model": "chuangmi.plug.v3",
  "fw_ver": "2.0.4_0026",
  "hw_ver": "MW300",
  "mac": "28:6C:07:ED:48:A1",
  "mmfree": 30312,
  "ap": {
    "ssid": "***",
    "bssid": "***",
    "rssi": -52,
    "primary": 6
  },
  "netif": {
    "localIp": "127.x.1.1",
    "mask": "255.0.0.0",
    "gw": "127.0.0.1"
  }
}`,
    },
  ],
  [
    ['probe', 'desk'],
    {
      code: 1,
      at80: `desk was not probed: chuangmi.plug.v3 is supported already, and its firmware
fails on requests that it does not know.
Only miIO.info was sent, which asks for the model.
\`miio2mqtt models chuangmi.plug.v3\` prints its definition.`,
      at110: `desk was not probed: chuangmi.plug.v3 is supported already, and its firmware fails on requests that it does
not know.
Only miIO.info was sent, which asks for the model.
\`miio2mqtt models chuangmi.plug.v3\` prints its definition.`,
    },
  ],
  [
    ['probe', 'strange'],
    {
      at80: `This sends up to some hundred unusual requests to the plug, which takes a minute
or two. Some plugs restart after fewer, and a restart switches the devices that
they power: do not probe a plug with a fridge or a computer. Ctrl-C ends it.
# acme.plug.one, firmware 2.0.4_0026, hardware MW300: dialect miot, probed by
# miio2mqtt ${version}
${PROBED}
  # All reported values. Replace "# ?" by a name (docs/adding-a-plug.md):
  # ?: {miot: 2.1}  # false
  # ?: {miot: 3.2}  # 0`,
      at110: `This sends up to some hundred unusual requests to the plug, which takes a minute or two. Some plugs restart
after fewer, and a restart switches the devices that they power: do not probe a plug with a fridge or a
computer. Ctrl-C ends it.
# acme.plug.one, firmware 2.0.4_0026, hardware MW300: dialect miot, probed by miio2mqtt ${version}
${PROBED}
  # All reported values. Replace "# ?" by a name (docs/adding-a-plug.md):
  # ?: {miot: 2.1}  # false
  # ?: {miot: 3.2}  # 0`,
    },
  ],
  [
    ['models', 'chuangmi.plug.m1'],
    {
      at80: `ids: [chuangmi.plug.m1, chuangmi.plug.m3]
name: Mi Smart Plug
vendor: Xiaomi
confidence: hardware
evidence: python-miio, hass-xiaomi-miot, openHAB; for the m1 also a flash dump
  of its firmware.
properties:
  state: {get_prop: power, set: set_power}
  temperature: {get_prop: temperature}
  led:
    get_prop: wifi_led
    set: set_wifi_led
    alone: true
    evidence: in the firmware of the m1; three sources list it for the m3,
      homebridge-miot denies it. It is read alone, so that nothing else fails
      without it`,
      at110: `ids: [chuangmi.plug.m1, chuangmi.plug.m3]
name: Mi Smart Plug
vendor: Xiaomi
confidence: hardware
evidence: python-miio, hass-xiaomi-miot, openHAB; for the m1 also a flash dump of its firmware.
properties:
  state: {get_prop: power, set: set_power}
  temperature: {get_prop: temperature}
  led:
    get_prop: wifi_led
    set: set_wifi_led
    alone: true
    evidence: in the firmware of the m1; three sources list it for the m3, homebridge-miot denies it. It is
      read alone, so that nothing else fails without it`,
    },
  ],
  [
    ['models', 'import', 'spec.json'],
    {
      at80: `ids: [acme.plug.one]
name: acme.plug.one
vendor: acme
confidence: vendor
evidence: MIoT specification urn:miot-spec-v2:device:outlet:0000A002:acme-one:1
properties:
  state: {miot: 2.1}
# the specification does not contain the model: \`ids\` is guessed from its urn,
# compare it with \`miio2mqtt info\``,
      at110: `ids: [acme.plug.one]
name: acme.plug.one
vendor: acme
confidence: vendor
evidence: MIoT specification urn:miot-spec-v2:device:outlet:0000A002:acme-one:1
properties:
  state: {miot: 2.1}
# the specification does not contain the model: \`ids\` is guessed from its urn, compare it with \`miio2mqtt
# info\``,
    },
  ],
  [
    ['models', 'lamp'],
    {code: 64, at80: 'the model "lamp" is not supported; `miio2mqtt models` lists the supported models'},
  ],
  [['check'], {begins: true, at80: 'config.yaml is valid: 3 plugs: desk, kitchen/strip, strange'}],
  [
    ['check', '--config', 'many.yaml'],
    {
      begins: true,
      at80: `many.yaml is valid: 9 plugs: floor 0/lamp, floor 1/lamp, floor 2/lamp, floor
3/lamp, floor 4/lamp, floor 5/lamp, floor 6/lamp, floor 7/lamp, floor 8/lamp`,
      at110: `many.yaml is valid: 9 plugs: floor 0/lamp, floor 1/lamp, floor 2/lamp, floor 3/lamp, floor 4/lamp, floor
5/lamp, floor 6/lamp, floor 7/lamp, floor 8/lamp`,
    },
  ],
  [['--version'], {at80: version}],
  [['staus', 'desk'], {code: 64, at80: 'no command is called "staus", did you mean "status"?'}],
  [['bogus'], {code: 64, at80: 'no command is called "bogus": `miio2mqtt help` lists them'}],
  [['on', 'dask'], {code: 64, at80: 'no plug is called "dask", did you mean "desk"?'}],
  [['set', 'desk', 'led'], {code: 64, at80: 'expected <property> <value> after the plug, got no <value>'}],
  [
    ['set', 'desk', 'ledd', 'on'],
    {
      code: 64,
      at80: `expected one of state, usb, temperature, led, power, energy, energy_today, rssi,
last_seen, got "ledd", did you mean "led"?`,
      at110: `expected one of state, usb, temperature, led, power, energy, energy_today, rssi, last_seen, got "ledd", did
you mean "led"?`,
    },
  ],
  [
    ['--jsn', 'models'],
    {
      code: 64,
      at80: `unknown option '--jsn' (Did you mean --json?); \`miio2mqtt help\` lists what there
is`,
      at110: "unknown option '--jsn' (Did you mean --json?); `miio2mqtt help` lists what there is",
    },
  ],
  [
    ['discover', '--timeout', '100ms', '--broadcast', loopback(1, 255)],
    {
      code: 1,
      at80: `no device answered a hello to 127.x.1.255
Plugs answer only hosts in their own subnet, and a broadcast does not cross a
router, a VLAN or a Docker bridge network.
Is this machine in the same Wi-Fi network as the plugs? Try \`--broadcast
192.168.x.255\` with the address range of that network,
or \`miio2mqtt info --host <address> --token <token>\`, which needs no broadcast.`,
      at110: `no device answered a hello to 127.x.1.255
Plugs answer only hosts in their own subnet, and a broadcast does not cross a router, a VLAN or a Docker
bridge network.
Is this machine in the same Wi-Fi network as the plugs? Try \`--broadcast 192.168.x.255\` with the address range
of that network,
or \`miio2mqtt info --host <address> --token <token>\`, which needs no broadcast.`,
    },
  ],
]

describe.each([80, 110] as const)('on a terminal of %d columns', (columns) => {
  it.each(commands)('%j', async (args, {code = 0, begins = false, at80, at110 = at80}) => {
    const screen = new TerminalScreen(args, {columns, cwd: folder})
    expect(await screen.ended()).toBe(code)
    const expected = columns === 80 ? at80 : at110
    const shown = normalised(screen)
    expect(begins ? shown.slice(0, expected.length) : shown).toBe(expected)
    expectUnbroken(screen)
  })

  it('["discover"]', async () => {
    const screen = await until(
      async () => {
        const screen = new TerminalScreen(['discover', '--timeout', '1s'], {columns, cwd: folder})
        await screen.ended()
        return screen.lines.length === 4 ? screen : undefined // a busy machine may be too slow for a reply
      },
      {what: 'a scan that finds all'},
    )
    const note = columns === 80 ? 'not set up: …' : 'not set up: shows its token to everyone'
    expect(normalised(screen)).toBe(`DEVICE ID  ADDRESS    UP FOR  NAME           MODEL
200100001  127.x.1.1  24 h    desk
200100002  127.x.1.2  24 h    kitchen/strip  qmi.powerstrip.v1
200100003  127.x.1.3  24 h                                      ${note}`)
    expectUnbroken(screen)
  })

  it('["models"]: one line for each, and where the rest is', async () => {
    const screen = new TerminalScreen(['models'], {columns, cwd: folder})
    expect(await screen.ended()).toBe(0)
    const {stdout} = await miio2mqtt(['models'], {cwd: folder})
    const whole = stdout.trimEnd().split('\n')
    expect(screen.lines.slice(0, 4).join('\n')).toBe(columns === 80 ? MODELS_AT_80 : MODELS_AT_110)
    expect(screen.lines.at(-1)).toBe('`miio2mqtt models <model>` prints one in full.')
    const ids = (lines: string[]) => lines.map((line) => line.split(' ')[0])
    expect(ids(screen.lines.slice(0, -1))).toEqual(ids(whole))
    expect(stdout).not.toContain('…')
    expectUnbroken(screen)
  })

  it.each([
    ['help'],
    ['help', 'set'],
    ['help', 'models'],
    ['help', 'simulate'],
    ['discover', '--help'],
    ['--help'],
  ])('%s %s: every word that a pipe gets, in lines that fit', async (...args) => {
    const screen = new TerminalScreen(args, {columns, cwd: folder})
    expect(await screen.ended()).toBe(0)
    const {stdout} = await miio2mqtt(args, {cwd: folder})
    expect(screen.text.split(/\s+/)).toEqual(stdout.trim().split(/\s+/))
    // What goes on in another line is indented at least as far as what it belongs to.
    for (const line of screen.lines) expect(line.length).toBeLessThanOrEqual(columns)
    expectUnbroken(screen)
  })

  it('["schema"]: JSON that can be copied from the screen', async () => {
    const screen = new TerminalScreen(['schema'], {columns, cwd: folder})
    expect(await screen.ended()).toBe(0)
    expect(JSON.parse(screen.copied)).toEqual(JSON.parse((await miio2mqtt(['schema'])).stdout))
  })

  it('["simulate"], and Ctrl-C', async () => {
    const args = ['simulate', '--count', '2', '--address', loopback(1, 5)]
    const screen = new TerminalScreen(args, {columns, cwd: folder})
    await screen.shows(/Ctrl-C ends the simulation\./)
    screen.type('\x03')
    expect(await screen.ended()).toBe(0)
    expect(normalised(screen)).toBe(`MODEL             DEVICE ID  ADDRESS    TOKEN
chuangmi.plug.v1  200100000  127.x.1.5  2aed976192bdd2c7c7170d545670ed73
chuangmi.plug.v3  200100001  127.x.1.6  e30068da0452a4c35c5148a2df5cd66f

In another terminal:
  miio2mqtt discover --broadcast ${LOOPBACK_BROADCAST}
  miio2mqtt status --host 127.x.1.5 --token 2aed976192bdd2c7c7170d545670ed73
  miio2mqtt off --host 127.x.1.5 --token 2aed976192bdd2c7c7170d545670ed73
Ctrl-C ends the simulation.
2 plugs stopped.`)
    expectUnbroken(screen)
  })
})

/** A plug that only a file of the user describes, from its specification to Home Assistant, through the real program. */
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {mosquittoPub, Watcher} from '../support/mqtt-user.ts'
import {Program, miio2mqtt as run} from '../support/program.ts'

const HOST = loopback(1, 1)
/** Made up, in the shape in which specifications are published: no order, and whatever may be missing is. */
const SPEC = {
  type: 'urn:miot-spec-v2:device:outlet:0000A002:acme-two:1',
  description: 'Outlet',
  services: [
    {
      iid: 11,
      type: 'urn:miot-spec-v2:service:power-consumption:0000780E:acme-two:1',
      description: 'Power Consumption',
      properties: [
        property(1, 'power-consumption:0000002F', ['read', 'notify'], {unit: 'kWh'}),
        property(2, 'electric-power:00000066', ['notify', 'read'], {
          unit: 'watt',
          'value-range': [0, 3000, 1],
        }),
      ],
    },
    {iid: 12, type: 'urn:acme-spec:service:calibration:00007801:acme-two:1', description: ''},
    {
      iid: 2,
      type: 'urn:miot-spec-v2:service:switch:0000780C:acme-two:1',
      description: 'Switch',
      properties: [
        property(1, 'on:00000006', ['read', 'write', 'notify']),
        property(2, 'default-power-on-state:00000105', ['read', 'write'], {
          'value-list': [
            {value: 0, description: 'Memory'},
            {value: 1, description: 'On'},
            {value: 2, description: 'Off'},
          ],
        }),
        property(3, 'status:00000007', []),
      ],
    },
    {
      iid: 7,
      type: 'urn:miot-spec-v2:service:physical-controls-locked:00007807:acme-two:1',
      description: '',
      properties: [property(1, 'physical-controls-locked:0000001D', ['write', 'read'])],
    },
  ],
}

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-own-model-'))
afterAll(() => rm(folder, {recursive: true, force: true}))
const definition = join(folder, 'models', 'acme.yaml')
const miio2mqtt = (...args: string[]) => run(args, {cwd: folder})

await mkdir(join(folder, 'models'))
await writeFile(join(folder, 'models', 'notes.txt'), 'not a definition')
await writeFile(join(folder, 'spec.json'), JSON.stringify(SPEC))
await configure({})

const imported = await miio2mqtt('models', 'import', 'spec.json')
await writeFile(definition, `${imported.stdout}  refresh: {is: button, action: 5.1}\n`)

const simulator = new Program(
  ['simulate', '--model', 'acme.plug.two', '-n', '1', '--address', HOST, '--seed', '83', '--json'],
  {cwd: folder},
)
const [[plug]] = JSON.parse(`[${(await simulator.waitForOutput(/^\[.*\]$/m))[0]}]`)
const broker = await startMosquitto()
const user = await Watcher.open(broker)
await configure({
  mqtt: {url: broker.url},
  network: {broadcast: []},
  poll: {interval: '1s', slow_interval: '1s'},
  devices: {desk: {host: HOST, token: plug.token}},
})
const bridge = new Program(['run'], {cwd: folder})

const json = (text: string) => JSON.parse(text)
const PROPERTIES = ['state', 'power_on_behavior', 'child_lock', 'power', 'refresh']

describe('a specification', () => {
  it('becomes a file, with a note on each thing that is left out', () => {
    expect(imported).toMatchObject({code: 0})
    expect(imported.stdout).toContain(
      '\n  power_on_behavior:\n    miot: 2.2\n    values: {0: previous, 1: on, 2: off}\n',
    )
    expect(imported.stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^# the specification does not contain the model/),
      expect.stringMatching(
        /^# 11\.1 power-consumption is left out: .*energy: \{miot: 11\.1, scale: 0\.01\}$/,
      ),
      '# left out, since no known property matches: 2.3 Switch: status',
    ])
  })

  it.each([
    ['that is not there', 'nothing.json', /there is no such file/],
    ['that is no JSON', 'models/notes.txt', /not valid JSON|Unexpected token/],
    ['that is something else', 'config.yaml', /type: expected the urn of a device/],
  ])('%s is refused in one error', async (_, file, message) => {
    const {code, stdout, stderr} = await miio2mqtt('models', 'import', file)
    expect({code, stdout}).toEqual({code: 1, stdout: ''})
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(
      /^\S+ is no MIoT specification of a plug: .*\nExpected the JSON of one device, .*\n$/,
    )
  })
})

describe('a plug that a file of the user describes', () => {
  it('is polled', async () => {
    const {payload} = await user.waitFor('miio2mqtt/desk', ({payload}) => json(payload).power > 0)
    expect(json(payload)).toMatchObject({
      state: 'ON',
      power_on_behavior: 'previous',
      power: expect.any(Number),
    })
    expect(json(payload)).not.toHaveProperty('refresh')
  })

  it('is listed among the devices, with all that it can do', async () => {
    const knows = ({payload}: {payload: string}) => json(payload)[0]?.model === 'acme.plug.two'
    const {payload} = await user.waitFor('miio2mqtt/bridge/devices', knows)
    const [desk] = json(payload)
    expect(desk).toMatchObject({name: 'desk', model: 'acme.plug.two', vendor: 'acme'})
    expect(desk.properties).toEqual(
      expect.arrayContaining([
        expect.objectContaining({name: 'power', kind: 'sensor', unit: 'W', access: 'read'}),
        expect.objectContaining({
          name: 'power_on_behavior',
          values: ['previous', 'on', 'off'],
          access: 'read_write',
        }),
        expect.objectContaining({name: 'refresh', kind: 'button', access: 'write'}),
      ]),
    )
  })

  it('takes commands for its relay, its choice, its lock and its button', async () => {
    for (const [name, value] of [
      ['state', 'OFF'],
      ['power_on_behavior', 'on'],
      ['child_lock', 'ON'],
      ['refresh', 'PRESS'],
    ] as const) {
      user.forget()
      await mosquittoPub(broker, '-t', `miio2mqtt/desk/set/${name}`, '-m', value)
      const {payload} = await user.waitFor('miio2mqtt/desk/response')
      expect(json(payload)).toMatchObject({status: 'ok', data: {[name]: value === 'PRESS' ? null : value}})
    }
    await user.waitFor('miio2mqtt/desk', ({payload}) => json(payload).power_on_behavior === 'on')
  })

  it('is announced to Home Assistant', async () => {
    const retained = await user.retained()
    const discovery = json(retained.get(`homeassistant/device/miio2mqtt_${plug.did}/config`) ?? '{}')
    expect(discovery.device).toMatchObject({model_id: 'acme.plug.two', manufacturer: 'acme'})
    expect(Object.keys(discovery.components)).toEqual(expect.arrayContaining(PROPERTIES))
    expect(discovery.components.power_on_behavior).toMatchObject({
      platform: 'select',
      options: ['previous', 'on', 'off'],
    })
  })

  it('answers the command line, by name and by address', async () => {
    expect(await miio2mqtt('set', 'desk', 'power_on_behavior', 'Off')).toMatchObject({
      stdout: 'desk: power_on_behavior is off\n',
    })
    const direct = ['--host', HOST, '--token', plug.token]
    expect(await miio2mqtt('get', 'power_on_behavior', ...direct)).toMatchObject({stdout: 'off\n'})
    expect(await miio2mqtt('set', 'desk', 'refresh', 'press')).toMatchObject({
      stdout: 'desk: refresh is pressed\n',
    })
    expect(await miio2mqtt('get', 'desk', 'child_lock')).toMatchObject({stdout: 'ON\n'})
    const {stdout} = await miio2mqtt('status', 'desk')
    expect(stdout).toMatch(/^state +OFF\npower_on_behavior +off\npower +\d.* W\n$/)
    expect(await miio2mqtt('get', 'desk', 'refresh')).toMatchObject({code: 64})
  })

  it('is in the list of models, in full and in short, and in the check', async () => {
    const {stdout} = await miio2mqtt('models')
    expect(stdout).toMatch(/^acme\.plug\.two +acme\.plug\.two +state\* power_on_behavior\* power \+2$/m)
    expect((await miio2mqtt('models', 'acme.plug.two')).stdout).toBe(await readFile(definition, 'utf8'))
    expect(await miio2mqtt('models', 'acme.plug.too')).toMatchObject({
      code: 64,
      stderr: 'the model "acme.plug.too" is not supported, did you mean "acme.plug.two"?\n',
    })
    const models: {id: string; own: boolean}[] = json((await miio2mqtt('models', '--json')).stdout)
    expect(models.filter(({own}) => own).map(({id}) => id)).toEqual(['acme.plug.two'])
    expect((await miio2mqtt('check')).stdout).toBe(
      'config.yaml is valid: 1 plug: desk\n1 own model: acme.plug.two\n',
    )
  })
})

describe('an edited definition', () => {
  const log = () => bridge.stdout + bridge.stderr

  it('is refused at a reload when it is wrong, with its place, and the old one stays', async () => {
    const right = await readFile(definition, 'utf8')
    await writeFile(definition, right.replace('action: 5.1', 'action: often'))
    bridge.signal('SIGHUP')
    await bridge.waitForOutput(
      /models\/acme\.yaml:\d+:\d+ properties\.refresh\.action: expected service and action, such as 15\.1, got "often"/,
    )
    expect(log()).toContain('the new configuration is refused, the old one stays: 1 problem')
    expect(await miio2mqtt('check')).toMatchObject({code: 78})
    await writeFile(definition, right)
  })

  it('is taken over at a reload, and says when it takes the place of one that comes with the program', async () => {
    const right = await readFile(definition, 'utf8')
    await writeFile(definition, `${right}  lock_again: {is: setting, miot: 7.1}\n`)
    const other =
      'ids: chuangmi.plug.m1\nname: My m1\nvendor: Me\nproperties: {state: {get_prop: power, set: set_power}}\n'
    await writeFile(join(folder, 'models', 'm1.yml'), other)
    user.forget()
    bridge.signal('SIGHUP')
    await user.waitFor('miio2mqtt/bridge/devices', ({payload}) => payload.includes('lock_again'))
    expect(log()).toContain('own definitions replace built-in ones: chuangmi.plug.m1')
  })
})

function property(iid: number, type: string, access: string[], more: object = {}) {
  return {
    iid,
    type: `urn:miot-spec-v2:property:${type}:acme-two:1`,
    description: '',
    format: 'uint8',
    access,
    ...more,
  }
}

async function configure(config: Record<string, unknown>): Promise<void> {
  await writeFile(join(folder, 'config.yaml'), JSON.stringify({models: 'models', ...config}))
}

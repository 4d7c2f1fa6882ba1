/** The fast test: Home Assistant's real MQTT integration receives the messages of the bridge about plugs of every model. */
import {execFile} from 'node:child_process'
import {cp, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, beforeAll, describe, expect, inject, it} from 'vitest'
import {version} from '../../src/app/version.ts'
import {bridgeId, deviceId} from '../../src/bridge/homeassistant/discovery-message.ts'
import {builtIn} from '../../src/models/catalogue.ts'
import type {Property} from '../../src/models/model.ts'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {MessageRecorder} from '../support/message-recorder.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {until} from '../support/wait.ts'
import {note} from './hass.ts'

interface Component {
  platform: string
  unique_id: string
  state_topic?: string
  value_template?: string
  command_topic?: string
  name: string | null
}

interface Device {
  device: {name: string}
  state_topic?: string
  components: Record<string, Component>
}

/** The content of Home Assistant's registries: entities by unique id, devices by identifier. */
interface Looks {
  entities: Record<string, Record<string, unknown>>
  devices: Record<string, Record<string, unknown>>
}

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-replay-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

describe('plugs of every model, replayed to a real Home Assistant', () => {
  const plugs = new Map<string, SimulatedPlug>()
  let looks: Looks

  beforeAll(async () => {
    for (const [index, model] of builtIn.ids.entries()) {
      const state = {state: index % 2 === 0 ? ('ON' as const) : ('OFF' as const)}
      plugs.set(model, await startPlug({model, state, address: loopback(1, index + 1)}))
    }
  })

  it('are accepted, message by message, without a warning, and have the published state', async () => {
    const messages = await published(plugs)
    const latest = new Map(messages.map(({topic, payload}) => [topic, payload]))
    const devices = [...latest].flatMap(([topic, payload]): Device[] =>
      /^homeassistant\/device\/[^/]+\/config$/.test(topic) ? [JSON.parse(payload)] : [],
    )
    expect(devices.length).toBe(builtIn.ids.length + 1)
    // A broker sends retained messages to later subscribers; Home Assistant's harness has no broker.
    const retained = [...latest].map(([topic, payload]) => ({topic, payload}))
    await writeLines('retained.jsonl', retained)
    await writeLines('publishes.jsonl', [...messages, ...retained])
    await writeFile(join(folder, 'expected.json'), JSON.stringify(expectations(devices, latest)))
    const [, entities] = /REPLAYED entities=(\d+) .* warnings=0/.exec(await replay()) ?? []
    await note({entities: Number(entities), warnings: 0})
    looks = JSON.parse(await readFile(join(folder, 'looks.json'), 'utf8'))
    expect(Object.keys(looks.entities)).toHaveLength(Number(entities))
  })

  it.each([...builtIn.models])(
    '%s has in the registries what its model says: names, units, classes, categories, ranges, and what is off',
    (id, {properties, name, vendor}) => {
      const {did = 0} = plugs.get(id) ?? {}
      const own = `${deviceId(did)}_`
      const entities = Object.entries(looks.entities).flatMap(([unique_id, look]) =>
        unique_id.startsWith(own) ? [[unique_id.slice(own.length), look] as const] : [],
      )
      const wanted = Object.entries(properties).map(([key, property]) => [key, lookOf(property)] as const)
      expect(Object.fromEntries(entities)).toEqual(Object.fromEntries(wanted))
      expect(looks.devices[deviceId(did)]).toEqual({
        name: `plugs ${id}`,
        manufacturer: vendor,
        model: name,
        model_id: id,
        hw_version: expect.stringMatching(/./),
        sw_version: expect.stringMatching(/./),
        serial_number: String(did),
        connections: [['mac', expect.stringMatching(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/)]],
        via: [bridgeId('miio2mqtt')],
      })
    },
  )

  it('belong to the bridge, which has its own entities', () => {
    const id = bridgeId('miio2mqtt')
    const own = Object.entries(looks.entities).flatMap(
      ([unique_id, {name, platform, category, device_class}]) =>
        unique_id.startsWith(id) ? [[String(name), [platform, category, device_class]] as const] : [],
    )
    expect(Object.fromEntries(own)).toEqual({
      Connection: ['binary_sensor', 'diagnostic', 'connectivity'],
      Version: ['sensor', 'diagnostic', null],
      'Log level': ['select', 'config', null],
      Restart: ['button', 'config', 'restart'],
      'Discover plugs': ['button', 'diagnostic', null],
    })
    expect(looks.devices[id]).toMatchObject({
      name: 'miio2mqtt',
      model: 'Bridge',
      sw_version: version,
      via: null,
    })
  })
})

/** The members of a property, with the names of the registry. */
function lookOf(property: Property): Record<string, unknown> {
  const {kind, label, icon = null, category = null, disabledByDefault = false} = property
  const common = {platform: kind, name: label, icon, category, enabled: !disabledByDefault, precision: null}
  const classed = {
    ...common,
    device_class: 'deviceClass' in property ? property.deviceClass : null,
    unit: null,
  }
  switch (kind) {
    case 'switch':
    case 'binary_sensor':
    case 'button':
      return classed
    case 'select':
      return {...classed, options: property.values.map(([, word]) => word)}
    case 'number': {
      const {unit, min, max, step} = property
      return {...classed, unit, min, max, step, mode: 'box'}
    }
    case 'sensor':
      if (property.raw === 'text') return classed
      return {
        ...classed,
        unit: property.unit,
        state_class: property.stateClass,
        // Home Assistant does not record it for disabled entities.
        precision: disabledByDefault ? null : digitsOf(property.unit, property.precision),
      }
  }
}

/** Digits that are shown after the decimal point: three for kWh and A, else one. */
function digitsOf(unit: string, precision: number): number {
  return Math.min(precision, unit === 'kWh' || unit === 'A' ? 3 : 1)
}

/** The messages of a bridge with these plugs, from its start until the state of each plug is complete. */
async function published(models: ReadonlyMap<string, SimulatedPlug>) {
  const broker = await startMosquitto()
  const recorder = await MessageRecorder.open(broker)
  const plugs = Object.fromEntries([...models].map(([model, plug]) => [`plugs/${model}`, plug]))
  await startBridge({broker, plugs})
  const isComplete = (name: string) => recorder.on(`miio2mqtt/${name}`).at(-1)?.payload.includes('"rssi":-')
  const known = ({did}: SimulatedPlug) =>
    recorder
      .on(`homeassistant/device/${deviceId(did)}/config`)
      .at(-1)
      ?.payload.includes('"hw_version"')
  const online = () => recorder.on('miio2mqtt/bridge/state').at(-1)?.payload === '{"state":"online"}'
  await until(online, {what: 'the bridge says online', within: 60_000})
  const missing = () => Object.entries(plugs).filter(([name, plug]) => !isComplete(name) || !known(plug))
  await until(() => missing().length === 0, {
    what: () => `all of every plug; not of ${missing().map(([name]) => name)}`,
    within: 60_000,
  })
  return recorder.messages.map(({topic, payload}) => ({topic, payload}))
}

/** The output of Home Assistant for the files in the folder. */
async function replay(): Promise<string> {
  for (const file of ['replay.py', 'pytest.ini']) await cp(new URL(file, import.meta.url), join(folder, file))
  const options = {cwd: folder, env: {...process.env, REPLAY: folder}, maxBuffer: 1 << 26}
  const args = ['-m', 'pytest', '-q', '-s', '--show-capture=no', folder]
  const {stdout} = await promisify(execFile)(inject('python').path, args, options).catch(
    ({message, stdout = '', stderr = ''}: Error & {stdout?: string; stderr?: string}) =>
      expect.fail([stdout, stderr, message].filter((text) => text !== '').join('\n')),
  )
  return stdout
}

function writeLines(file: string, messages: readonly {topic: string; payload: string}[]): Promise<void> {
  return writeFile(join(folder, file), messages.map((message) => JSON.stringify(message)).join('\n'))
}

/** By unique id, the expected entities in Home Assistant. */
function expectations(devices: readonly Device[], latest: ReadonlyMap<string, string>) {
  const entities: Record<string, {state: unknown}> = {}
  const relays: Record<string, string | undefined> = {}
  for (const {components, state_topic} of devices)
    for (const component of Object.values(components)) {
      const {unique_id, platform, command_topic, name} = component
      entities[unique_id] = {state: stateOf(component, latest, state_topic)}
      if (platform === 'switch' && name === null) relays[unique_id] = command_topic
    }
  return {entities, relays, devices: devices.map(({device}) => device.name)}
}

/** The value in the retained state; `undefined` where there is none to compare. */
function stateOf(
  {platform, state_topic, value_template = ''}: Component,
  latest: ReadonlyMap<string, string>,
  shared: string | undefined,
): unknown {
  const [, key] = /^{{ value_json\.(\w+)(?: \| default\(none\))? }}$/.exec(value_template) ?? []
  const payload = latest.get(state_topic ?? shared ?? '')
  if (platform === 'button' || key === undefined || payload === undefined) return undefined
  return JSON.parse(payload)[key]
}

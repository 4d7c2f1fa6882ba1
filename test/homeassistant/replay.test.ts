/** The quick half: what the bridge publishes about plugs of every model goes through Home Assistant's real MQTT integration. */
import {execFile} from 'node:child_process'
import {cp, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, expect, it} from 'vitest'
import {builtIn} from '../../src/models/index.ts'
import type {SimulatedPlug} from '../../src/simulator/plug.ts'
import {startBridge, startPlug} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Recorder} from '../support/recorder.ts'
import {until} from '../support/wait.ts'
import {pythonWithHomeAssistant} from './python.ts'

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

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-replay-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

it('Home Assistant takes every message about plugs of every model without a word of complaint', async () => {
  const python = await pythonWithHomeAssistant()
  const messages = await published()
  const latest = new Map(messages.map(({topic, payload}) => [topic, payload]))
  const devices = [...latest].flatMap(([topic, payload]): Device[] =>
    /^homeassistant\/device\/[^/]+\/config$/.test(topic) ? [JSON.parse(payload)] : [],
  )
  expect(devices.length).toBe(builtIn.ids.length + 1)
  // The broker gives what is retained to whoever subscribes later; Home Assistant's harness has no broker.
  const retained = [...latest].map(([topic, payload]) => ({topic, payload}))
  const lines = [...messages, ...retained].map((message) => JSON.stringify(message))
  await writeFile(join(folder, 'publishes.jsonl'), lines.join('\n'))
  await writeFile(join(folder, 'expected.json'), JSON.stringify(expectations(devices, latest)))
  for (const file of ['replay.py', 'pytest.ini']) await cp(new URL(file, import.meta.url), join(folder, file))
  const {stdout} = await promisify(execFile)(
    python.path,
    ['-m', 'pytest', '-q', '-s', '--show-capture=no', folder],
    {
      cwd: folder,
      env: {...process.env, REPLAY: folder},
      maxBuffer: 1 << 26,
    },
  ).catch((error: Error & {stdout?: string}) => expect.fail(error.stdout ?? error.message))
  expect(stdout).toMatch(/REPLAYED .* complaints=0/)
  console.log(
    `Home Assistant ${python.homeAssistant} on Python ${python.version}: ${/REPLAYED.*/.exec(stdout)}`,
  )
})

/** What a bridge with one plug of each model says from its start until all of them have told everything. */
async function published() {
  const broker = await startMosquitto()
  const recorder = await Recorder.open(broker)
  const plugs: Record<string, SimulatedPlug> = {}
  for (const [index, model] of builtIn.ids.entries()) {
    const state = {state: index % 2 === 0 ? ('ON' as const) : ('OFF' as const)}
    plugs[`plugs/${model}`] = await startPlug({model, state, address: `127.90.1.${index + 1}`})
  }
  await startBridge({broker, plugs})
  const told = (name: string) => recorder.on(`miio2mqtt/${name}`).at(-1)?.payload.includes('"rssi":-')
  const known = ({did}: SimulatedPlug) =>
    recorder.on(`homeassistant/device/miio2mqtt_${did}/config`).at(-1)?.payload.includes('"hw_version"')
  const online = () => recorder.on('miio2mqtt/bridge/state').at(-1)?.payload === '{"state":"online"}'
  await until(online, {what: 'the bridge says online', within: 60_000})
  const missing = () => Object.entries(plugs).filter(([name, plug]) => !told(name) || !known(plug))
  await until(() => missing().length === 0, {
    what: () => `all of every plug; not of ${missing().map(([name]) => name)}`,
    within: 60_000,
  })
  return recorder.run.map(({topic, payload}) => ({topic, payload}))
}

/** By unique id, what Home Assistant must have made of it all. */
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

/** The value in the state that lies on the broker; `undefined` where there is none to compare. */
function stateOf(
  {platform, state_topic, value_template = ''}: Component,
  latest: ReadonlyMap<string, string>,
  shared: string | undefined,
): unknown {
  const [, key] = /^{{ value_json\.(\w+) }}$/.exec(value_template) ?? []
  const payload = latest.get(state_topic ?? shared ?? '')
  if (platform === 'button' || key === undefined || payload === undefined) return undefined
  return JSON.parse(payload)[key]
}

/** `miio2mqtt demo`: an embedded broker, three simulated plugs and the bridge in one process, without a file of the user. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, join, relative} from 'node:path'
import {STOP_MS} from '../../app/bridge-runner.ts'
import {systemClock, within} from '../../common/clock.ts'
import {type Config, parseConfig} from '../../config/config.ts'
import {integer} from '../../config/schema/fields.ts'
import {builtIn} from '../../models/catalogue.ts'
import {LOOPBACK_BROADCAST, type SimulatedNetwork, simulate} from '../../simulator/simulated-network.ts'
import {createBridgeProcess, prepareBridge} from '../bridge-process.ts'
import {DEFAULT_BROKER_PORT, type PublishedMessage, startBroker} from '../demo-broker.ts'
import {DemoChanges} from '../demo-changes.ts'
import {readOption} from '../errors.ts'
import {interrupted, onKeys} from '../signals.ts'
import type {Terminal} from '../terminal.ts'
import {firstAddress, startSimulation} from './simulate.ts'

const BASE_TOPIC = 'miio2mqtt'
const plugs = [
  {name: 'desk', model: 'chuangmi.plug.v3'},
  {name: 'kitchen/kettle', model: 'chuangmi.plug.m1'},
  {name: 'bedroom', model: 'chuangmi.plug.hmi208'},
] as const

interface Options {
  port?: string
  address?: string
}

/** Runs the demo until a signal ends it. */
export async function demo({port, address}: Options, terminal: Terminal): Promise<void> {
  const network = simulate({
    count: plugs.length,
    models: plugs.map(({model}) => model),
    firstAddress: firstAddress(address),
    clock: systemClock,
    random: Math.random,
  })
  switchAllOff(network)
  const end = interrupted('SIGHUP')
  const messages = new DemoMessages(terminal)
  const broker = await startBroker(
    port === undefined ? undefined : readOption('--port', integer(1, 65_535), port),
    (message) => messages.published(message),
  )
  const folder = await mkdtemp(join(tmpdir(), 'demo-'))
  try {
    await startSimulation(network)
    const file = join(folder, 'config.yaml')
    const text = configFor(broker.port, network)
    await writeFile(file, text) // for other commands, such as `status -c`
    const config = parseConfig(text, {file: 'demo', env: {}, readFile})
    await runBridge(config, folder, end, async () => {
      await Promise.race([messages.online, end])
      const stopKeys = onKeys((key) => pressButton(key, network, messages.changes))
      if (stopKeys) void end.then(stopKeys)
      terminal.line(instructions({port: broker.port, file, hasKeys: stopKeys !== undefined}, terminal))
    })
    terminal.line('The demo has ended.')
  } finally {
    await network.stop()
    await broker.stop()
    await rm(folder, {recursive: true, force: true})
  }
}

/** Runs the bridge until `end`. @param onStarted awaited before that */
async function runBridge(
  config: Config,
  stateFolder: string,
  end: Promise<unknown>,
  onStarted: () => Promise<void>,
): Promise<void> {
  const configActions = {
    edit: () => Promise.resolve('a demo has no file to change'),
    reload: () => Promise.resolve('a demo has no file to read'),
  }
  const shared = createBridgeProcess(config, 'stderr')
  const prepared = await prepareBridge(config, shared, configActions, stateFolder)
  const bridge = prepared.build()
  await bridge.start()
  await onStarted()
  await end
  await within(systemClock, systemClock.now() + STOP_MS, bridge.stop())
  await prepared.close()
}

/** Follows all messages on the broker: waits for the bridge, and prints the changes of plugs. */
class DemoMessages {
  readonly changes: DemoChanges
  /** Resolves once the bridge has published that it is online: all plugs are on MQTT then. */
  readonly online: Promise<void>
  #setOnline = () => {}

  constructor(terminal: Terminal) {
    this.online = new Promise((resolve) => {
      this.#setOnline = resolve
    })
    this.changes = new DemoChanges({
      baseTopic: BASE_TOPIC,
      plugs: new Map(plugs.flatMap(({name, model}) => modelOf(name, model))),
      date: () => systemClock.date(),
      print: (line) => terminal.line(line),
    })
  }

  published(message: PublishedMessage): void {
    if (message.topic === `${BASE_TOPIC}/bridge/state` && message.payload.includes('online'))
      this.#setOnline()
    this.changes.published(message)
  }
}

function modelOf(name: string, id: string) {
  const model = builtIn.find(id)
  return model ? [[name, model] as const] : []
}

/** So that the first `ON` to each plug changes something. */
function switchAllOff(network: SimulatedNetwork): void {
  for (const plug of network.plugs) for (const outlet of plug.outlets) plug.state[outlet] = 'OFF'
}

/** Presses the button of the plug with this number. */
function pressButton(key: string, network: SimulatedNetwork, changes: DemoChanges): void {
  const index = Number(key) - 1
  const plug = network.plugs[index]
  const name = plugs[index]?.name
  if (!plug || name === undefined) return
  plug.state['state'] = plug.state['state'] === 'ON' ? 'OFF' : 'ON'
  changes.pressed(name)
}

const readFile = () => {
  throw new Error('the demo names no files')
}

/** The configuration, as a user would write it. Polls are frequent, so that watts are seen to move. */
function configFor(port: number, network: SimulatedNetwork): string {
  const devices = network.plugs.map(({address, token}, index) => {
    const host = JSON.stringify(address)
    return `  ${JSON.stringify(plugs[index]?.name)}: {host: ${host}, token: ${token.toString('hex')}}`
  })
  const text = [
    `mqtt: {url: "mqtt://127.0.0.1:${port}", base_topic: ${BASE_TOPIC}}`,
    `network: {broadcast: ["${LOOPBACK_BROADCAST}"]}`,
    'poll: {interval: 1s, slow_interval: 2s}',
    'log: {level: warn}', // the demo prints lines of its own
    'devices:',
    ...devices,
  ]
  return `${text.join('\n')}\n`
}

interface DemoFacts {
  port: number
  /** Path of the configuration file. */
  file: string
  /** Whether keys can be typed. */
  hasKeys: boolean
}

/** What to try next. Every command here changes something the first time. No line is longer than 80 columns. */
function instructions({port, file, hasKeys}: DemoFacts, terminal: Terminal): string {
  const broker = port === DEFAULT_BROKER_PORT ? '' : ` -p ${port}`
  const command = (text: string) => `  ${terminal.paint('cyan', text)}`
  const keys = plugs.map(({name}, index) => `${index + 1} ${name}`).join(', ')
  return [
    '',
    terminal.paint('bold', 'Three simulated plugs are on MQTT now, all of them off.'),
    'Every change of a plug is shown here, with what caused it.',
    ...(hasKeys ? ['', `Keys here press the button on a plug: ${keys}.`] : []),
    '',
    'Over MQTT, in another terminal:',
    command(`mosquitto_pub${broker} -t ${BASE_TOPIC}/desk/set -m ON`),
    command(`mosquitto_pub${broker} -t ${BASE_TOPIC}/kitchen/kettle/set/state -m TOGGLE`),
    command(`mosquitto_pub${broker} -t ${BASE_TOPIC}/bedroom/set -m '{"usb":"ON"}'`),
    '`sudo apt-get install mosquitto-clients` installs mosquitto_pub.',
    `What is published about a plug: mosquitto_sub${broker} -v -t ${BASE_TOPIC}/desk`,
    '',
    'Without MQTT, directly to a plug:',
    command(`${programName()} toggle desk -c ${file}`),
    '',
    `The broker is 127.0.0.1:${port}, MQTT 5 and 3.1.1, without a login.`,
    "Home Assistant's MQTT integration and Node-RED on this machine can use it, too.",
    'Ctrl-C ends the demo.',
    '',
  ].join('\n')
}

/** The words that start this program in the current folder. */
function programName(): string {
  const [, script = ''] = process.argv
  if (basename(script) === 'miio2mqtt') return 'miio2mqtt'
  const path = relative(process.cwd(), script)
  return `node ${path.startsWith('..') ? script : path}`
}

/** `demo`: everything at once, without a plug, a broker or a file. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, join, relative} from 'node:path'
import type {Command} from 'commander'
import {Bridge} from '../../app/bridge.ts'
import {systemClock, within} from '../../common/clock.ts'
import {Redactor} from '../../common/redact.ts'
import {type Config, parseConfig, secretsOf} from '../../config/config.ts'
import {integer} from '../../config/schema/fields.ts'
import {createLog} from '../../log/logger.ts'
import {builtIn} from '../../models/catalogue.ts'
import {LOOPBACK_BROADCAST, type SimulatedNetwork, simulate} from '../../simulator/simulated-network.ts'
import {EnergyStore} from '../../storage/energy-store.ts'
import {StateStore} from '../../storage/state-store.ts'
import {DEFAULT_BROKER_PORT, type PublishedMessage, startBroker} from '../demo-broker.ts'
import {DemoChanges} from '../demo-changes.ts'
import {onKeys} from '../keys.ts'
import {readOption} from '../options.ts'
import {interrupted} from '../signals.ts'
import {firstAddress, startSimulation} from '../simulated-plugs.ts'
import type {Terminal} from '../terminal.ts'

const STOP_MS = 4000
const plugs = [
  {name: 'desk', model: 'chuangmi.plug.v3'},
  {name: 'kitchen/kettle', model: 'chuangmi.plug.m1'},
  {name: 'bedroom', model: 'chuangmi.plug.hmi208'},
] as const

interface Options {
  port?: string
  address?: string
}

export function demoCommand(program: Command, terminal: Terminal): void {
  program
    .command('demo')
    .description('all of it at once: an embedded broker, three simulated plugs with moving watts, the bridge')
    .option('--port <number>', 'where the broker listens; by default 1883, or any free one')
    .option('--address <ip>', "the first plug's, 127.0.54.1 by default; the others follow one by one")
    .action((_options: unknown, command: Command) => demo(command.optsWithGlobals<Options>(), terminal))
}

async function demo({port, address}: Options, terminal: Terminal): Promise<void> {
  const neighbourhood = simulate({
    count: plugs.length,
    models: plugs.map(({model}) => model),
    firstAddress: firstAddress(address),
    clock: systemClock,
    random: Math.random,
  })
  switchOff(neighbourhood)
  const end = interrupted('SIGHUP')
  const stage = new Stage(terminal)
  const broker = await startBroker(
    port === undefined ? undefined : readOption('--port', integer(1, 65_535), port),
    (message) => stage.published(message),
  )
  const folder = await mkdtemp(join(tmpdir(), 'demo-'))
  try {
    await startSimulation(neighbourhood)
    const file = join(folder, 'config.yaml')
    const text = configFor(broker.port, neighbourhood)
    await writeFile(file, text) // for the other commands
    const config = parseConfig(text, {file: 'demo', env: {}, readFile})
    await bridge(config, folder, end, async () => {
      await Promise.race([stage.online, end])
      const release = onKeys((key) => press(key, neighbourhood, stage.changes))
      if (release) void end.then(release)
      terminal.line(whatNext({port: broker.port, file, hasKeys: release !== undefined}, terminal))
    })
    terminal.line('The demo has ended.')
  } finally {
    await neighbourhood.stop()
    await broker.stop()
    await rm(folder, {recursive: true, force: true})
  }
}

/** What comes over the broker, as the demo shows it. */
class Stage {
  readonly changes: DemoChanges
  /** Resolves once the bridge says that it is online: all plugs are on MQTT then. */
  readonly online: Promise<void>
  #isOnline = () => {}

  constructor(terminal: Terminal) {
    this.online = new Promise((resolve) => {
      this.#isOnline = resolve
    })
    this.changes = new DemoChanges({
      baseTopic: BASE_TOPIC,
      plugs: new Map(plugs.flatMap(({name, model}) => modelOf(name, model))),
      date: () => systemClock.date(),
      say: (line) => terminal.line(line),
    })
  }

  published(message: PublishedMessage): void {
    if (message.topic === `${BASE_TOPIC}/bridge/state` && message.payload.includes('online')) this.#isOnline()
    this.changes.published(message)
  }
}

const BASE_TOPIC = 'miio2mqtt'

function modelOf(name: string, id: string) {
  const model = builtIn.find(id)
  return model ? [[name, model] as const] : []
}

/** So that every first command is seen to change something. */
function switchOff(neighbourhood: SimulatedNetwork): void {
  for (const plug of neighbourhood.plugs) for (const outlet of plug.outlets) plug.state[outlet] = 'OFF'
}

/** The key of a plug presses its button. */
function press(key: string, neighbourhood: SimulatedNetwork, changes: DemoChanges): void {
  const index = Number(key) - 1
  const plug = neighbourhood.plugs[index]
  const name = plugs[index]?.name
  if (!plug || name === undefined) return
  plug.state['state'] = plug.state['state'] === 'ON' ? 'OFF' : 'ON'
  changes.pressed(name)
}

async function bridge(
  config: Config,
  stateFolder: string,
  end: Promise<unknown>,
  onReady: () => Promise<void>,
): Promise<void> {
  const redactor = new Redactor()
  for (const secret of secretsOf(config)) redactor.add(secret.reveal())
  const log = createLog({level: config.log.level, format: config.log.format, redactor, destination: 'stderr'})
  const clock = systemClock
  const store = await StateStore.open(stateFolder, {clock, random: Math.random, log})
  const ledger = await EnergyStore.open(stateFolder, {clock, random: Math.random, log})
  const daemon = new Bridge({
    catalogue: builtIn,
    config,
    clock,
    random: Math.random,
    log,
    store,
    ledger,
    configActions: {
      edit: () => Promise.resolve('a demo has no file to change'),
      reload: () => Promise.resolve('a demo has no file to read'),
    },
  })
  await daemon.start()
  await onReady()
  await end
  await within(clock, clock.now() + STOP_MS, daemon.stop())
  await Promise.all([store.close(), ledger.close()])
}

const readFile = () => {
  throw new Error('the demo names no files')
}

/** As a person would write it. Polls are quick, so that watts are seen to move. */
function configFor(port: number, neighbourhood: SimulatedNetwork): string {
  const devices = neighbourhood.plugs.map(({address, token}, index) => {
    const host = JSON.stringify(address)
    return `  ${JSON.stringify(plugs[index]?.name)}: {host: ${host}, token: ${token.toString('hex')}}`
  })
  const text = [
    `mqtt: {url: "mqtt://127.0.0.1:${port}", base_topic: ${BASE_TOPIC}}`,
    `network: {broadcast: ["${LOOPBACK_BROADCAST}"]}`,
    'poll: {interval: 1s, slow_interval: 2s}',
    'log: {level: warn}', // the demo tells its own story
    'devices:',
    ...devices,
  ]
  return `${text.join('\n')}\n`
}

interface Surroundings {
  port: number
  /** The configuration of the demo. */
  file: string
  hasKeys: boolean
}

/** Every command here changes something the first time; 80 columns are enough for all of it. */
function whatNext({port, file, hasKeys}: Surroundings, terminal: Terminal): string {
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
    'No mosquitto_pub? `sudo apt-get install mosquitto-clients` brings it.',
    `What is published about a plug: mosquitto_sub${broker} -v -t ${BASE_TOPIC}/desk`,
    '',
    'Without MQTT, straight to a plug:',
    command(`${ourselves()} toggle desk -c ${file}`),
    '',
    `The broker is 127.0.0.1:${port}, MQTT 5 and 3.1.1, without a login.`,
    "Home Assistant's MQTT integration and Node-RED on this machine can use it, too.",
    'Ctrl-C ends the demo.',
    '',
  ].join('\n')
}

/** How this program is called from the folder it was called from. */
function ourselves(): string {
  const [, script = ''] = process.argv
  if (basename(script) === 'miio2mqtt') return 'miio2mqtt'
  const path = relative(process.cwd(), script)
  return `node ${path.startsWith('..') ? script : path}`
}

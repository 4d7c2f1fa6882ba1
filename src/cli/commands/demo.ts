/** `miio2mqtt demo`: an embedded broker, three simulated plugs and the bridge in one process, without a file of the user. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {createServer, type Server} from 'node:net'
import {tmpdir} from 'node:os'
import {basename, join, relative} from 'node:path'
import {STOP_MS} from '../../app/bridge-runner.ts'
import {systemClock, within} from '../../common/clock.ts'
import {type Config, parseConfig} from '../../config/config.ts'
import {integer} from '../../config/schema/fields.ts'
import {LOOPBACK_BROADCAST, type SimulatedNetwork, simulate} from '../../simulator/simulated-network.ts'
import {createBridgeProcess, prepareBridge} from '../bridge-process.ts'
import {DemoChanges, type PublishedMessage} from '../demo-changes.ts'
import {CommandFailed, readOption} from '../errors.ts'
import {interrupted, onKeys} from '../signals.ts'
import type {Terminal} from '../terminal.ts'
import {firstAddress, startSimulation} from './simulate.ts'

const BASE_TOPIC = 'miio2mqtt'
const BROKER_HOST = '127.0.0.1'
const DEFAULT_BROKER_PORT = 1883
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
  // All off, so that the first `ON` to each plug changes something.
  for (const plug of network.plugs) for (const outlet of plug.outlets) plug.state[outlet] = 'OFF'
  const end = interrupted('SIGHUP')
  const changes = new DemoChanges({
    baseTopic: BASE_TOPIC,
    plugs: new Map(network.plugs.map(({model}, index) => [plugs[index]?.name ?? '', model])),
    date: () => systemClock.date(),
    print: (line) => terminal.line(line),
  })
  let setOnline = () => {}
  /** Resolves once the bridge has published that it is online: all plugs are on MQTT then. */
  const online = new Promise<void>((resolve) => {
    setOnline = resolve
  })
  const broker = await startBroker(
    port === undefined ? undefined : readOption('--port', integer(1, 65_535), port),
    (message) => {
      if (message.topic === `${BASE_TOPIC}/bridge/state` && message.payload.includes('online')) setOnline()
      changes.published(message)
    },
  )
  const folder = await mkdtemp(join(tmpdir(), 'demo-'))
  try {
    await startSimulation(network)
    const file = join(folder, 'config.yaml')
    const text = configFor(broker.port, network)
    await writeFile(file, text) // for other commands, such as `status -c`
    const config = parseConfig(text, {file: 'demo', env: {}})
    await runBridge(config, folder, end, async () => {
      await Promise.race([online, end])
      const stopKeys = onKeys((key) => pressButton(key, network, changes))
      if (stopKeys) void end.then(stopKeys)
      terminal.line(instructions(broker.port, file, stopKeys !== undefined, terminal))
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

/** Presses the button of the plug with this number. */
function pressButton(key: string, network: SimulatedNetwork, changes: DemoChanges): void {
  const index = Number(key) - 1
  const plug = network.plugs[index]
  const name = plugs[index]?.name
  if (!plug || name === undefined) return
  plug.state['state'] = plug.state['state'] === 'ON' ? 'OFF' : 'ON'
  changes.pressed(name)
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

/** What to try next. Every command here changes something the first time. No line is longer than 80 columns. */
function instructions(port: number, configFile: string, hasKeys: boolean, terminal: Terminal): string {
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
    command(`${programName()} toggle desk -c ${configFile}`),
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

/**
 * Starts a broker that speaks MQTT 5, which Home Assistant requests, and 3.1.1.
 * @param wantedPort by default 1883, or any free port where that is taken
 * @param onPublished called with every message, in the order of publishing
 * @throws CommandFailed when `wantedPort` is taken
 */
async function startBroker(
  wantedPort: number | undefined,
  onPublished: (message: PublishedMessage) => void,
): Promise<{port: number; stop: () => Promise<void>}> {
  const server = createServer()
  const isTaken = await listen(server, wantedPort ?? DEFAULT_BROKER_PORT)
  if (isTaken && wantedPort !== undefined)
    throw new CommandFailed(`port ${wantedPort} is taken: choose another one with --port`)
  if (isTaken) await listen(server, 0)
  const {Aedes} = await import('aedes')
  const broker = await Aedes.createBroker()
  const {authorizePublish} = broker
  // Not the event `publish`: for a retained message it comes after those of later messages, which are not stored first.
  broker.authorizePublish = (client, packet, done) => {
    onPublished({topic: packet.topic, payload: packet.payload.toString(), retain: packet.retain})
    authorizePublish(client, packet, done)
  }
  server.on('connection', broker.handle)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected the broker to have a port')
  return {
    port: address.port,
    stop: async () => {
      await new Promise<void>((resolve) => broker.close(resolve))
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** @returns whether the port is taken by another program @throws CommandFailed for any other error */
function listen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = ({code, message}: NodeJS.ErrnoException) =>
      code === 'EADDRINUSE' ? resolve(true) : reject(new CommandFailed(`the broker cannot start: ${message}`))
    server.once('error', onError)
    server.listen(port, BROKER_HOST, () => {
      server.off('error', onError)
      resolve(false)
    })
  })
}

/** `demo`: everything at once, without a plug, a broker or a file. */
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Command} from 'commander'
import {systemClock, within} from '../clock.ts'
import {whole} from '../config/fields.ts'
import {type Config, parseConfig, secretsOf} from '../config.ts'
import {Daemon} from '../daemon.ts'
import {EnergyLedger} from '../energy-ledger.ts'
import {createLog} from '../log.ts'
import {builtIn} from '../models/index.ts'
import {Redactor} from '../redact.ts'
import {LOOPBACK_BROADCAST, type Neighbourhood, simulate} from '../simulator/neighbourhood.ts'
import {StateStore} from '../state.ts'
import {startBroker, USUAL_PORT} from './demo-broker.ts'
import {firstAddress, started} from './neighbourhood.ts'
import {readOption} from './options.ts'
import {interrupted} from './signals.ts'
import type {Terminal} from './terminal.ts'

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
  const end = interrupted()
  const broker = await startBroker(
    port === undefined ? undefined : readOption('--port', whole(1, 65_535), port),
  )
  const stateFolder = await mkdtemp(join(tmpdir(), 'miio2mqtt-demo-'))
  try {
    await started(neighbourhood)
    const config = configFor(broker.port, neighbourhood)
    await bridge(config, stateFolder, end, () => terminal.line(whatNext(broker.port, terminal)))
    terminal.line('The demo has ended.')
  } finally {
    await neighbourhood.stop()
    await broker.stop()
    await rm(stateFolder, {recursive: true, force: true})
  }
}

async function bridge(
  config: Config,
  stateFolder: string,
  end: Promise<unknown>,
  onReady: () => void,
): Promise<void> {
  const redactor = new Redactor()
  for (const secret of secretsOf(config)) redactor.add(secret.reveal())
  const log = createLog({level: config.log.level, format: config.log.format, redactor, destination: 'stderr'})
  const clock = systemClock
  const store = await StateStore.open(stateFolder, {clock, random: Math.random, log})
  const ledger = await EnergyLedger.open(stateFolder, {clock, random: Math.random, log})
  const daemon = new Daemon({
    catalogue: builtIn,
    config,
    clock,
    random: Math.random,
    log,
    store,
    ledger,
    onEdit: () => Promise.resolve('a demo has no file to change'),
    onRenew: () => Promise.resolve('a demo has no file to read'),
  })
  await daemon.start()
  onReady()
  await end
  await within(clock, clock.now() + STOP_MS, daemon.stop())
  await Promise.all([store.close(), ledger.close()])
}

const readFile = () => {
  throw new Error('the demo names no files')
}

/** As a person would write it. Polls are quick, so that watts are seen to move. */
function configFor(port: number, neighbourhood: Neighbourhood): Config {
  const devices = neighbourhood.plugs.map(({address, token}, index) => {
    const host = JSON.stringify(address)
    return `  ${JSON.stringify(plugs[index]?.name)}: {host: ${host}, token: ${token.toString('hex')}}`
  })
  const text = [
    `mqtt: {url: "mqtt://127.0.0.1:${port}"}`,
    `network: {broadcast: ["${LOOPBACK_BROADCAST}"]}`,
    'poll: {interval: 2s, slow_interval: 10s}',
    'devices:',
    ...devices,
  ]
  return parseConfig(text.join('\n'), {file: 'demo', env: {}, readFile})
}

function whatNext(port: number, terminal: Terminal): string {
  const broker = port === USUAL_PORT ? '' : ` -p ${port}`
  const command = (text: string) => `  ${terminal.paint('cyan', text)}`
  return [
    '',
    terminal.paint('bold', 'Three simulated plugs are on MQTT now. In another terminal, try:'),
    command(`mosquitto_sub${broker} -v -t 'miio2mqtt/#'`),
    command(`mosquitto_pub${broker} -t miio2mqtt/desk/set -m ON`),
    command(`mosquitto_pub${broker} -t miio2mqtt/desk/set -m '{"usb":"OFF","led":"OFF"}'`),
    command(`mosquitto_pub${broker} -t miio2mqtt/kitchen/kettle/set/state -m toggle`),
    '',
    `The broker listens on 127.0.0.1:${port}; Home Assistant's MQTT integration and Node-RED on this machine can use it too.`,
    '(mosquitto_sub and mosquitto_pub come with: apt-get install mosquitto-clients)',
    'Ctrl-C ends the demo.',
  ].join('\n')
}

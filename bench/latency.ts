/** From a command on MQTT to the new state on MQTT: through the bridge, and through the least that could do it. */
import {Socket} from 'node:net'
import {connectAsync, type MqttClient} from 'mqtt'
import {startDaemon} from './daemon.ts'
import {Observer} from './observer.ts'
import {Program, pause} from './program.ts'
import {type PlugRow, startSimulator} from './simulator.ts'
import {median, percentile} from './statistics.ts'

interface Latency {
  /** Milliseconds. */
  p50: number
  p95: number
}

interface LatencyResult {
  bridge: Latency
  bare: Latency
}

interface LatencyChoice {
  brokerUrl: string
  rounds: number
  /** Two plugs live here and at the next address. */
  firstAddress: string
}

/** Plugs rest 50 ms between two requests, and the bridge grants them that: a command in between would measure the rest. */
const BETWEEN_MS = 120
const ANSWER_MS = 5000

/** Both take turns, so that whatever else this machine does falls on both. */
export async function measureLatency({
  brokerUrl,
  rounds,
  firstAddress,
}: LatencyChoice): Promise<LatencyResult> {
  const simulator = await startSimulator(2, firstAddress, ['chuangmi.plug.m1'])
  const [ours, theirs] = simulator.plugs
  if (!ours || !theirs) throw new Error('expected two simulated plugs')
  const daemon = await startReadyDaemon(brokerUrl, ours)
  const bare = await startBare(brokerUrl, theirs)
  const switcher = await Switcher.open(brokerUrl)
  try {
    const times = {bridge: [] as number[], bare: [] as number[]}
    await switcher.switch('miio2mqtt/desk', 'OFF') // a simulated network's first plug is on
    await switcher.switch('bare/plug', 'OFF')
    for (let round = 0; round < rounds; round++) {
      const value = round % 2 === 0 ? 'ON' : 'OFF'
      times.bridge.push(await switcher.switch('miio2mqtt/desk', value))
      times.bare.push(await switcher.switch('bare/plug', value))
    }
    return {bridge: summary(times.bridge), bare: summary(times.bare)}
  } finally {
    await switcher.stop()
    await bare.stop()
    await daemon.stop()
    await simulator.stop()
  }
}

async function startReadyDaemon(brokerUrl: string, plug: PlugRow) {
  const observer = await Observer.open(brokerUrl, ['desk'])
  const daemon = await startDaemon({brokerUrl, plugs: new Map([['desk', plug]])})
  await observer.until('the plug is online', () => observer.online.has('desk'), 20_000)
  await observer.stop()
  return daemon
}

async function startBare(brokerUrl: string, {address, token}: PlugRow): Promise<Program> {
  const program = new Program(process.execPath, [
    '--import',
    'tsx',
    'bench/bare.ts',
    brokerUrl,
    address,
    token,
  ])
  await program.until(() => program.output.includes('ready'))
  return program
}

/** An MQTT client that switches a plug and waits for its state. */
class Switcher {
  readonly #client: MqttClient
  #watched: {topic: string; value: string; seen: () => void} | undefined

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, payload) => this.#see(topic, payload))
  }

  static async open(url: string): Promise<Switcher> {
    const client = await connectAsync(url, {protocolVersion: 5})
    if (client.stream instanceof Socket) client.stream.setNoDelay(true)
    await client.subscribeAsync(['miio2mqtt/desk', 'bare/plug'], {qos: 1})
    return new Switcher(client)
  }

  /** Milliseconds until `topic` showed `value`. @throws Error when that takes too long */
  async switch(topic: string, value: string): Promise<number> {
    await pause(BETWEEN_MS)
    const seen = new Promise<'seen'>((resolve) => {
      this.#watched = {topic, value, seen: () => resolve('seen')}
    })
    const began = performance.now()
    this.#client.publish(`${topic}/set`, value, {qos: 1})
    const late = pause(ANSWER_MS).then(() => 'late' as const)
    if ((await Promise.race([seen, late])) === 'late') throw new Error(`${topic} never became ${value}`)
    return performance.now() - began
  }

  async stop(): Promise<void> {
    await this.#client.endAsync(true)
  }

  #see(topic: string, payload: Buffer): void {
    if (topic === this.#watched?.topic && JSON.parse(payload.toString()).state === this.#watched.value)
      this.#watched.seen()
  }
}

function summary(times: readonly number[]): Latency {
  return {p50: median(times), p95: percentile(times, 0.95)}
}

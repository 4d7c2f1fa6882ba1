/** From a target to a plug that can be asked: without the daemon, straight over the wire. */
import PQueue from 'p-queue'
import {systemClock} from '../common/clock.ts'
import {applyOverrides} from '../device/codec/model-overrides.ts'
import {Device} from '../device/device.ts'
import {MiioClient} from '../miio/client.ts'
import {broadcastAddresses, NetworkDiscovery} from '../miio/discovery.ts'
import {Cipher} from '../miio/packet.ts'
import {type Trace, traceLine} from '../miio/packet-trace.ts'
import {MiioSocket, type UdpTransport} from '../miio/socket.ts'
import type {Catalogue} from '../models/catalogue.ts'
import {CommandFailed} from './errors.ts'
import {failed, toCommandFailed} from './failed-call.ts'
import {ResponseRecorder} from './fixture-recorder.ts'
import {TracedTransport} from './hello-trace.ts'
import type {PlugTarget} from './plug-target.ts'
import type {Terminal} from './terminal.ts'

/** A plug that can be asked. */
export interface PlugSession {
  client: MiioClient
  device: Device
  catalogue: Catalogue
  /** When to give up, on the clock. */
  deadline: number
  /** Present when `record` was asked for. */
  recorder?: ResponseRecorder | undefined
}

export interface PlugSessionOptions {
  terminal: Terminal
  /** Whether every packet is shown. */
  debug?: boolean | undefined
  /** Whether the plug's responses are kept. */
  record?: boolean | undefined
}

/** A command lives as long as it does over MQTT by default. */
const COMMAND_MS = 10_000
const FIND_MS = 5000

/** Where a plug is that is known only by its id. @throws CommandFailed when nobody with that id answers */
type Find = (target: PlugTarget, socket: UdpTransport) => Promise<string>

/** Does `work` with the plug. @throws CommandFailed that says which stage failed when it cannot be asked */
export async function withPlug(
  target: PlugTarget,
  options: PlugSessionOptions,
  work: (reached: PlugSession) => Promise<void>,
): Promise<void> {
  const {terminal} = options
  const socket = new MiioSocket({bind: target.network.bind})
  try {
    terminal.progress(`asking ${target.name} …`)
    await over(socket, target, {...options, find: findTogether([target])}, work)
  } finally {
    terminal.progress('')
    await socket.close()
  }
}

/** What came of asking one of several plugs. */
export type PlugOutcome<T> = {target: PlugTarget} & ({value: T} | {failure: CommandFailed})

/** So many are asked at once: their answers fit into the buffer of the socket. */
const AT_ONCE = 100

/** Does `work` with each of the plugs, many at a time. What goes wrong with one is its outcome. @returns in the order of `targets` */
export async function withPlugs<T>(
  targets: readonly PlugTarget[],
  options: PlugSessionOptions,
  work: (reached: PlugSession, target: PlugTarget) => Promise<T>,
): Promise<PlugOutcome<T>[]> {
  const {terminal} = options
  const [first] = targets
  if (!first) return []
  const socket = new MiioSocket({bind: first.network.bind})
  const queue = new PQueue({concurrency: AT_ONCE})
  const find = findTogether(targets)
  let done = 0
  const ask = async (target: PlugTarget): Promise<PlugOutcome<T>> => {
    try {
      return {
        target,
        value: await over(socket, target, {...options, find}, (reached) => work(reached, target)),
      }
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      return {target, failure: error}
    } finally {
      terminal.progress(`asked ${++done} of ${targets.length} plugs …`)
    }
  }
  try {
    terminal.progress(`asking ${targets.length} plugs …`)
    return await queue.addAll(targets.map((target) => () => ask(target)))
  } finally {
    terminal.progress('')
    await socket.close()
  }
}

/** Over a socket that may be shared with others. @throws as `withPlug` */
async function over<T>(
  socket: MiioSocket,
  target: PlugTarget,
  {terminal, debug, record = false, find}: PlugSessionOptions & {find: Find},
  work: (reached: PlugSession) => Promise<T>,
): Promise<T> {
  terminal.hide(target.token.reveal())
  const trace: Trace | undefined = debug ? (packet) => terminal.trace(traceLine(packet)) : undefined
  let reached: PlugSession | undefined
  try {
    await socket.open()
    const host = target.host ?? (await find(target, trace ? new TracedTransport(socket, trace) : socket))
    reached = reach({...target, host}, socket, trace, record)
    return await work(reached)
  } catch (error) {
    const {host = target.host, address, greeted = false, stats} = reached?.client ?? {}
    throw toCommandFailed(error, {host, address, greeted, proven: stats?.lastSeen !== undefined})
  } finally {
    await reached?.device.stop(0)
  }
}

function reach(
  {name, token, host, port, id, model, properties = {}, catalogue}: PlugTarget,
  socket: UdpTransport,
  trace: Trace | undefined,
  record: boolean,
): PlugSession {
  const clock = systemClock
  const key = Buffer.from(token.reveal(), 'hex')
  const recorder = record ? new ResponseRecorder(socket, new Cipher(key)) : undefined
  const client = new MiioClient({
    socket: recorder ?? socket,
    clock,
    random: Math.random,
    token: key,
    host,
    port,
    did: id,
    trace,
  })
  const identity = model === undefined ? {} : {model}
  const findModel = (asked: string) => catalogue.find(asked)
  const device = new Device({
    name,
    transport: client,
    clock,
    identity,
    findModel,
    adjust: (described) => applyOverrides(described, properties).model,
  })
  return {client, device, catalogue, deadline: clock.now() + COMMAND_MS, recorder}
}

/** Plugs known only by their ids are asked for on the whole network: all of them together, and once. */
function findTogether(targets: readonly PlugTarget[]): Find {
  const wanted = new Set(
    targets.flatMap(({host, id}) => (host === undefined && id !== undefined ? [id] : [])),
  )
  const hosts = new Map<number, string>()
  const [only, another] = wanted
  const done = new AbortController()
  let scan: Promise<unknown> | undefined
  return async (target, socket) => {
    scan ??= new NetworkDiscovery({socket, clock: systemClock, broadcast: target.network.broadcast}).scan({
      timeout: FIND_MS,
      signal: done.signal,
      did: another === undefined ? only : undefined,
      onFound: ({did, host}) => {
        if (wanted.delete(did)) hosts.set(did, host)
        if (wanted.size === 0) done.abort()
      },
    })
    await scan
    const host = hosts.get(target.id ?? Number.NaN)
    if (host === undefined) throw notFound(target)
    return host
  }
}

function notFound({name, id, network: {broadcast}}: PlugTarget): CommandFailed {
  const asked = (broadcast ?? broadcastAddresses()).join(', ') || 'no address at all'
  return failed(
    {
      code: 'no_hello',
      title: 'no hello: nobody with that id answers',
      advice:
        'A broadcast does not leave its subnet: give the plug a `host` in the configuration if it is in another.',
    },
    `${name} has the id ${id} and no host, and a hello to ${asked} did not find it`,
  )
}

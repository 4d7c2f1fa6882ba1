/** Sessions with plugs for the commands: opens a socket, finds the plug and calls it directly, without a running bridge. */
import PQueue from 'p-queue'
import {systemClock} from '../common/clock.ts'
import {applyOverrides} from '../device/codec/model-overrides.ts'
import {Device} from '../device/device.ts'
import {MiioClient} from '../miio/client.ts'
import {broadcastAddresses, NetworkDiscovery} from '../miio/discovery.ts'
import {Cipher} from '../miio/packet.ts'
import {decodeDatagram, type Trace, type TracedPacket, traceLine} from '../miio/packet-trace.ts'
import {type Endpoint, MiioSocket, type UdpTransport} from '../miio/socket.ts'
import {CommandFailed, failed, toCommandFailed} from './errors.ts'
import {ResponseRecorder} from './fixture-recorder.ts'
import type {PlugTarget} from './plug-target.ts'
import type {Terminal} from './terminal.ts'

/** A plug to which requests can be sent. */
export interface PlugSession {
  target: PlugTarget
  client: MiioClient
  device: Device
  /** When to give up, in `systemClock.now()`. */
  deadline: number
  /** Present when `record` is set. */
  recorder?: ResponseRecorder | undefined
}

export interface PlugSessionOptions {
  terminal: Terminal
  /** Whether every packet is shown. */
  debug?: boolean | undefined
  /** Whether the plug's responses are kept. */
  record?: boolean | undefined
}

/** The time a command has, as by default over MQTT. */
const COMMAND_MS = 10_000
const FIND_MS = 5000

/** Finds the address of a plug that is configured with its device id only. @throws CommandFailed when no plug with that id replies */
type FindHost = (target: PlugTarget, socket: UdpTransport) => Promise<string>

/** Does `work` with the plug. @throws CommandFailed that begins with what failed, when the plug cannot be reached */
export async function withPlug(
  target: PlugTarget,
  options: PlugSessionOptions,
  work: (session: PlugSession) => Promise<void>,
): Promise<void> {
  const [outcome] = await withPlugs([target], options, work)
  if (outcome && 'failure' in outcome) throw outcome.failure
}

/** The outcome of the work with one of several plugs. */
export type PlugOutcome<T> = {target: PlugTarget} & ({value: T} | {failure: CommandFailed})

/** Sessions at a time: so many that their responses fit into the buffer of the socket. */
const MAX_SESSIONS = 100

/** Does `work` with each of the plugs, many at a time. A failure of one plug is its outcome. @returns in the order of `targets` */
export async function withPlugs<T>(
  targets: readonly PlugTarget[],
  options: PlugSessionOptions,
  work: (session: PlugSession) => Promise<T>,
): Promise<PlugOutcome<T>[]> {
  const [first] = targets
  if (!first) return []
  const {terminal} = options
  const {length} = targets
  const socket = new MiioSocket({bind: first.network.bind})
  const queue = new PQueue({concurrency: MAX_SESSIONS})
  const sessionOptions = {...options, findHost: hostFinder(targets)}
  let done = 0
  const outcomeOf = async (target: PlugTarget): Promise<PlugOutcome<T>> => {
    try {
      return {target, value: await runSession(socket, target, sessionOptions, work)}
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      return {target, failure: error}
    } finally {
      if (length > 1) terminal.progress(`asked ${++done} of ${length} plugs …`)
    }
  }
  try {
    terminal.progress(`asking ${length === 1 ? first.name : `${length} plugs`} …`)
    return await queue.addAll(targets.map((target) => () => outcomeOf(target)))
  } finally {
    terminal.progress('')
    await socket.close()
  }
}

/** One session over a socket that others may use, too. @throws as `withPlug` */
async function runSession<T>(
  socket: MiioSocket,
  target: PlugTarget,
  {terminal, debug, record = false, findHost}: PlugSessionOptions & {findHost: FindHost},
  work: (session: PlugSession) => Promise<T>,
): Promise<T> {
  terminal.hide(target.token.reveal())
  const trace: Trace | undefined = debug ? (packet) => terminal.trace(traceLine(packet)) : undefined
  let session: PlugSession | undefined
  try {
    await socket.open()
    const host = target.host ?? (await findHost(target, tracedTransport(socket, trace)))
    session = createSession({...target, host}, socket, trace, record)
    return await work(session)
  } catch (error) {
    const {host = target.host, address, stats} = session?.client ?? {}
    throw toCommandFailed(error, {host, address, proven: stats?.lastSeen !== undefined})
  } finally {
    await session?.device.stop(0)
  }
}

function createSession(
  target: PlugTarget,
  socket: UdpTransport,
  trace: Trace | undefined,
  record: boolean,
): PlugSession {
  const {name, token, host, port, id, model, properties = {}, catalogue} = target
  const clock = systemClock
  const key = Buffer.from(token.reveal(), 'hex')
  const recorder = record ? new ResponseRecorder(new Cipher(key)) : undefined
  const client = new MiioClient({
    socket: recorder ? watchedTransport(socket, recorder.record) : socket,
    clock,
    random: Math.random,
    token: key,
    host,
    port,
    did: id,
    trace: () => trace,
  })
  const device = new Device({
    name,
    transport: client,
    clock,
    identity: model === undefined ? {} : {model},
    findModel: (reported) => catalogue.find(reported),
    adjust: (definition) => applyOverrides(definition, properties).model,
  })
  return {target, client, device, deadline: clock.now() + COMMAND_MS, recorder}
}

/** One hello to the whole network looks for all those of `targets` that are configured with their device ids only. */
function hostFinder(targets: readonly PlugTarget[]): FindHost {
  const wanted = new Set(
    targets.flatMap(({host, id}) => (host === undefined && id !== undefined ? [id] : [])),
  )
  const hosts = new Map<number, string>()
  const [first, second] = wanted
  const allFound = new AbortController()
  let scan: Promise<unknown> | undefined
  return async (target, socket) => {
    scan ??= new NetworkDiscovery({socket, clock: systemClock, broadcast: target.network.broadcast}).scan({
      timeout: FIND_MS,
      signal: allFound.signal,
      did: second === undefined ? first : undefined,
      onFound: ({did, host}) => {
        if (wanted.delete(did)) hosts.set(did, host)
        if (wanted.size === 0) allFound.abort()
      },
    })
    await scan
    const host = hosts.get(target.id ?? Number.NaN)
    if (host === undefined) throw notFound(target)
    return host
  }
}

function notFound({name, id, network: {broadcast}}: PlugTarget): CommandFailed {
  const addresses = (broadcast ?? broadcastAddresses()).join(', ') || 'no address at all'
  return failed(
    'no_hello',
    'no hello: no plug with this device id answers',
    `${name} has the device id ${id} and no host, and no answer to a hello to ${addresses} came from it`,
    'A broadcast does not leave its subnet: give the plug a `host` in the configuration if it is in another.',
  )
}

/** Hellos and their replies are not encrypted, so any key will do to decode them. */
const ANY_KEY = new Cipher(Buffer.alloc(16))

/** The transport for a search for plugs, which uses no token. @param trace gets every hello and every reply to one */
export function tracedTransport(transport: UdpTransport, trace: Trace | undefined): UdpTransport {
  if (!trace) return transport
  return watchedTransport(transport, (direction, datagram, {host, port}) =>
    trace({direction, host, port, ...decodeDatagram(datagram, ANY_KEY, (text) => text)}),
  )
}

type Watch = (direction: TracedPacket['direction'], datagram: Buffer, endpoint: Endpoint) => void

/** A transport whose datagrams are passed to `watch` before they are sent or handled. */
function watchedTransport(transport: UdpTransport, watch: Watch): UdpTransport {
  return {
    send: (datagram, host, port, sent) => {
      watch('sent', datagram, {host, port})
      transport.send(datagram, host, port, sent)
    },
    listen: (host, port, handler) =>
      transport.listen(host, port, (datagram) => {
        watch('received', datagram, {host, port})
        handler(datagram)
      }),
    onUnsolicited: (handler) =>
      transport.onUnsolicited((datagram, from) => {
        watch('received', datagram, from)
        handler(datagram, from)
      }),
    afterArrived: (callback) => transport.afterArrived(callback),
  }
}

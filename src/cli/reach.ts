/** From a target to a plug that can be asked: without the daemon, straight over the wire. */
import {systemClock} from '../clock.ts'
import {adjust} from '../device/adjust.ts'
import {Device} from '../device/device.ts'
import {MiioClient} from '../miio/client.ts'
import {broadcastAddresses, Discovery} from '../miio/discovery.ts'
import {MiioSocket, type Wire} from '../miio/socket.ts'
import {type Trace, traceLine} from '../miio/trace.ts'
import type {Catalogue} from '../models/index.ts'
import {diagnosed, failed} from './diagnosis.ts'
import type {Target} from './target.ts'
import type {Terminal} from './terminal.ts'
import {TracedWire} from './trace.ts'

/** A plug that can be asked. */
export interface Reached {
  client: MiioClient
  device: Device
  catalogue: Catalogue
  /** When to give up, on the clock. */
  deadline: number
}

export interface ReachOptions {
  terminal: Terminal
  /** Whether every packet is shown. */
  debug?: boolean | undefined
}

/** A command lives as long as it does over MQTT by default. */
const COMMAND_MS = 10_000
const FIND_MS = 5000

/** Does `work` with the plug. @throws CommandFailed that says which stage failed when it cannot be asked */
export async function withPlug(
  target: Target,
  {terminal, debug}: ReachOptions,
  work: (reached: Reached) => Promise<void>,
): Promise<void> {
  terminal.hide(target.token.reveal())
  const trace: Trace | undefined = debug ? (packet) => terminal.trace(traceLine(packet)) : undefined
  const socket = new MiioSocket({bind: target.network.bind})
  let reached: Reached | undefined
  try {
    await socket.open()
    terminal.progress(`asking ${target.name} …`)
    const host = target.host ?? (await find(target, trace ? new TracedWire(socket, trace) : socket))
    reached = reach({...target, host}, socket, trace)
    await work(reached)
  } catch (error) {
    const {host = target.host, address, greeted = false, stats} = reached?.client ?? {}
    throw diagnosed(error, {host, address, greeted, proven: stats?.lastSeen !== undefined})
  } finally {
    terminal.progress('')
    await reached?.device.stop(0)
    await socket.close()
  }
}

function reach(
  {name, token, host, port, id, model, properties = {}, catalogue}: Target,
  socket: Wire,
  trace: Trace | undefined,
): Reached {
  const clock = systemClock
  const client = new MiioClient({
    socket,
    clock,
    random: Math.random,
    token: Buffer.from(token.reveal(), 'hex'),
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
    adjust: (described) => adjust(described, properties).model,
  })
  return {client, device, catalogue, deadline: clock.now() + COMMAND_MS}
}

/** A plug known only by its id is asked for on the whole network. */
async function find({name, id, network: {broadcast}}: Target, socket: Wire): Promise<string> {
  const done = new AbortController()
  const [found] = await new Discovery({socket, clock: systemClock, broadcast}).scan({
    timeout: FIND_MS,
    signal: done.signal,
    did: id,
    onFound: () => done.abort(),
  })
  if (found) return found.host
  const asked = (broadcast ?? broadcastAddresses()).join(', ') || 'no address at all'
  throw failed(
    {
      code: 'no_hello',
      title: 'no hello: nobody with that id answers',
      advice:
        'A broadcast does not leave its subnet: give the plug a `host` in the configuration if it is in another.',
    },
    `${name} has the id ${id} and no host, and a hello to ${asked} did not find it`,
  )
}

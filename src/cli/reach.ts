/** From `<name>`, or from `--host` and `--token`, to a plug that can be asked: without the daemon, straight over the wire. */
import {systemClock} from '../clock.ts'
import {token as tokenField} from '../config/fields.ts'
import type {Config, DeviceConfig} from '../config.ts'
import {Device} from '../device/device.ts'
import {MiioClient} from '../miio/client.ts'
import {Discovery} from '../miio/discovery.ts'
import {MIIO_PORT} from '../miio/packet.ts'
import {MiioSocket} from '../miio/socket.ts'
import type {TracedPacket} from '../miio/trace.ts'
import {findModel} from '../models/index.ts'
import type {Secret} from '../secret.ts'
import {configuration} from './configuration.ts'
import {diagnosed} from './diagnosis.ts'
import {UsageError} from './exit.ts'
import {printable, type Terminal} from './terminal.ts'

export interface TargetOptions {
  config?: string
  host?: string
  token?: string
  model?: string
  debug?: boolean
}

/** A plug, reached. */
export interface Reached {
  name: string
  client: MiioClient
  device: Device
}

type Target = Pick<DeviceConfig, 'port' | 'token'> & {
  name: string
  host?: string | undefined
  id?: number | undefined
  model?: string | undefined
}

/** A command lives as long as it does over MQTT by default. */
const COMMAND_MS = 10_000
const FIND_MS = 5000

/**
 * Does `work` with the plug that was named, and says which stage failed when it cannot be reached.
 * @param name as in the configuration; not needed with `--host`
 */
export async function withPlug<T>(
  name: string | undefined,
  options: TargetOptions,
  terminal: Terminal,
  work: (reached: Reached, deadline: number) => Promise<T>,
): Promise<T> {
  const {target, config} = await targetOf(name, options)
  const socket = new MiioSocket({bind: config?.network.bind})
  await socket.open()
  const trace = options.debug ? (packet: TracedPacket) => terminal.note(traceLine(packet)) : undefined
  const client = new MiioClient({
    socket,
    clock: systemClock,
    random: Math.random,
    token: Buffer.from(target.token.reveal(), 'hex'),
    host: target.host ?? (await findByBroadcast(target, socket, config)),
    port: target.port,
    did: target.id,
    trace,
  })
  const model = target.model === undefined ? undefined : findModel(target.model)
  const device = new Device({name: target.name, transport: client, clock: systemClock, model, findModel})
  try {
    return await work({name: target.name, client, device}, systemClock.now() + COMMAND_MS)
  } catch (error) {
    throw diagnosed(error, client.host)
  } finally {
    await device.stop(0)
    await socket.close()
  }
}

async function targetOf(
  name: string | undefined,
  options: TargetOptions,
): Promise<{target: Target; config?: Config}> {
  if (options.host !== undefined) {
    const text = options.token ?? process.env['MIIO_TOKEN']
    if (text === undefined)
      throw new UsageError('--host needs --token (or the token in the environment variable MIIO_TOKEN)')
    const {host, model} = options
    return {target: {name: host, host, port: MIIO_PORT, token: tokenFrom(text), model}}
  }
  if (name === undefined)
    throw new UsageError('which plug? Give its name in the configuration, or --host and --token')
  const config = await configuration(options.config)
  const device = Object.hasOwn(config.devices, name) ? config.devices[name] : undefined
  if (!device) {
    const names = Object.keys(config.devices)
    throw new UsageError(
      `no plug is called ${printable(name)}: the configuration has ${names.join(', ') || 'none'}`,
    )
  }
  return {target: {...device, name}, config}
}

function tokenFrom(text: string): Secret {
  const parsed = tokenField().safeParse(text)
  if (parsed.success) return parsed.data
  throw new UsageError(`--token: ${parsed.error.issues[0]?.message}`)
}

/** A plug known only by its id is asked for on the whole network. */
async function findByBroadcast(
  {id}: Target,
  socket: MiioSocket,
  config: Config | undefined,
): Promise<string | undefined> {
  const discovery = new Discovery({socket, clock: systemClock, broadcast: config?.network.broadcast})
  const found = new AbortController()
  const all = await discovery.scan({
    timeout: FIND_MS,
    signal: found.signal,
    onFound: ({did}) => {
      if (did === id) found.abort()
    },
  })
  return all.find(({did}) => did === id)?.host
}

/** One packet of `--debug`, secrets masked. */
function traceLine({direction, host, port, kind, did, stamp, json, problem}: TracedPacket): string {
  const arrow = direction === 'sent' ? '->' : '<-'
  const header = [kind, did === undefined ? '' : `did ${did}`, stamp === undefined ? '' : `stamp ${stamp}`]
  return printable(
    [arrow, `${host}:${port}`, ...header.filter(Boolean), json ?? problem ?? ''].join(' ').trimEnd(),
  )
}

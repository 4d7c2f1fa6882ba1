/** `miio2mqtt discover`: lists the miIO devices that answer a hello on this network. */
import type {Command} from 'commander'
import {systemClock} from '../../common/clock.ts'
import {count} from '../../common/text.ts'
import type {Config} from '../../config/config.ts'
import {ipv4} from '../../config/schema/address-fields.ts'
import {duration} from '../../config/schema/fields.ts'
import {broadcastAddresses, type DiscoveredPlug, NetworkDiscovery} from '../../miio/discovery.ts'
import {traceLine} from '../../miio/packet-trace.ts'
import {MiioSocket} from '../../miio/socket.ts'
import {CommandFailed, readOption} from '../errors.ts'
import {toCommandFailed} from '../failed-call.ts'
import {loadConfigurationIfAny} from '../load-config.ts'
import {TracedTransport} from '../plug-session.ts'
import {span, type Terminal} from '../terminal.ts'

interface Options {
  config?: string
  debug?: boolean
  timeout: string
  broadcast?: string[]
}

const SHORTEST_MS = 100
const LONGEST_MS = 600_000

/** Adds `discover`. */
export function discoverCommand(program: Command, terminal: Terminal): void {
  program
    .command('discover')
    .description('list every miIO device that answers on this network (no token needed)')
    .option('--timeout <duration>', 'time to wait for answers', '5s')
    .option(
      '--broadcast <address...>',
      'where to send the hello (default: the broadcast address of every interface)',
    )
    .action((_options: unknown, command: Command) => discover(command.optsWithGlobals<Options>(), terminal))
}

async function discover(options: Options, terminal: Terminal): Promise<void> {
  const timeout = readOption('--timeout', duration(SHORTEST_MS, LONGEST_MS), options.timeout)
  const given = options.broadcast?.map((address) => readOption('--broadcast', ipv4(), address))
  const config = await loadConfigurationIfAny(options.config, terminal)
  const broadcast = given ?? config?.network.broadcast ?? interfaceAddresses()
  const found = await scan(options, {bind: config?.network.bind, broadcast, timeout}, terminal)
  if (found.length === 0) throw noneFound(broadcast)
  show(found, config, terminal)
}

/** The broadcast addresses of this machine. @throws CommandFailed when the system does not list them */
function interfaceAddresses(): string[] {
  try {
    return broadcastAddresses()
  } catch (error) {
    throw toCommandFailed(error, {host: undefined, proven: false, local: []})
  }
}

interface Scan {
  bind: string | undefined
  broadcast: readonly string[]
  /** Milliseconds. */
  timeout: number
}

/** @returns the devices by their ids @throws CommandFailed when no hello could be sent */
async function scan(
  {debug}: Options,
  {bind, broadcast, timeout}: Scan,
  terminal: Terminal,
): Promise<DiscoveredPlug[]> {
  const socket = new MiioSocket({bind})
  const transport = debug
    ? new TracedTransport(socket, (packet) => terminal.trace(traceLine(packet)))
    : socket
  let answers = 0
  const showProgress = () => terminal.progress(`listening: ${count(answers, 'device')} so far …`)
  try {
    await socket.open()
    showProgress()
    const onFound = () => {
      answers++
      showProgress()
    }
    const discovery = new NetworkDiscovery({
      socket: transport,
      clock: systemClock,
      broadcast,
      log: (text) => terminal.note(text),
    })
    const found = await discovery.scan({timeout, onFound})
    return found.sort((a, b) => a.did - b.did)
  } catch (error) {
    throw toCommandFailed(error, {host: undefined, proven: false})
  } finally {
    terminal.progress('')
    await socket.close()
  }
}

function show(found: readonly DiscoveredPlug[], config: Config | undefined, terminal: Terminal): void {
  const rows = found.map(({did, host, uptime, revealsToken}) => {
    const [name, device] = configuredDevice(config, did, host)
    return {
      did,
      address: host,
      uptime,
      name: name ?? null,
      model: device?.model ?? null,
      set_up: !revealsToken,
    }
  })
  const cells = rows.map(({did, address, uptime, name, model, set_up}) => [
    did,
    address,
    span(uptime),
    name,
    model,
    set_up ? '' : 'not set up: shows its token to everyone',
  ])
  terminal.result(
    rows,
    terminal.table(['device id', 'address', 'up for', 'name', 'model', ''], cells, {shrinking: ['']}),
  )
}

function configuredDevice(config: Config | undefined, did: number, host: string) {
  const devices = Object.entries(config?.devices ?? {})
  return devices.find(([, {id}]) => id === did) ?? devices.find(([, device]) => device.host === host) ?? []
}

function noneFound(addresses: readonly string[]): CommandFailed {
  const lines = [
    addresses.length > 0
      ? `no device answered a hello to ${addresses.join(', ')}`
      : 'no hello was sent: `network.broadcast` is empty, or this machine is in no network',
    'Plugs answer only hosts in their own subnet, and a broadcast does not cross a router, a VLAN or a Docker bridge network.',
    'Is this machine in the same Wi-Fi network as the plugs? Try `--broadcast 192.168.x.255` with the address range of that network,',
    'or `miio2mqtt info --host <address> --token <token>`, which needs no broadcast.',
  ]
  return new CommandFailed(lines.join('\n'), {code: 'no_hello'})
}

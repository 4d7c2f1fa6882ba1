/** `miio2mqtt discover`: lists the miIO devices that reply to a hello on this network. */
import {systemClock} from '../../common/clock.ts'
import {count} from '../../common/text.ts'
import type {Config} from '../../config/config.ts'
import {ipv4} from '../../config/schema/address-fields.ts'
import {duration} from '../../config/schema/fields.ts'
import {broadcastAddresses, type DiscoveredPlug, NetworkDiscovery} from '../../miio/discovery.ts'
import {type Trace, traceLine} from '../../miio/packet-trace.ts'
import {MiioSocket} from '../../miio/socket.ts'
import {CommandFailed, readOption, toCommandFailed} from '../errors.ts'
import {loadConfigurationIfAny} from '../load-config.ts'
import {tracedTransport} from '../plug-session.ts'
import {span, type Terminal} from '../terminal.ts'

interface Options {
  config?: string
  debug?: boolean
  timeout: string
  broadcast?: string[]
}

const MIN_TIMEOUT_MS = 100
const MAX_TIMEOUT_MS = 600_000

/** Prints a table of the devices. @throws CommandFailed when there are none, or no hello could be sent */
export async function discover(options: Options, terminal: Terminal): Promise<void> {
  const timeout = readOption('--timeout', duration(MIN_TIMEOUT_MS, MAX_TIMEOUT_MS), options.timeout)
  const given = options.broadcast?.map((address) => readOption('--broadcast', ipv4(), address))
  const config = await loadConfigurationIfAny(options.config, terminal)
  const {bind, broadcast: configured} = config?.network ?? {}
  const socket = new MiioSocket({bind})
  const trace: Trace | undefined = options.debug ? (packet) => terminal.trace(traceLine(packet)) : undefined
  let replies = 0
  const showProgress = () => terminal.progress(`listening: ${count(replies, 'device')} so far …`)
  try {
    const broadcast = given ?? configured ?? broadcastAddresses()
    await socket.open()
    showProgress()
    const onFound = () => {
      replies++
      showProgress()
    }
    const discovery = new NetworkDiscovery({
      socket: tracedTransport(socket, trace),
      clock: systemClock,
      broadcast,
      log: (text) => terminal.note(text),
    })
    const found = await discovery.scan({timeout, onFound})
    if (found.length === 0) throw noneFound(broadcast)
    show(found, config, terminal)
  } catch (error) {
    throw toCommandFailed(error, {})
  } finally {
    terminal.progress('')
    await socket.close()
  }
}

/** The model is the configured one: the state of the bridge, with the detected ones, is mostly readable by the user of the bridge only. */
function show(found: readonly DiscoveredPlug[], config: Config | undefined, terminal: Terminal): void {
  const plugs = Object.entries(config?.devices ?? {})
  const rows = found
    .toSorted((a, b) => a.did - b.did)
    .map(({did, host, uptime, revealsToken}) => {
      const [name = null, plug] =
        plugs.find(([, {id}]) => id === did) ?? plugs.find(([, plug]) => plug.host === host) ?? []
      return {did, address: host, uptime, name, model: plug?.model ?? null, set_up: !revealsToken}
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

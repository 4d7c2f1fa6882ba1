/** `discover`: who answers a hello on this network. */
import type {Command} from 'commander'
import {systemClock} from '../clock.ts'
import {duration} from '../config/fields.ts'
import {type Config, configPath, loadConfig} from '../config.ts'
import {broadcastAddresses, Discovery, type Found} from '../miio/discovery.ts'
import {MiioSocket} from '../miio/socket.ts'
import {CommandFailed, UsageError} from './exit.ts'
import type {Terminal} from './terminal.ts'

interface DiscoverOptions {
  config?: string
  timeout: string
  broadcast?: string[]
}

export function discoverCommand(program: Command, terminalFor: (command: Command) => Terminal): void {
  program
    .command('discover')
    .description('list every miIO device that answers on this network')
    .option('--timeout <duration>', 'how long to listen', '5s')
    .option(
      '--broadcast <address...>',
      "where to send the hello; by default every interface's broadcast address",
    )
    .action(async (_options: unknown, command: Command) => {
      await discover(command.optsWithGlobals<DiscoverOptions>(), terminalFor(command))
    })
}

async function discover(options: DiscoverOptions, terminal: Terminal): Promise<void> {
  const config = await configurationIfAny(options.config)
  const broadcast = options.broadcast ?? config?.network.broadcast
  const socket = new MiioSocket({bind: config?.network.bind})
  await socket.open()
  try {
    const found = await scan(
      new Discovery({socket, clock: systemClock, broadcast}),
      milliseconds(options.timeout),
      terminal,
    )
    show(found, config, terminal)
    if (found.length === 0) throw new CommandFailed(nobody(broadcast ?? broadcastAddresses()))
  } finally {
    await socket.close()
  }
}

async function scan(discovery: Discovery, timeout: number, terminal: Terminal): Promise<Found[]> {
  let heard = 0
  const tell = () => terminal.progress(`listening: ${heard === 1 ? '1 device' : `${heard} devices`} so far …`)
  tell()
  const found = await discovery.scan({
    timeout,
    onFound: () => {
      heard++
      tell()
    },
  })
  terminal.progress('')
  return found.sort((a, b) => a.did - b.did)
}

function show(found: readonly Found[], config: Config | undefined, terminal: Terminal): void {
  const rows = found.map(({did, host, uptime, revealsToken}) => {
    const known = Object.entries(config?.devices ?? {}).find(
      ([, device]) => device.id === did || device.host === host,
    )
    return {
      did,
      address: host,
      uptime,
      name: known?.[0] ?? null,
      model: known?.[1].model ?? null,
      set_up: !revealsToken,
    }
  })
  const cells = rows.map((row) => [
    row.did,
    row.address,
    `${row.uptime} s`,
    row.name,
    row.model,
    row.set_up ? '' : 'not set up: shows its token to everybody',
  ])
  if (rows.length > 0 || terminal.json)
    terminal.result(rows, terminal.table(['id', 'address', 'up for', 'name', 'model', ''], cells))
}

function milliseconds(written: string): number {
  const parsed = duration(100, 600_000).safeParse(written)
  if (parsed.success) return parsed.data
  throw new UsageError(`--timeout: ${parsed.error.issues[0]?.message}`)
}

function nobody(addresses: readonly string[]): string {
  return [
    `nobody answered a hello to ${addresses.join(', ') || 'no address at all'}`,
    'Plugs answer only hosts in their own subnet, and a broadcast does not cross a router, a VLAN or a Docker bridge network.',
    'Is this machine in the same Wi-Fi network as the plugs? Try `--broadcast 192.168.x.255` with the address range of that network,',
    'or `miio2mqtt info --host <address> --token <token>`, which needs no broadcast.',
  ].join('\n')
}

/** Names for what is found, if there is a file at all: discovering is what one does before there is one. */
async function configurationIfAny(option: string | undefined): Promise<Config | undefined> {
  try {
    return await loadConfig(await configPath(option, process.env), process.env)
  } catch (error) {
    if (option === undefined) return undefined
    throw error
  }
}

/** `info|status|on|off|toggle|get|set|call`: one plug, asked directly. */
import type {Command} from 'commander'
import {UsageError} from './exit.ts'
import {type Reached, type TargetOptions, withPlug} from './reach.ts'
import type {Terminal} from './terminal.ts'

type MakeTerminal = (command: Command) => Terminal

const NOT_OURS_TO_SEND =
  /^(miIO\.)?(ota|config_router|config|restore|psm_(set|get)|cli|rpc_test|stop_diag_mode|set_enable_recovery)$/i

/** Adds the commands that are about one plug. */
export function plugCommands(program: Command, terminalFor: MakeTerminal): void {
  const add = (
    usage: string,
    description: string,
    run: (words: string[], options: TargetOptions, terminal: Terminal) => Promise<void>,
  ) =>
    program
      .command(usage)
      .description(description)
      .argument('[words...]', 'name of the plug (not with --host), then what the command needs')
      .usage(usages[usage] ?? '<name>')
      .option('--host <address>', 'a plug that is in no configuration: its address')
      .option('--token <hex>', 'its token; better put into the environment variable MIIO_TOKEN')
      .option('--model <id>', 'its model, when it should not be asked')
      .action(async (words: string[], _options: unknown, command: Command) => {
        await run(words, command.optsWithGlobals<TargetOptions>(), terminalFor(command))
      })

  add('info', 'who the plug says it is: model, firmware, address', async (words, options, terminal) => {
    const {name} = take(words, options, 0)
    const info = await withPlug(name, options, terminal, describe)
    terminal.result(info, terminal.facts(info))
  })
  add('status', 'every property of the plug, read now', async (words, options, terminal) => {
    const {name} = take(words, options, 0)
    const state = await withPlug(name, options, terminal, readAll)
    terminal.result(state, terminal.facts(state))
  })
  add('get', 'one property, or all of them', async (words, options, terminal) => {
    const {name, rest} = take(words, options, 0, 1)
    const state = await withPlug(name, options, terminal, readAll)
    const [property] = rest
    if (property === undefined) return terminal.result(state, terminal.facts(state))
    if (!Object.hasOwn(state, property))
      throw new UsageError(`expected one of ${Object.keys(state).join(', ')}, got ${property}`)
    terminal.result(state[property], String(state[property] ?? 'unknown'))
  })
  for (const [verb, value] of [
    ['on', 'ON'],
    ['off', 'OFF'],
    ['toggle', 'TOGGLE'],
  ] as const)
    add(
      verb,
      `switches the plug ${verb === 'toggle' ? 'to whatever it is not' : verb}`,
      async (words, options, terminal) => {
        const {name} = take(words, options, 0)
        await setAndTell(name, 'state', value, options, terminal)
      },
    )
  add('set', 'one property to a value, as in `set desk led off`', async (words, options, terminal) => {
    const {name, rest} = take(words, options, 2)
    const [property = '', value = ''] = rest
    await setAndTell(name, property, value, options, terminal)
  })
  add(
    'call',
    'a raw miIO call, as in `call desk get_prop \'["power"]\'`; sent once',
    async (words, options, terminal) => {
      const {name, rest} = take(words, options, 1, 2)
      const [method = '', params = '[]'] = rest
      if (NOT_OURS_TO_SEND.test(method))
        throw new UsageError(`${method} can brick a plug or take it off the network: it is never sent`)
      const parsed = parseParams(params)
      // Once only: nobody knows whether this call may be repeated, and `toggle_220v` twice is not at all.
      const answer = await withPlug(name, options, terminal, ({client}, deadline) =>
        client.call(method, parsed, {deadline, tries: 1}),
      )
      terminal.result(answer, JSON.stringify(answer))
    },
  )
}

const usages: Readonly<Record<string, string>> = {
  get: '<name> [property]',
  set: '<name> <property> <value>',
  call: '<name> <method> [params as JSON]',
}

/** The plug's name, unless `--host` stands for it, and then as many words as the command needs. */
function take(
  words: readonly string[],
  {host}: TargetOptions,
  least: number,
  most = least,
): {name: string | undefined; rest: string[]} {
  const name = host === undefined ? words[0] : undefined
  const rest = words.slice(host === undefined ? 1 : 0)
  if (rest.length < least) throw new UsageError(`expected ${least} words after the plug, got ${rest.length}`)
  if (rest.length > most) throw new UsageError(`too many words: ${rest.slice(most).join(' ')}`)
  return {name, rest}
}

async function readAll({device}: Reached, deadline: number) {
  return device.read(deadline)
}

async function setAndTell(
  name: string | undefined,
  property: string,
  value: string,
  options: TargetOptions,
  terminal: Terminal,
): Promise<void> {
  const done = await withPlug(name, options, terminal, async ({device}, deadline) => {
    await device.ready({deadline})
    return device.set(property, value, deadline)
  })
  terminal.result({[property]: done}, `${property} is ${done}`)
}

/** What `miIO.info` tells, without what is nobody's business: token, Wi-Fi name, account. */
async function describe({client, device}: Reached, deadline: number) {
  const identity = await device.identify({deadline})
  return {...identity, did: client.did, address: client.host, described_as: device.model?.name ?? null}
}

function parseParams(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`expected the parameters as JSON, such as ["power"], got ${text}`)
  }
}

/**
 * `miio2mqtt info|status|on|off|toggle|get|set|probe|call`: commands that call plugs directly; some of them all plugs, or those of a
 * group.
 */
import type {Command} from 'commander'
import {quoted} from '../../common/schema-errors.ts'
import {UsageError} from '../errors.ts'
import {printStatusTable, switchAll} from '../many-plugs.ts'
import {call, get, info, type PlugCommandContext, set, status} from '../plug-commands.ts'
import {type PlugSessionOptions, withPlug} from '../plug-session.ts'
import {findTargets, type PlugTarget, type PlugTargetOptions} from '../plug-target.ts'
import type {Terminal} from '../terminal.ts'
import {probe} from './probe.ts'

interface PlugCommand {
  verb: string
  /** The words after the plug: `<required>`, `[optional]`. */
  words?: string
  description: string
  run: (context: PlugCommandContext) => Promise<void>
  /** An option of this command alone, as commander takes it: flags and description. */
  option?: [flags: string, description: string]
  /** For a group or all plugs; missing where the command is for one plug only. */
  runAll?: (targets: readonly PlugTarget[], options: PlugSessionOptions) => Promise<void>
  /** Whether the plug may be left out: the command is for all plugs then. */
  allowsAll?: boolean
}

const SWITCH_DESCRIPTIONS = {
  ON: 'switch a plug or a group on',
  OFF: 'switch a plug or a group off',
  TOGGLE: 'switch a plug to the opposite state; a group is switched off if one of its plugs is on',
}

const commands: readonly PlugCommand[] = [
  {verb: 'info', description: 'show model, firmware, device id, address and signal', run: info},
  {
    verb: 'status',
    description: 'show every property of one plug; without a name, or for a group, one line for each plug',
    run: status,
    runAll: printStatusTable,
    allowsAll: true,
  },
  ...(['ON', 'OFF', 'TOGGLE'] as const).map((value) => ({
    verb: value.toLowerCase(),
    description: SWITCH_DESCRIPTIONS[value],
    run: (context: PlugCommandContext) => set(context, 'state', value),
    runAll: (targets: readonly PlugTarget[], options: PlugSessionOptions) =>
      switchAll(targets, value, options),
  })),
  {verb: 'get', words: '<property>', description: 'read one property', run: get},
  {
    verb: 'set',
    words: '<property> <value>',
    description: 'set one property, as in `set desk led off`',
    run: (context) => set(context, ...context.words),
  },
  {
    verb: 'probe',
    description: 'query a plug of an unsupported model and print a starter definition',
    option: [
      '--fixture',
      'for a supported model: record its responses as a test fixture, without data that identifies the plug',
    ],
    run: probe,
  },
  {
    verb: 'call',
    words: '<method> [params]',
    description: 'send a raw miIO call once, as in `call desk miIO.info`; parameters follow as JSON',
    run: call,
  },
]

/** Adds the commands that call plugs. */
export function plugCommands(program: Command, terminal: Terminal): void {
  for (const {verb, words = '', description, option, run, runAll, allowsAll = false} of commands) {
    const command = program
      .command(verb)
      .description(description)
      .argument('[words...]')
      .usage(`[options] ${allowsAll ? '[plug]' : '<plug>'} ${words}`.trim())
      .option('--host <address>', 'address of a plug that is not in config.yaml, instead of <plug>')
      .option('--token <hex>', 'token of this plug; safer in the environment variable MIIO_TOKEN')
      .option('--model <id>', 'use this model instead of detecting it')
      .action(async (typed: string[], _options: unknown, command: Command) => {
        const options = command.optsWithGlobals<PlugTargetOptions & {debug?: boolean; fixture?: boolean}>()
        const [name, rest] = options.host === undefined ? [typed[0], typed.slice(1)] : [undefined, typed]
        if (name !== undefined || options.host !== undefined) expectWords(words, rest)
        if (name === undefined && options.host === undefined && !allowsAll) throw new UsageError(NO_PLUG)
        const targets = await findTargets(name, options, terminal)
        const sessionOptions = {terminal, debug: options.debug, record: options.fixture}
        if ('members' in targets) {
          if (!runAll) throw new UsageError(onePlugOnly(verb, targets))
          await runAll(targets.members, sessionOptions)
        } else
          await withPlug(targets, sessionOptions, (session) =>
            run({...session, name: targets.name, topic: targets.topic, words: rest, terminal}),
          )
      })
    if (option) command.option(...option)
  }
}

/** @param usage such as `<method> [params]` @throws UsageError for too few or too many words */
function expectWords(usage: string, words: readonly string[]): void {
  const places = usage.split(' ').filter(Boolean)
  const missing = places.slice(words.length).find((place) => place.startsWith('<'))
  if (missing) throw new UsageError(`expected ${usage} after the plug, got no ${missing}`)
  const [extra] = words.slice(places.length)
  if (extra !== undefined)
    throw new UsageError(`expected ${usage || 'nothing'} after the plug, got also ${quoted(extra)}`)
}

const NO_PLUG = 'which plug? Give its name in the configuration, or --host and --token'

function onePlugOnly(
  verb: string,
  {group = '', members}: {group: string | undefined; members: PlugTarget[]},
): string {
  const names = members.map(({name}) => name).join(', ')
  return `${JSON.stringify(group)} is a group, and \`${verb}\` is for one plug: ${names}`
}

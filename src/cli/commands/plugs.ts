/** `info|status|on|off|toggle|get|set|probe|call`: plugs, asked directly; some of them for all, or for those of a group. */
import type {Command} from 'commander'
import {quoted} from '../../config/config-error.ts'
import {UsageError} from '../errors.ts'
import {printStatusTable, switchAll} from '../many-plugs.ts'
import {call, get, info, type PlugCommandContext, set, status} from '../plug-commands.ts'
import {type PlugSessionOptions, withPlug} from '../plug-session.ts'
import {findTargets, type PlugTarget, type PlugTargetOptions} from '../plug-target.ts'
import type {Terminal} from '../terminal.ts'
import {probe} from './probe.ts'

interface PlugCommand {
  verb: string
  /** What follows the plug: `<needed>`, `[optional]`. */
  words?: string
  description: string
  run: (asked: PlugCommandContext) => Promise<void>
  /** An option of this command alone, as commander takes it: flags and description. */
  option?: [flags: string, description: string]
  /** The same for a group; left out where there is no such thing. */
  runAll?: (targets: readonly PlugTarget[], options: PlugSessionOptions) => Promise<void>
  /** Whether that also goes without naming any plug: all are meant then. */
  all?: boolean
}

const SWITCHED = {
  ON: 'switch a plug or a group on',
  OFF: 'switch a plug or a group off',
  TOGGLE: 'switch a plug to the opposite state; a group off when one of its plugs is on',
}

const commands: readonly PlugCommand[] = [
  {verb: 'info', description: 'who it says it is: model, firmware, address, signal', run: info},
  {
    verb: 'status',
    description:
      'every property of one plug, read now; without a name, or of a group, one line for each plug',
    run: status,
    runAll: printStatusTable,
    all: true,
  },
  ...(['ON', 'OFF', 'TOGGLE'] as const).map((value) => ({
    verb: value.toLowerCase(),
    description: SWITCHED[value],
    run: (asked: PlugCommandContext) => set(asked, 'state', value),
    runAll: (targets: readonly PlugTarget[], options: PlugSessionOptions) =>
      switchAll(targets, value, options),
  })),
  {verb: 'get', words: '<property>', description: 'one property, read now', run: get},
  {
    verb: 'set',
    words: '<property> <value>',
    description: 'one property to a value, as in `set desk led off`',
    run: (asked) => set(asked, ...asked.words),
  },
  {
    verb: 'probe',
    description: 'what a plug of an unknown model answers, as a definition to start from',
    option: [
      '--fixture',
      'of a model that has a definition: record its responses as a test fixture, without what identifies the plug',
    ],
    run: probe,
  },
  {
    verb: 'call',
    words: '<method> [params]',
    description: 'a raw miIO call, sent once, as in `call desk miIO.info`; parameters follow as JSON',
    run: call,
  },
]

/** Adds the commands that are about one plug. */
export function plugCommands(program: Command, terminal: Terminal): void {
  for (const {verb, words = '', description, option, run, runAll, all = false} of commands) {
    const command = program
      .command(verb)
      .description(description)
      .argument('[words...]')
      .usage(`[options] ${all ? '[plug]' : '<plug>'} ${words}`.trim())
      .option('--host <address>', 'a plug that is in no configuration: its address, in place of <plug>')
      .option('--token <hex>', 'its token; better kept in the environment variable MIIO_TOKEN')
      .option('--model <id>', 'its model, when it should not be asked')
      .action(async (typed: string[], _options: unknown, command: Command) => {
        const options = command.optsWithGlobals<PlugTargetOptions & {debug?: boolean; fixture?: boolean}>()
        const [name, rest] = options.host === undefined ? [typed[0], typed.slice(1)] : [undefined, typed]
        if (name !== undefined || options.host !== undefined) expectWords(words, rest)
        if (name === undefined && options.host === undefined && !all) throw new UsageError(WHICH)
        const targets = await findTargets(name, options, terminal)
        const reaching = {terminal, debug: options.debug, record: options.fixture}
        if ('members' in targets) {
          if (!runAll) throw new UsageError(forOnePlug(verb, targets))
          await runAll(targets.members, reaching)
        } else
          await withPlug(targets, reaching, (reached) =>
            run({...reached, name: targets.name, topic: targets.topic, words: rest, terminal}),
          )
      })
    if (option) command.option(...option)
  }
}

/** @throws UsageError when there are fewer or more words than `usage` has places */
function expectWords(usage: string, words: readonly string[]): void {
  const places = usage.split(' ').filter(Boolean)
  const missing = places.slice(words.length).find((place) => place.startsWith('<'))
  if (missing) throw new UsageError(`expected ${usage} after the plug, got no ${missing}`)
  const [extra] = words.slice(places.length)
  if (extra !== undefined)
    throw new UsageError(`expected ${usage || 'nothing'} after the plug, got also ${quoted(extra)}`)
}

const WHICH = 'which plug? Give its name in the configuration, or --host and --token'

function forOnePlug(
  verb: string,
  {group = '', members}: {group: string | undefined; members: PlugTarget[]},
): string {
  const names = members.map(({name}) => name).join(', ')
  return `${JSON.stringify(group)} is a group, and \`${verb}\` is for one plug: ${names}`
}

/** `info|status|on|off|toggle|get|set|probe|call`: one plug, asked directly. */
import type {Command} from 'commander'
import {quoted} from '../config/problems.ts'
import {UsageError} from './exit.ts'
import {probe} from './probe.ts'
import {type Asked, call, get, info, set, status} from './questions.ts'
import {withPlug} from './reach.ts'
import {type TargetOptions, targetOf} from './target.ts'
import type {Terminal} from './terminal.ts'

interface PlugCommand {
  verb: string
  /** What follows the plug: `<needed>`, `[optional]`. */
  words?: string
  description: string
  run: (asked: Asked) => Promise<void>
}

const commands: readonly PlugCommand[] = [
  {verb: 'info', description: 'who it says it is: model, firmware, address, signal', run: info},
  {verb: 'status', description: 'every property, read now', run: status},
  {verb: 'on', description: 'switch it on', run: (asked) => set(asked, 'state', 'ON')},
  {verb: 'off', description: 'switch it off', run: (asked) => set(asked, 'state', 'OFF')},
  {verb: 'toggle', description: 'switch it to what it is not', run: (asked) => set(asked, 'state', 'TOGGLE')},
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
    run: probe,
  },
  {
    verb: 'call',
    words: '<method> [params]',
    description: 'a raw miIO call, sent once, as in `call desk get_prop \'["power"]\'`',
    run: call,
  },
]

/** Adds the commands that are about one plug. */
export function plugCommands(program: Command, terminal: Terminal): void {
  for (const {verb, words = '', description, run} of commands)
    program
      .command(verb)
      .description(description)
      .argument('[words...]')
      .usage(`[options] <plug> ${words}`.trim())
      .option('--host <address>', 'a plug that is in no configuration: its address, in place of <plug>')
      .option('--token <hex>', 'its token; better kept in the environment variable MIIO_TOKEN')
      .option('--model <id>', 'its model, when it should not be asked')
      .action(async (typed: string[], _options: unknown, command: Command) => {
        const options = command.optsWithGlobals<TargetOptions & {debug?: boolean}>()
        const [name, rest] = options.host === undefined ? [typed[0], typed.slice(1)] : [undefined, typed]
        if (name !== undefined || options.host !== undefined) expectWords(words, rest)
        const target = await targetOf(name, options, terminal)
        await withPlug(target, {terminal, debug: options.debug}, (reached) =>
          run({...reached, name: target.name, words: rest, terminal}),
        )
      })
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

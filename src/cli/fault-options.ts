/** Faults as people write them on a command line: `loss=0.2`, `delay=100ms..3s`, `silence`. */
import {
  codeIn,
  failureIn,
  InvalidFault,
  namesAnd,
  natural,
  period,
  range,
  shareOf,
} from '../simulator/faults/fault-values.ts'
import type {Faults} from '../simulator/faults/faults.ts'

export {InvalidFault} from '../simulator/faults/fault-values.ts'

interface Word {
  /** How it is written. */
  example: string
  /** What it does, for a help text. */
  meaning: string
  /** @throws InvalidFault */
  read(value: string | undefined): Faults
}

const SOME = 0.2

/** Every fault there is, by name, in the order in which help lists them. */
export const faultTable: ReadonlyMap<string, Word> = new Map<string, Word>([
  ['loss', share('loss=0.2', 'share of datagrams that never reach the plug', (loss) => ({loss}))],
  [
    'lose_replies',
    share('lose_replies=0.2', 'share of commands executed but not answered', (loseReplies) => ({
      loseReplies,
    })),
  ],
  [
    'delay',
    {
      example: 'delay=100ms..3s',
      meaning: 'every answer takes so long: one duration, or a range',
      read: (value) => ({delay: range(value)}),
    },
  ],
  [
    'late_replies',
    share('late_replies=0.2', 'share of answers that come after the asker gave up', (lateReplies) => ({
      lateReplies,
    })),
  ],
  ['duplicate', share('duplicate=0.1', 'share of answers that come twice', (duplicate) => ({duplicate}))],
  ['garbage', share('garbage=0.3', 'share of answers that are unusable', (garbage) => ({garbage}))],
  ['wrong_id', share('wrong_id=0.1', 'share of answers to another request', (wrongId) => ({wrongId}))],
  ['error', {example: 'error=-9999:0.3', meaning: 'share of requests refused with this code', read: error}],
  [
    'wrong_token',
    {
      example: 'wrong_token=silent',
      meaning: 'no token is the right one; says so, or stays silent',
      read: wrongToken,
    },
  ],
  mood('silence', 'hears nothing', {silence: true}),
  [
    'reboot',
    {
      example: 'reboot=60s',
      meaning: 'loses power for a few seconds, so often',
      read: (value) => ({rebootEveryMs: period(value)}),
    },
  ],
  [
    'address_change',
    {
      example: 'address_change=30s',
      meaning: 'gets a new address, so often',
      read: (value) => ({addressChangeEveryMs: period(value)}),
    },
  ],
  [
    'killer',
    {
      example: 'killer=led,usb:-30001',
      meaning: 'asking for these gets no answer, or this code',
      read: killers,
    },
  ],
  [
    'item_code',
    {example: 'item_code=led:-4003', meaning: 'these properties have a code only', read: itemCodes},
  ],
  [
    'batch',
    {
      example: 'batch=4:-9999',
      meaning: 'more values at once get no answer, or this code',
      read: batch,
    },
  ],
  [
    'answers_only',
    {
      example: 'answers_only=1',
      meaning: 'of many values so many are answered',
      read: (value) => ({answersOnly: natural(value)}),
    },
  ],
  [
    'cut',
    {
      example: 'cut=231',
      meaning: 'longest answer, in characters',
      read: (value) => ({cutAt: natural(value)}),
    },
  ],
  mood('missing_comma', 'no comma between the items of a MIoT answer', {missingComma: true}),
  mood('empty_slots', 'nothing at all in place of a value that is not known', {emptySlots: true}),
  [
    'tail',
    {
      example: 'tail=text',
      meaning: 'after an answer: text behind the NUL, nuls, or none',
      read: tail,
    },
  ],
  [
    'switching',
    {
      example: 'switching=number',
      meaning: 'on and off are told as boolean, text or number',
      read: switching,
    },
  ],
  [
    'over_poll',
    {
      example: 'over_poll=20/30s',
      meaning: 'beyond that it reboots and switches its sockets',
      read: overPoll,
    },
  ],
])

/**
 * All of `texts` together; of two about the same fault, the later counts.
 * @throws InvalidFault
 */
export function parseFaults(texts: readonly string[]): Faults {
  return Object.assign({}, ...texts.map(parseFault))
}

function parseFault(text: string): Faults {
  const [name = '', ...rest] = text.trim().split('=')
  const word = faultTable.get(name)
  if (!word) throw new InvalidFault(`unknown fault "${name}"; known are ${examples()}`)
  try {
    return word.read(rest.length > 0 ? rest.join('=') : undefined)
  } catch (error) {
    if (!(error instanceof InvalidFault)) throw error
    throw new InvalidFault(`fault ${name}: ${error.message}, as in ${word.example}`)
  }
}

function examples(): string {
  return [...faultTable.values()].map((word) => word.example).join(', ')
}

/** A fault that strikes a share of the time; a fifth when nobody says how often. */
function share(example: string, meaning: string, make: (share: number) => Faults): Word {
  return {example, meaning, read: (value) => make(value === undefined ? SOME : shareOf(value))}
}

function error(value = ''): Faults {
  const [code = '', probability = '1'] = value.split(':')
  return {error: {code: codeIn(code), share: shareOf(probability)}}
}

/** A fault that is there or not. */
function mood(name: string, meaning: string, faults: Faults): readonly [string, Word] {
  const read = (value: string | undefined) => {
    if (value === undefined) return faults
    throw new InvalidFault(`expected no value, got "${value}"`)
  }
  return [name, {example: name, meaning, read}]
}

function killers(value = ''): Faults {
  const [names, code] = namesAnd(value)
  const failure = failureIn(code)
  return {killers: Object.fromEntries(names.map((name) => [name, failure]))}
}

function itemCodes(value = ''): Faults {
  const [names, text = ''] = namesAnd(value)
  const code = codeIn(text)
  return {codes: Object.fromEntries(names.map((name) => [name, code]))}
}

function batch(value = ''): Faults {
  const [most, code] = value.split(':')
  return {batch: {most: natural(most), failure: failureIn(code)}}
}

function tail(value = 'text'): Faults {
  if (value === 'text' || value === 'nuls' || value === 'none') return {tail: value}
  throw new InvalidFault(`expected text, nuls or none, got "${value}"`)
}

function switching(value = ''): Faults {
  if (value === 'boolean' || value === 'text' || value === 'number') return {switching: value}
  throw new InvalidFault(`expected boolean, text or number, got "${value}"`)
}

function overPoll(value = '20/30s'): Faults {
  const [most, time] = value.split('/')
  return {overPolled: {most: natural(most), withinMs: period(time)}}
}

function wrongToken(value = 'nak'): Faults {
  if (value === 'nak' || value === 'silent') return {wrongToken: value}
  throw new InvalidFault(`expected nak or silent, got "${value}"`)
}

/** Faults as people write them on a command line: `loss=0.2`, `delay=100ms..3s`, `silence`. */
import type {Faults} from './faults.ts'

/** A fault nobody knows, or one with a value that makes no sense. `message` says what was expected and what came. */
export class InvalidFault extends Error {
  override readonly name = 'InvalidFault'
}

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
export const faultWords: ReadonlyMap<string, Word> = new Map<string, Word>([
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
  ['silence', {example: 'silence', meaning: 'hears nothing', read: silence}],
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
  const word = faultWords.get(name)
  if (!word) throw new InvalidFault(`unknown fault "${name}"; known are ${examples()}`)
  try {
    return word.read(rest.length > 0 ? rest.join('=') : undefined)
  } catch (error) {
    if (!(error instanceof InvalidFault)) throw error
    throw new InvalidFault(`fault ${name}: ${error.message}, as in ${word.example}`)
  }
}

function examples(): string {
  return [...faultWords.values()].map((word) => word.example).join(', ')
}

/** A fault that strikes a share of the time; a fifth when nobody says how often. */
function share(example: string, meaning: string, make: (share: number) => Faults): Word {
  return {example, meaning, read: (value) => make(value === undefined ? SOME : shareOf(value))}
}

function shareOf(value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (number >= 0 && number <= 1) return number
  throw new InvalidFault(`expected a share from 0 to 1, got "${value}"`)
}

function error(value = ''): Faults {
  const [code = '', probability = '1'] = value.split(':')
  if (!/^-?\d{1,10}$/.test(code)) throw new InvalidFault(`expected the plug's error code, got "${value}"`)
  return {error: {code: Number(code), share: shareOf(probability)}}
}

function wrongToken(value = 'nak'): Faults {
  if (value === 'nak' || value === 'silent') return {wrongToken: value}
  throw new InvalidFault(`expected nak or silent, got "${value}"`)
}

function silence(value: string | undefined): Faults {
  if (value === undefined) return {silence: true}
  throw new InvalidFault(`expected no value, got "${value}"`)
}

function range(value = ''): {fromMs: number; toMs: number} {
  const [from = '', to = from] = value.split('..')
  const [fromMs, toMs] = [duration(from), duration(to)]
  if (fromMs <= toMs) return {fromMs, toMs}
  throw new InvalidFault(`expected the shorter duration first, got "${value}"`)
}

/** Zero would mean: without any pause. */
function period(value = ''): number {
  const ms = duration(value)
  if (ms > 0) return ms
  throw new InvalidFault(`expected a duration above zero, got "${value}"`)
}

/** `500ms`, `15s`, `2m`, or a number of seconds. */
function duration(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text.trim()) ?? []
  if (number === undefined)
    throw new InvalidFault(`expected a duration such as 500ms, 15s or 2m, got "${text}"`)
  return Number(number) * (unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000)
}

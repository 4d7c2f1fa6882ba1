/** The faults of `simulate --fault`: `loss=0.2`, `delay=100ms..3s`, `silence`. */
import {joinWithOr} from '../common/schema-errors.ts'
import {readDuration} from '../config/schema/fields.ts'
import type {Faults} from '../simulator/faults.ts'
import {UsageError} from './errors.ts'

/** Parses the text after "=", which is missing where there is no "=". @throws UsageError with what was expected and what came */
type Parse<T> = (text?: string) => T

interface FaultOption {
  /** How the fault is written: its name, "=" and a value. */
  example: string
  /** What the fault does, for the help text. */
  meaning: string
  parse: Parse<Faults>
}

const failure = oneOf('silence', 'silence', 'reboot', -9999, -30001)

const options: readonly FaultOption[] = [
  row('loss=0.2', 'share of datagrams that never reach the plug', 'loss', share),
  row('lose_replies=0.2', 'share of commands executed but not answered', 'loseResponses', share),
  row('delay=100ms..3s', 'delay of every answer: one duration, or a range', 'delay', range),
  row('late_replies=0.2', 'share of answers that come after the client gave up', 'lateResponses', share),
  row('duplicate=0.1', 'share of answers that come twice', 'duplicate', share),
  row('garbage=0.3', 'share of answers that are unusable', 'garbage', share),
  row('wrong_id=0.1', 'share of answers to another request', 'wrongId', share),
  row('error=-9999:0.3', 'share of requests refused with this code', 'error', (text = '') => {
    const [code, probability = '1'] = text.split(':')
    return {code: errorCode(code), share: share(probability)}
  }),
  row(
    'wrong_token=silent',
    'no token is right; the plug reports it, or is silent',
    'wrongToken',
    oneOf('nak', 'nak', 'silent'),
  ),
  row('silence', 'receives nothing', 'silence', flag),
  row('reboot=60s', 'loses power for a few seconds, every 60 s', 'rebootEveryMs', period),
  row('address_change=30s', 'gets a new address every 30 s', 'addressChangeEveryMs', period),
  row(
    'killer=led,usb:-30001',
    'requests for these get no answer, or this code',
    'failingProperties',
    (text) => byProperty(text, failure),
  ),
  row('item_code=led:-4003', 'these properties are answered with this code', 'codes', (text) =>
    byProperty(text, errorCode),
  ),
  row('batch=4:-9999', 'requests for more values get no answer, or this code', 'batch', (text = '') => {
    const [most, code] = text.split(':')
    return {most: positive(most), failure: failure(code)}
  }),
  row('answers_only=1', 'answers only so many of the requested values', 'maxItems', positive),
  row('cut=231', 'longest answer, in characters', 'cutAt', positive),
  row('missing_comma', 'no comma between the items of a MIoT answer', 'missingComma', flag),
  row('empty_slots', 'nothing in place of an unknown value', 'emptySlots', flag),
  row(
    'tail=text',
    'after an answer: text after the NUL, nuls, or none',
    'tail',
    oneOf('text', 'text', 'nuls', 'none'),
  ),
  row(
    'switching=number',
    'on and off are reported as boolean, text or number',
    'switching',
    oneOf('', 'boolean', 'text', 'number'),
  ),
  row(
    'over_poll=20/30s',
    'more requests reboot the plug and switch its sockets',
    'overPolled',
    (text = '20/30s') => {
      const [most, time] = text.split('/')
      return {most: positive(most), withinMs: period(time)}
    },
  ),
]

function row<Key extends keyof Faults>(
  example: string,
  meaning: string,
  key: Key,
  parse: Parse<Faults[Key]>,
): FaultOption {
  return {example, meaning, parse: (text) => ({[key]: parse(text)})}
}

/** Every fault by name, in the order of the help text. */
export const faultTable: ReadonlyMap<string, FaultOption> = new Map(
  options.map((option) => [option.example.split('=')[0] ?? '', option]),
)

/**
 * Parses all values of `--fault` into one set of faults; of two about the same fault, the later counts.
 * @throws UsageError
 */
export function parseFaults(texts: readonly string[]): Faults {
  return Object.assign({}, ...texts.map(parseFault))
}

function parseFault(text: string): Faults {
  const [name = '', ...rest] = text.trim().split('=')
  const option = faultTable.get(name)
  if (!option) {
    const known = options.map(({example}) => example).join(', ')
    throw new UsageError(`--fault: unknown fault "${name}"; known are ${known}`)
  }
  try {
    return option.parse(rest.length > 0 ? rest.join('=') : undefined)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(`--fault: fault ${name}: ${error.message}, as in ${option.example}`)
  }
}

function expected(what: string, got: string): UsageError {
  return new UsageError(`expected ${what}, got "${got}"`)
}

/** A fault that has no value. */
function flag(text?: string): true {
  if (text === undefined) return true
  throw expected('no value', text)
}

/** A share from 0 to 1; a fifth by default. */
function share(text = '0.2'): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (number >= 0 && number <= 1) return number
  throw expected('a share from 0 to 1', text)
}

function errorCode(text = ''): number {
  if (/^-?\d{1,10}$/.test(text)) return Number(text)
  throw expected("the plug's error code", text)
}

function positive(text = ''): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw expected('a number above zero', text)
}

/** @param missing the text where there is none */
function oneOf<const T extends readonly (string | number)[]>(
  missing: string,
  ...choices: T
): Parse<T[number]> {
  return (text = missing) => {
    const found: T[number] | undefined = choices.find((choice) => String(choice) === text)
    if (found !== undefined) return found
    throw expected(joinWithOr(choices), text)
  }
}

/** `led,usb:-30001`: the value behind the colon for each of the properties. */
function byProperty<T>(value = '', parse: Parse<T>): Record<string, T> {
  const [list = '', text] = value.split(':')
  const names = list.split(',').filter((name) => name !== '')
  if (names.length === 0) throw expected('properties', value)
  const parsed = parse(text)
  return Object.fromEntries(names.map((name) => [name, parsed]))
}

/** `100ms..3s`, or one duration. */
function range(value = ''): {fromMs: number; toMs: number} {
  const [from = '', to = from] = value.split('..')
  const [fromMs, toMs] = [duration(from), duration(to)]
  if (fromMs <= toMs) return {fromMs, toMs}
  throw expected('the shorter duration first', value)
}

/** A duration above zero: zero would mean without any pause. */
function period(text = ''): number {
  const ms = duration(text)
  if (ms > 0) return ms
  throw expected('a duration above zero', text)
}

/** Milliseconds, of a duration as in the configuration. */
function duration(text: string): number {
  const ms = readDuration(text.trim())
  if (ms >= 0) return ms
  throw expected('a duration such as 500ms, 15s or 2m', text)
}

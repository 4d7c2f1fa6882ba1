/** Parses the faults of `simulate --fault`: `loss=0.2`, `delay=100ms..3s`, `silence`. */
import {readDuration} from '../config/schema/fields.ts'
import type {Faults} from '../simulator/faults/faults.ts'
import type {FirmwareFailure} from '../simulator/firmware/firmware-profile.ts'

/** An unknown fault, or one with an invalid value. `message` is what was expected and what came. */
export class InvalidFault extends Error {
  override readonly name = 'InvalidFault'
}

interface FaultOption {
  /** How the fault is written: its name, "=" and a value. */
  example: string
  /** What the fault does, for the help text. */
  meaning: string
  /** @param value the text after "="; missing where there is no "=" @throws InvalidFault */
  parse: (value?: string) => Faults
}

const options: readonly FaultOption[] = [
  {
    example: 'loss=0.2',
    meaning: 'share of datagrams that never reach the plug',
    parse: (value) => ({loss: share(value)}),
  },
  {
    example: 'lose_replies=0.2',
    meaning: 'share of commands executed but not answered',
    parse: (value) => ({loseReplies: share(value)}),
  },
  {
    example: 'delay=100ms..3s',
    meaning: 'every answer takes so long: one duration, or a range',
    parse: (value) => ({delay: range(value)}),
  },
  {
    example: 'late_replies=0.2',
    meaning: 'share of answers that come after the asker gave up',
    parse: (value) => ({lateReplies: share(value)}),
  },
  {
    example: 'duplicate=0.1',
    meaning: 'share of answers that come twice',
    parse: (value) => ({duplicate: share(value)}),
  },
  {
    example: 'garbage=0.3',
    meaning: 'share of answers that are unusable',
    parse: (value) => ({garbage: share(value)}),
  },
  {
    example: 'wrong_id=0.1',
    meaning: 'share of answers to another request',
    parse: (value) => ({wrongId: share(value)}),
  },
  {
    example: 'error=-9999:0.3',
    meaning: 'share of requests refused with this code',
    parse: (value = '') => {
      const [code, probability = '1'] = value.split(':')
      return {error: {code: errorCode(code), share: share(probability)}}
    },
  },
  {
    example: 'wrong_token=silent',
    meaning: 'no token is the right one; says so, or stays silent',
    parse: (value = 'nak') => ({wrongToken: oneOf(value, 'nak', 'silent')}),
  },
  {example: 'silence', meaning: 'hears nothing', parse: (value) => flag(value, {silence: true})},
  {
    example: 'reboot=60s',
    meaning: 'loses power for a few seconds, so often',
    parse: (value) => ({rebootEveryMs: period(value)}),
  },
  {
    example: 'address_change=30s',
    meaning: 'gets a new address, so often',
    parse: (value) => ({addressChangeEveryMs: period(value)}),
  },
  {
    example: 'killer=led,usb:-30001',
    meaning: 'asking for these gets no answer, or this code',
    parse: (value) => ({killers: byProperty(value, failure)}),
  },
  {
    example: 'item_code=led:-4003',
    meaning: 'these properties have a code only',
    parse: (value) => ({codes: byProperty(value, errorCode)}),
  },
  {
    example: 'batch=4:-9999',
    meaning: 'more values at once get no answer, or this code',
    parse: (value = '') => {
      const [most, code] = value.split(':')
      return {batch: {most: positive(most), failure: failure(code)}}
    },
  },
  {
    example: 'answers_only=1',
    meaning: 'of many values so many are answered',
    parse: (value) => ({answersOnly: positive(value)}),
  },
  {
    example: 'cut=231',
    meaning: 'longest answer, in characters',
    parse: (value) => ({cutAt: positive(value)}),
  },
  {
    example: 'missing_comma',
    meaning: 'no comma between the items of a MIoT answer',
    parse: (value) => flag(value, {missingComma: true}),
  },
  {
    example: 'empty_slots',
    meaning: 'nothing at all in place of a value that is not known',
    parse: (value) => flag(value, {emptySlots: true}),
  },
  {
    example: 'tail=text',
    meaning: 'after an answer: text behind the NUL, nuls, or none',
    parse: (value = 'text') => ({tail: oneOf(value, 'text', 'nuls', 'none')}),
  },
  {
    example: 'switching=number',
    meaning: 'on and off are told as boolean, text or number',
    parse: (value = '') => ({switching: oneOf(value, 'boolean', 'text', 'number')}),
  },
  {
    example: 'over_poll=20/30s',
    meaning: 'beyond that it reboots and switches its sockets',
    parse: (value = '20/30s') => {
      const [most, time] = value.split('/')
      return {overPolled: {most: positive(most), withinMs: period(time)}}
    },
  },
]

/** Every fault by name, in the order of the help text. */
export const faultTable: ReadonlyMap<string, FaultOption> = new Map(
  options.map((option) => [option.example.split('=')[0] ?? '', option]),
)

/**
 * Parses all of `texts` into one set of faults; of two texts about the same fault, the later counts.
 * @throws InvalidFault
 */
export function parseFaults(texts: readonly string[]): Faults {
  return Object.assign({}, ...texts.map(parseFault))
}

function parseFault(text: string): Faults {
  const [name = '', ...rest] = text.trim().split('=')
  const option = faultTable.get(name)
  if (!option) {
    const known = options.map(({example}) => example).join(', ')
    throw new InvalidFault(`unknown fault "${name}"; known are ${known}`)
  }
  try {
    return option.parse(rest.length > 0 ? rest.join('=') : undefined)
  } catch (error) {
    if (!(error instanceof InvalidFault)) throw error
    throw new InvalidFault(`fault ${name}: ${error.message}, as in ${option.example}`)
  }
}

function expected(what: string, got: string): InvalidFault {
  return new InvalidFault(`expected ${what}, got "${got}"`)
}

/** A fault that has no value. */
function flag(value: string | undefined, faults: Faults): Faults {
  if (value === undefined) return faults
  throw expected('no value', value)
}

/** A share from 0 to 1; a fifth by default. */
function share(value = '0.2'): number {
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (number >= 0 && number <= 1) return number
  throw expected('a share from 0 to 1', value)
}

function errorCode(text = ''): number {
  if (/^-?\d{1,10}$/.test(text)) return Number(text)
  throw expected("the plug's error code", text)
}

function positive(text = ''): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw expected('a number above zero', text)
}

function oneOf<const T extends string>(text: string, ...choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  throw expected(choices.join(', ').replace(/, ([^,]*)$/, ' or $1'), text)
}

const FAILURES = {silence: 'silence', '-9999': -9999, '-30001': -30001} as const

function failure(text = 'silence'): FirmwareFailure {
  return FAILURES[oneOf(text, 'silence', '-9999', '-30001')]
}

/** `led,usb:-30001`: the value behind the colon for each of the properties. */
function byProperty<T>(value = '', parse: (text?: string) => T): Record<string, T> {
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
function period(value = ''): number {
  const ms = duration(value)
  if (ms > 0) return ms
  throw expected('a duration above zero', value)
}

/** Milliseconds, of a duration as in the configuration. */
function duration(text: string): number {
  const ms = readDuration(text.trim())
  if (ms >= 0) return ms
  throw expected('a duration such as 500ms, 15s or 2m', text)
}

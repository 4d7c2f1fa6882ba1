/** Parses the faults of `simulate --fault`: `loss=0.2`, `delay=100ms..3s`, `silence`. */
import {readDuration} from '../config/schema/fields.ts'
import type {Faults} from '../simulator/faults.ts'
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
  /** @param text after "="; missing where there is no "=" @throws InvalidFault */
  parse: (text?: string) => Faults
}

const options: readonly FaultOption[] = [
  row('loss=0.2', 'share of datagrams that never reach the plug', (text) => ({loss: share(text)})),
  row('lose_replies=0.2', 'share of commands executed but not answered', (text) => ({
    loseResponses: share(text),
  })),
  row('delay=100ms..3s', 'delay of every answer: one duration, or a range', (text) => ({
    delay: range(text),
  })),
  row('late_replies=0.2', 'share of answers that come after the client gave up', (text) => ({
    lateResponses: share(text),
  })),
  row('duplicate=0.1', 'share of answers that come twice', (text) => ({duplicate: share(text)})),
  row('garbage=0.3', 'share of answers that are unusable', (text) => ({garbage: share(text)})),
  row('wrong_id=0.1', 'share of answers to another request', (text) => ({wrongId: share(text)})),
  row('error=-9999:0.3', 'share of requests refused with this code', (text = '') => {
    const [code, probability = '1'] = text.split(':')
    return {error: {code: errorCode(code), share: share(probability)}}
  }),
  row('wrong_token=silent', 'no token is right; the plug reports it, or is silent', (text = 'nak') => ({
    wrongToken: oneOf(text, 'nak', 'silent'),
  })),
  row('silence', 'receives nothing', (text) => flag(text, {silence: true})),
  row('reboot=60s', 'loses power for a few seconds, every 60 s', (text) => ({rebootEveryMs: period(text)})),
  row('address_change=30s', 'gets a new address every 30 s', (text) => ({
    addressChangeEveryMs: period(text),
  })),
  row('killer=led,usb:-30001', 'requests for these get no answer, or this code', (text) => ({
    failingProperties: byProperty(text, failure),
  })),
  row('item_code=led:-4003', 'these properties are answered with this code', (text) => ({
    codes: byProperty(text, errorCode),
  })),
  row('batch=4:-9999', 'requests for more values get no answer, or this code', (text = '') => {
    const [most, code] = text.split(':')
    return {batch: {most: positive(most), failure: failure(code)}}
  }),
  row('answers_only=1', 'answers only so many of the requested values', (text) => ({
    maxItems: positive(text),
  })),
  row('cut=231', 'longest answer, in characters', (text) => ({cutAt: positive(text)})),
  row('missing_comma', 'no comma between the items of a MIoT answer', (text) =>
    flag(text, {missingComma: true}),
  ),
  row('empty_slots', 'nothing in place of an unknown value', (text) => flag(text, {emptySlots: true})),
  row('tail=text', 'after an answer: text after the NUL, nuls, or none', (text = 'text') => ({
    tail: oneOf(text, 'text', 'nuls', 'none'),
  })),
  row('switching=number', 'on and off are reported as boolean, text or number', (text = '') => ({
    switching: oneOf(text, 'boolean', 'text', 'number'),
  })),
  row('over_poll=20/30s', 'more requests reboot the plug and switch its sockets', (text = '20/30s') => {
    const [most, time] = text.split('/')
    return {overPolled: {most: positive(most), withinMs: period(time)}}
  }),
]

function row(example: string, meaning: string, parse: FaultOption['parse']): FaultOption {
  return {example, meaning, parse}
}

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

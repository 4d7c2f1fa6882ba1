/** The values of faults: shares, durations, codes, names. Each function throws InvalidFault for what it does not understand. */
import type {FirmwareFailure} from '../firmware/firmware-profile.ts'

/** A fault nobody knows, or one with a value that makes no sense. `message` says what was expected and what came. */
export class InvalidFault extends Error {
  override readonly name = 'InvalidFault'
}

export function shareOf(value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (number >= 0 && number <= 1) return number
  throw new InvalidFault(`expected a share from 0 to 1, got "${value}"`)
}

export function codeIn(text: string): number {
  if (/^-?\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidFault(`expected the plug's error code, got "${text}"`)
}

export function natural(text = ''): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidFault(`expected a number above zero, got "${text}"`)
}

/** `led,usb:-30001` */
export function namesAnd(value: string): readonly [names: string[], code: string | undefined] {
  const [list = '', code] = value.split(':')
  const names = list.split(',').filter((name) => name !== '')
  if (names.length > 0) return [names, code]
  throw new InvalidFault(`expected properties, got "${value}"`)
}

export function failureIn(text: string | undefined): FirmwareFailure {
  switch (text) {
    case undefined:
    case 'silence':
      return 'silence'
    case '-9999':
      return -9999
    case '-30001':
      return -30001
    default:
      throw new InvalidFault(`expected silence, -9999 or -30001, got "${text}"`)
  }
}

export function range(value = ''): {fromMs: number; toMs: number} {
  const [from = '', to = from] = value.split('..')
  const [fromMs, toMs] = [duration(from), duration(to)]
  if (fromMs <= toMs) return {fromMs, toMs}
  throw new InvalidFault(`expected the shorter duration first, got "${value}"`)
}

/** Zero would mean: without any pause. */
export function period(value = ''): number {
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

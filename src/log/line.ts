/**
 * One line of the log, for people or for machines. Neither ever holds a raw control character: what a plug or a broker
 * says must not steer a terminal, or pass for a line of its own.
 */
import type {Plain} from './fields.ts'

export type Entry = {time: string; level: string; message: string; [field: string]: Plain}

/** Everything that moves a cursor, switches colours or turns the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** `2026-11-22T19:34:16.123Z WARN  the message key=value`, and below it the stacks of its errors. */
export function textLine(entry: Entry): string {
  const {time, level, message, ...fields} = entry
  const stacks: string[] = []
  const said = Object.entries(fields).map(([key, value]) => `${printable(key)}=${fieldText(value, stacks)}`)
  const head = [time, level.toUpperCase().padEnd(5), printable(message), ...said].join(' ')
  return [head, ...stacks.flatMap(stackLines)].join('\n').concat('\n')
}

/** A line of JSON, with escapes also for the control characters that `JSON.stringify` leaves as they are. */
export function jsonLine(line: string): string {
  return line.trimEnd().replace(UNPRINTABLE, unicodeEscape).concat('\n')
}

/** The text with `\n`, `\x1b` and their like spelled out. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' ? '\\n' : unicodeEscape(character)))
}

function fieldText(value: Plain, stacks: string[]): string {
  if (isError(value)) return errorText(value, stacks)
  if (typeof value === 'string' && /^[^\s"=\\{[]+$/u.test(value)) return printable(value)
  return printable(JSON.stringify(value))
}

type ErrorFields = {[key: string]: Plain; name: string; message: string}

function isError(value: Plain): value is ErrorFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return typeof value['name'] === 'string' && typeof value['message'] === 'string'
}

function errorText(error: ErrorFields, stacks: string[]): string {
  const {name, message, stack, cause, code} = error
  if (typeof stack === 'string') stacks.push(stack)
  const coded = code === undefined ? name : `${name} (${code})`
  const because = cause !== undefined && isError(cause) ? `, because of ${errorText(cause, stacks)}` : ''
  return printable(JSON.stringify(`${coded}: ${message}`)) + because
}

/** Indented, so that no line of a stack can look like an entry of its own. */
function stackLines(stack: string): string[] {
  return stack.split('\n').map((line) => `    ${printable(line)}`)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * One line of the log, for people or for machines. Neither ever holds a raw control character: what a plug or a broker
 * says must not steer a terminal, or pass for a line of its own.
 */
import {type TerminalFeatures, wrapped} from '../common/terminal-text.ts'
import type {PlainValue} from './plain-fields.ts'

export type LogEntry = {time: string; level: string; message: string; [field: string]: PlainValue}

/** Everything that moves a cursor, switches colours or turns the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** `2026-11-22T19:34:16.123Z WARN  the message key=value`, and below it the stacks of its errors. */
export function textLine(entry: LogEntry): string {
  const {text, stacks} = textOf(entry)
  return [`${entry.time} ${shownLevel(entry)} ${text}`, ...stacks, ''].join('\n')
}

/**
 * `20:34:16 WARN  the message key=value`, and below it the stacks of its errors: the time of day is the local one. The message goes on
 * below itself where the screen is too narrow; a packet (`trace`) stays one line, to be copied.
 */
export function screenLine(entry: LogEntry, {columns, coloured}: TerminalFeatures): string {
  const {text, stacks} = textOf(entry)
  const level = shownLevel(entry)
  const head = `${timeOfDay(new Date(entry.time))} ${level} `
  const margin = ' '.repeat(head.length)
  const body =
    entry.level === 'trace' ? text : wrapped(margin + text, columns, head.length).slice(head.length)
  const colour = coloured ? COLOURS.get(entry.level) : undefined
  const shown = colour === undefined ? head : head.replace(level, `${colour}${level}${USUAL_COLOUR}`)
  return [shown + body, ...stacks, ''].join('\n')
}

/** `2026-11-22`, where the clock on the wall says so. */
export function localDay(time: Date): string {
  return [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join('-')
}

/** Yellow and red, as 16 colours have them: every theme of a terminal makes them readable. */
const COLOURS: ReadonlyMap<string, string> = new Map([
  ['warn', '\u001b[33m'],
  ['error', '\u001b[31m'],
])
const USUAL_COLOUR = '\u001b[39m'

function timeOfDay(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

function shownLevel({level}: LogEntry): string {
  return level.toUpperCase().padEnd(5)
}

/** The message with its fields, and the lines of the stacks in them. */
function textOf({time, level, message, ...fields}: LogEntry): {text: string; stacks: string[]} {
  const stacks: string[] = []
  const said = Object.entries(fields).map(
    ([key, value]) => `${escapeControlCharacters(key)}=${fieldText(value, stacks)}`,
  )
  return {text: [escapeControlCharacters(message), ...said].join(' '), stacks: stacks.flatMap(stackLines)}
}

/** A line of JSON, with escapes also for the control characters that `JSON.stringify` leaves as they are. */
export function jsonLine(line: string): string {
  return line.trimEnd().replace(UNPRINTABLE, unicodeEscape).concat('\n')
}

/** The text with `\n`, `\x1b` and their like spelled out. */
export function escapeControlCharacters(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' ? '\\n' : unicodeEscape(character)))
}

function fieldText(value: PlainValue, stacks: string[]): string {
  if (isError(value)) return errorText(value, stacks)
  if (typeof value === 'string' && /^[^\s"=\\{[]+$/u.test(value)) return escapeControlCharacters(value)
  return escapeControlCharacters(JSON.stringify(value))
}

type ErrorFields = {[key: string]: PlainValue; name: string; message: string}

function isError(value: PlainValue): value is ErrorFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return typeof value['name'] === 'string' && typeof value['message'] === 'string'
}

function errorText(error: ErrorFields, stacks: string[]): string {
  const {name, message, stack, cause, code} = error
  if (typeof stack === 'string') stacks.push(stack)
  const coded = code === undefined ? name : `${name} (${code})`
  const because = cause !== undefined && isError(cause) ? `, because of ${errorText(cause, stacks)}` : ''
  return escapeControlCharacters(JSON.stringify(`${coded}: ${message}`)) + because
}

/** Indented, so that no line of a stack can look like an entry of its own. */
function stackLines(stack: string): string[] {
  return stack.split('\n').map((line) => `    ${escapeControlCharacters(line)}`)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

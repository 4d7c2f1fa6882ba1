/**
 * Formats one line of the log as text or JSON. No line has a raw control character: texts from plugs and brokers must not control
 * a terminal, or look like a line of their own.
 */
import {type TerminalFeatures, wrapped} from '../common/terminal-text.ts'
import type {PlainValue} from './plain-fields.ts'

export type LogEntry = {time: string; level: string; message: string; [field: string]: PlainValue}

/** Characters that move the cursor, switch colours or change the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** `2026-11-22T19:34:16.123Z WARN  the message key=value`, with the stacks of its errors below. */
export function textLine(entry: LogEntry): string {
  const {text, stacks} = textOf(entry)
  return [`${entry.time} ${shownLevel(entry)} ${text}`, ...stacks, ''].join('\n')
}

/**
 * A line for a terminal: `20:34:16 WARN  the message key=value` in local time, with the stacks of its errors below. A long message
 * is wrapped and indented; a packet (`trace`) stays one line, so that it can be copied.
 */
export function screenLine(entry: LogEntry, {columns, coloured}: TerminalFeatures): string {
  const {text, stacks} = textOf(entry)
  const level = shownLevel(entry)
  const head = `${timeOfDay(new Date(entry.time))} ${level} `
  const margin = ' '.repeat(head.length)
  const body =
    entry.level === 'trace' ? text : wrapped(margin + text, columns, head.length).slice(head.length)
  const colour = coloured ? COLOURS.get(entry.level) : undefined
  const shown = colour === undefined ? head : head.replace(level, `${colour}${level}${DEFAULT_COLOUR}`)
  return [shown + body, ...stacks, ''].join('\n')
}

/** The local date: `2026-11-22`. */
export function localDay(time: Date): string {
  return [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join('-')
}

/** Yellow and red of the 16 basic colours, which are readable in every theme of a terminal. */
const COLOURS: ReadonlyMap<string, string> = new Map([
  ['warn', '\u001b[33m'],
  ['error', '\u001b[31m'],
])
const DEFAULT_COLOUR = '\u001b[39m'

function timeOfDay(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

function shownLevel({level}: LogEntry): string {
  return level.toUpperCase().padEnd(5)
}

/** The message with its fields, and the lines of the stacks of errors among them. */
function textOf({time, level, message, ...fields}: LogEntry): {text: string; stacks: string[]} {
  const stacks: string[] = []
  const parts = Object.entries(fields).map(
    ([key, value]) => `${escapeControlCharacters(key)}=${fieldText(value, stacks)}`,
  )
  return {text: [escapeControlCharacters(message), ...parts].join(' '), stacks: stacks.flatMap(stackLines)}
}

/** A line of JSON, with escapes also for the control characters that `JSON.stringify` does not escape. */
export function jsonLine(line: string): string {
  return line.trimEnd().replace(UNPRINTABLE, unicodeEscape).concat('\n')
}

/** Replaces control characters by escapes such as `\n` and `\u001b`. */
function escapeControlCharacters(text: string): string {
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

/** Indented, so that no line of a stack can look like a line of the log. */
function stackLines(stack: string): string[] {
  return stack.split('\n').map((line) => `    ${escapeControlCharacters(line)}`)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

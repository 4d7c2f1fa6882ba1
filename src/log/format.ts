/**
 * Formats lines of the log as text or JSON. Texts from plugs and brokers must neither control a terminal nor look like a line of their
 * own, so that no line has a raw control character. Fields of any type become plain JSON data, with every text in them scrubbed.
 */
import type {DestinationStream} from 'pino'
import {withSourcePlaces} from '../common/source-places.ts'
import {type TerminalFeatures, wrapped} from '../common/terminal-text.ts'
import {isObject, unicodeEscape} from '../common/text.ts'

export type PlainValue = string | number | boolean | null | PlainValue[] | {[key: string]: PlainValue}

type LogEntry = {time: string; level: string; message: string; [field: string]: PlainValue}

/** Characters that move the cursor, switch colours or change the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Yellow and red of the 16 basic colours, which are readable in every theme of a terminal. */
const COLOURS: ReadonlyMap<string, string> = new Map([
  ['warn', '\u001b[33m'],
  ['error', '\u001b[31m'],
])
const DEFAULT_COLOUR = '\u001b[39m'

/** Turns each JSON line of pino into the current format: JSON, text, or text for a terminal. */
export class LineFormatter implements DestinationStream {
  format: 'text' | 'json'
  readonly #output: DestinationStream
  readonly #screen: TerminalFeatures | undefined
  /** The local date of the last line on the terminal. */
  #day: string | undefined

  constructor(output: DestinationStream, format: 'text' | 'json', screen: TerminalFeatures | undefined) {
    this.#output = output
    this.format = format
    this.#screen = screen
  }

  write(line: string): void {
    this.#output.write(this.format === 'text' ? this.#text(JSON.parse(line)) : jsonLine(line))
  }

  #text(entry: LogEntry): string {
    if (!this.#screen) return textLine(entry)
    return this.#dateLine(entry) + screenLine(entry, this.#screen)
  }

  /** On a terminal lines have a time and no date: a line with the date comes between two days. */
  #dateLine({time}: LogEntry): string {
    const date = new Date(time)
    const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join('-')
    const isNew = this.#day !== undefined && this.#day !== day
    this.#day = day
    return isNew ? `${day}\n` : ''
  }
}

/** A line of JSON, with escapes also for the control characters that `JSON.stringify` does not escape. */
function jsonLine(line: string): string {
  return line.trimEnd().replace(UNPRINTABLE, unicodeEscape).concat('\n')
}

/** `2026-11-22T19:34:16.123Z WARN  the message key=value`, with the stacks of its errors below. */
function textLine(entry: LogEntry): string {
  const {text, stacks} = textOf(entry)
  return [`${entry.time} ${shownLevel(entry)} ${text}`, ...stacks, ''].join('\n')
}

/**
 * A line for a terminal: `20:34:16 WARN  the message key=value` in local time, with the stacks of its errors below. A long message
 * is wrapped and indented; a packet (`trace`) stays one line, so that it can be copied.
 */
function screenLine(entry: LogEntry, {columns, coloured}: TerminalFeatures): string {
  const {text, stacks} = textOf(entry)
  const time = new Date(entry.time)
  const level = shownLevel(entry)
  const timeOfDay = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')
  const head = `${timeOfDay} ${level} `
  const margin = ' '.repeat(head.length)
  const body =
    entry.level === 'trace' ? text : wrapped(margin + text, columns, head.length).slice(head.length)
  const colour = coloured ? COLOURS.get(entry.level) : undefined
  const shown = colour === undefined ? head : head.replace(level, `${colour}${level}${DEFAULT_COLOUR}`)
  return [shown + body, ...stacks, ''].join('\n')
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
  // Indented, so that no line of a stack can look like a line of the log.
  const lines = stacks
    .flatMap((stack) => stack.split('\n'))
    .map((line) => `    ${escapeControlCharacters(line)}`)
  return {text: [escapeControlCharacters(message), ...parts].join(' '), stacks: lines}
}

/** Replaces control characters by escapes such as `\n` and `\u001b`. */
function escapeControlCharacters(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' ? '\\n' : unicodeEscape(character)))
}

/** @param stacks the stacks of errors are added to these */
function fieldText(value: PlainValue, stacks: string[]): string {
  if (isError(value)) return errorText(value, stacks)
  if (typeof value === 'string' && /^[^\s"=\\{[]+$/u.test(value)) return escapeControlCharacters(value)
  return escapeControlCharacters(JSON.stringify(value))
}

type ErrorFields = {[key: string]: PlainValue; name: string; message: string}

function isError(value: PlainValue): value is ErrorFields {
  return isObject(value) && typeof value['name'] === 'string' && typeof value['message'] === 'string'
}

function errorText(error: ErrorFields, stacks: string[]): string {
  const {name, message, stack, cause, code} = error
  if (typeof stack === 'string') stacks.push(stack)
  const coded = code === undefined ? name : `${name} (${code})`
  const because = cause !== undefined && isError(cause) ? `, because of ${errorText(cause, stacks)}` : ''
  return escapeControlCharacters(JSON.stringify(`${coded}: ${message}`)) + because
}

interface PlainOptions {
  scrub: (text: string) => string
  /** Whether errors have their stack. */
  stack: boolean
}

/** Limits of nesting and of the members of a list, for a readable line. The depth also ends objects that contain themselves. */
const MAX_DEPTH = 6
const MAX_MEMBERS = 200

/** Any value as plain JSON data, every text and key in it scrubbed. `undefined` stays `undefined`. */
export function plainValue(value: unknown, options: PlainOptions, depth = 0): PlainValue | undefined {
  switch (typeof value) {
    case 'undefined':
      return undefined
    case 'string':
      return options.scrub(value)
    case 'boolean':
      return value
    case 'number':
    case 'bigint': {
      // A number whose digits are a password is masked like the text.
      const text = String(value)
      const shown = options.scrub(text)
      return typeof value === 'number' && Number.isFinite(value) && shown === text ? value : shown
    }
    case 'object':
      return value === null ? null : plainObject(value, options, depth)
    default:
      return `[${typeof value}]`
  }
}

function plainObject(value: object, options: PlainOptions, depth: number): PlainValue | undefined {
  if (depth > MAX_DEPTH) return '[…]'
  if (value instanceof Error) return plainEntries(errorEntries(value, options.stack), options, depth)
  if (value instanceof Uint8Array) return options.scrub(Buffer.from(value).toString('hex'))
  if (value instanceof Map) return plainEntries([...value], options, depth)
  if (Array.isArray(value) || value instanceof Set)
    return [...value].slice(0, MAX_MEMBERS).map((item) => plainValue(item, options, depth + 1) ?? null)
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return plainValue(value.toJSON(), options, depth + 1)
  return plainEntries(Object.entries(value), options, depth)
}

function plainEntries(entries: [unknown, unknown][], options: PlainOptions, depth: number): PlainValue {
  const shown: [string, PlainValue][] = []
  for (const [key, item] of entries.slice(0, MAX_MEMBERS)) {
    const plain = plainValue(item, options, depth + 1)
    if (plain !== undefined) shown.push([options.scrub(String(key)), plain])
  }
  return Object.fromEntries(shown)
}

/** Name, message, cause and stack (only if asked for), then the error's own fields (`code`, `stage`, …). */
function errorEntries(error: Error, withStack: boolean): [string, unknown][] {
  const {name, message, cause} = error
  const stack = withStack && error.stack !== undefined ? withSourcePlaces(error.stack) : undefined
  const own = Object.entries(error).filter(([key]) => !['name', 'message', 'stack', 'cause'].includes(key))
  return [...Object.entries({name, message, cause, stack}), ...own]
}

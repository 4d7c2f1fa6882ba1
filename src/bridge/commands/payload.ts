/** Parses the payloads of commands and requests: bare values, JSON objects, `transaction`. Every payload may be malformed or hostile. */
import {describeValue} from '../../common/schema-errors.ts'
import {excerpt} from '../../device/codec/values.ts'
import {CommandError} from '../../device/command-error.ts'
import type {ParsedTopic} from '../../mqtt/topics.ts'

/** Longer commands are a mistake or an attack (docs/topics.md, "Commands"). */
export const MAX_PAYLOAD_BYTES = 16 * 1024

/** Far deeper than any command, and shallow enough to be repeated in a result: `JSON.stringify` is recursive. */
const MAX_LEVELS = 32

/** A command: property values to set, or the property to read; `{get: null}` reads the whole state. */
export type Command = {set: Record<string, unknown>} | {get: string | null}

/** The part of a topic that commands have. */
export type CommandTopic = Extract<ParsedTopic, {kind: 'set' | 'get'}>

export interface ParsedPayload {
  values: Record<string, unknown>
  /** Chosen by the sender, and repeated in the result. */
  transaction?: unknown
}

/** A payload that is wrong, but whose transaction could be read, so that the sender can match the result. */
export class PayloadError extends CommandError {
  readonly transaction: unknown

  constructor(message: string, transaction: unknown) {
    super('invalid_payload', message)
    this.transaction = transaction
  }
}

/**
 * Parses a command: for `set` a bare word or number for one property, or a JSON object of several; for `get` nothing, or a JSON object
 * with at most a transaction.
 * @returns the command, and the transaction of its sender, which is repeated in the result
 * @throws CommandError `invalid_payload`
 */
export function parseCommand(
  {kind, property}: CommandTopic,
  payload: Buffer,
): {command: Command; transaction?: unknown} {
  const text = textOf(payload)
  const isObject = text.startsWith('{')
  if (kind === 'get')
    return {
      command: {get: property ?? null},
      transaction: isObject ? parseObject(text).transaction : undefined,
    }
  if (text === '') throw new CommandError('invalid_payload', 'expected a value such as ON, got nothing')
  if (!isObject) {
    // `"ON"` in quotes is what some flows send for ON.
    const value: unknown = /^".*"$/s.test(text) ? parseJson(text, '"ON"') : text
    return {command: {set: {[property ?? 'state']: value}}}
  }
  const {transaction, values} = parseObject(text)
  if (property !== undefined)
    throw new PayloadError(`expected a bare value for ${property}, got an object`, transaction)
  if (Object.keys(values).length === 0)
    throw new PayloadError('expected at least one property such as {"state":"ON"}, got none', transaction)
  return {command: {set: values}, transaction}
}

/**
 * A JSON object, or an empty payload for an empty object.
 * @param example a valid payload, to be shown in errors; `undefined` when the request takes none
 * @throws CommandError `invalid_payload`
 */
export function parseRequest(payload: Buffer, example?: string): ParsedPayload {
  const text = textOf(payload)
  if (text === '') return {values: {}}
  const expected = example === undefined ? 'a JSON object or nothing' : `a JSON object such as ${example}`
  const isJson = /^["{[\d-]|^(true|false|null)$/.test(text)
  if (!isJson) throw new CommandError('invalid_payload', `expected ${expected}, got ${describeValue(text)}`)
  return parseObject(text, expected, example)
}

function parseObject(text: string, expected = 'a JSON object', example = '{"state":"ON"}'): ParsedPayload {
  const value = parseJson(text, example)
  if (isDeeper(value, MAX_LEVELS))
    throw new CommandError('invalid_payload', `expected at most ${MAX_LEVELS} levels of brackets`)
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new CommandError('invalid_payload', `expected ${expected}, got ${describeValue(value)}`)
  // `__proto__` from JSON is an own member here, and stays one: a plain object is never assigned from it.
  const members = new Map(Object.entries(value))
  const transaction: unknown = members.get('transaction')
  members.delete('transaction')
  return {values: Object.fromEntries(members), transaction}
}

function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1))
}

function parseJson(text: string, example: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    throw new CommandError(
      'invalid_payload',
      `expected JSON, got ${excerpt(text)}: ${mistakeIn(text, message, example)}`,
    )
  }
}

/**
 * Describes the mistake in text that is no JSON. The message of the JavaScript engine is for programmers, and quotes what may be secret.
 */
function mistakeIn(text: string, message: string, example: string): string {
  const index = /at position (\d+)/.exec(message)?.[1]
  const position = index === undefined ? text.length : Number(index)
  const after = text.slice(position)
  const before = text.slice(0, position).trimEnd()
  if (after.startsWith("'")) return `JSON has double quotes, as in ${example}`
  if (/^[\]}]/.test(after) && before.endsWith(',')) return 'a comma before a closing bracket'
  if (/^[\p{L}_]/u.test(after) && /[{,]$/.test(before))
    return `the names of JSON are in double quotes, as in ${example}`
  if (after !== '') return `wrong from character ${position + 1} on`
  const isCut = index !== undefined || message.includes('end of JSON')
  return isCut ? 'it ends too early' : `a value is none of JSON; text is in double quotes, as in ${example}`
}

/** Without white space around it. @throws CommandError `invalid_payload` */
function textOf(payload: Buffer): string {
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new CommandError(
      'invalid_payload',
      `expected at most ${MAX_PAYLOAD_BYTES} bytes, got ${payload.length}`,
    )
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(payload).trim()
  } catch {
    throw new CommandError('invalid_payload', 'expected UTF-8 text, got other bytes')
  }
}

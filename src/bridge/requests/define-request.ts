/** Defines requests: the schema of the payload, the handler, and an example for error messages. Also the schemas that requests share. */
import * as z from 'zod'
import {describeValue, quoted} from '../../common/schema-errors.ts'
import {CommandError} from '../../device/command-error.ts'
import type {BridgeContext} from '../component.ts'
import type {BridgeActions, ConfigEdit, ConfigValue} from './bridge-actions.ts'
import {MAX_LISTED, parseValues} from './request-mistakes.ts'

/** What a request may use. */
export type RequestContext = Pick<BridgeContext, 'groups' | 'names' | 'clock'> & {
  actions: BridgeActions
}

export interface RequestHandler {
  /** A valid payload, as JSON; `undefined` when the request takes none. */
  example: string | undefined
  /** @returns the `data` of the response. Rejects with a CommandError */
  run(context: RequestContext, values: Record<string, unknown>): Promise<unknown>
}

/** A list that was cut short: the response has `truncated` then. */
export class TruncatedList {
  readonly items: readonly unknown[]

  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/**
 * A row of the tables of requests.
 * @param schema of the payload
 * @param example a valid payload, to show in errors
 */
export function defineRequest<S extends z.ZodObject>(
  schema: S,
  run: (context: RequestContext, values: z.output<S>) => unknown,
  example?: z.input<S>,
): RequestHandler {
  const shown = example && JSON.stringify(example)
  return {
    example: shown,
    run: async (context, values) => run(context, parseValues(schema, values, shown)),
  }
}

/** The error message of a schema. @param what describes the value, to follow "expected" */
export function expected(what: string) {
  return {error: ({input}: {input?: unknown}) => `expected ${what}, got ${describeValue(input)}`}
}

/** Text of one character or more. @param what describes it, to follow "expected" in an error */
export function nonEmptyText(what: string) {
  return z.string(expected(what)).min(1, expected(what))
}

/** A list with at least one text. @param what describes the list @param each describes an entry, in errors */
export function listOf(what: string, each: string) {
  const error = ({input}: {input?: unknown}) => {
    const advice = typeof input === 'string' && input !== '' ? `: write [${quoted(input)}]` : ''
    return `expected ${what}, got ${describeValue(input)}${advice}`
  }
  return z.array(nonEmptyText(each), {error}).min(1, {error})
}

/** A value for the configuration. */
export const configValue = json<ConfigValue>(
  'text, a number, true, false, a list or a mapping',
  (value) => value === null,
)
/** Any JSON value. */
export const anyJson = json<unknown>('a value of JSON', () => false)

/** @param isWrong which values are refused, beside numbers that are too large for JSON */
function json<T>(what: string, isWrong: (value: unknown) => boolean) {
  const isInfinite = (value: unknown) => typeof value === 'number' && !Number.isFinite(value)
  return z.custom<T>().superRefine((value, context) => {
    for (const {path, member} of membersOf(value))
      if (isWrong(member) || isInfinite(member))
        context.addIssue({code: 'custom', path, message: expected(what).error({input: member})})
  })
}

/** The value itself and every value in it, with its path. payload.ts bounds the depth. */
function membersOf(
  value: unknown,
  path: readonly (string | number)[] = [],
): {path: (string | number)[]; member: unknown}[] {
  const itself = {path: [...path], member: value}
  if (typeof value !== 'object' || value === null) return [itself]
  const inside = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [itself, ...inside.flatMap(([key, member]) => membersOf(member, [...path, key]))]
}

/**
 * Changes the configuration.
 * @param edits called when all earlier requests are done, so that it sees the configuration that it changes
 * @param data of the response
 * @returns `data`, with warnings about the configuration that the change has caused, when there are any
 * @throws CommandError `refused` with every problem of the changed configuration; the file is unchanged then. What `edits` throws
 */
export async function changeConfig<T extends object>(
  {actions}: RequestContext,
  data: T,
  edits: () => readonly ConfigEdit[],
): Promise<T & {warnings?: readonly string[]}> {
  let before: ReadonlySet<string> = new Set()
  const problems = await actions.edit(() => {
    before = new Set(actions.warnings())
    return edits()
  })
  if (problems !== undefined)
    throw new CommandError('refused', `the configuration stays as it is:\n${problems}`)
  const warnings = actions.warnings().filter((warning) => !before.has(warning))
  return warnings.length > 0 ? {...data, warnings: warnings.slice(0, MAX_LISTED)} : data
}

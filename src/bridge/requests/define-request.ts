/** The words in which the table of requests is written: what each takes, and what it does. */
import {z} from 'zod'
import type {Clock} from '../../common/clock.ts'
import {describeValue, parseWithMessages, quoted} from '../../common/schema-errors.ts'
import {closestWord, synonymTable} from '../../common/suggestion.ts'
import {CommandError} from '../../device/command-error.ts'
import type {Plug} from '../plug.ts'
import type {Groups} from '../status/group-states.ts'
import type {BridgeActions, ConfigEdit, ConfigValue} from './bridge-actions.ts'

/** What a request may use. */
export interface RequestContext {
  controls: BridgeActions
  plugs: ReadonlyMap<string, Plug>
  groups: Pick<Groups, 'all'>
  clock: Clock
  /** What a plug is called now that was renamed since the start; `undefined` for one that was not. Nothing unless told. */
  nameNow?: (name: string) => string | undefined
}

type Run<S extends z.ZodObject> = (context: RequestContext, values: z.output<S>) => unknown

export interface RequestHandler {
  /** A payload that it takes; `undefined` when it takes nothing. */
  example: string | undefined
  answer(context: RequestContext, values: Record<string, unknown>): Promise<unknown>
}

/** A refusal of which the log has more than its answer: it is no second warning. */
export class LoggedRefusal extends CommandError {}

/** A list that was cut short: its answer says so. */
export class TruncatedList {
  readonly items: readonly unknown[]

  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/** A row of the table of requests: what it takes, what it does, and a payload that it takes, to show in errors. */
export function defineRequest<S extends z.ZodObject>(
  schema: S,
  run: Run<S>,
  example?: z.input<S>,
): RequestHandler {
  const shown = example && JSON.stringify(example)
  return {
    example: shown,
    answer: async (context, values) => run(context, check(schema, values, shown)),
  }
}

/** Text of one character or more. @param what it is, to follow "expected" in an error */
export function nonEmptyText(what: string) {
  const error = ({input}: {input?: unknown}) => `expected ${what}, got ${describeValue(input)}`
  return z.string({error}).min(1, {error})
}

/** @param what each of them is */
export function listOf(what: string, each: string) {
  const error = ({input}: {input?: unknown}) => {
    const advice = typeof input === 'string' && input !== '' ? `: write [${quoted(input)}]` : ''
    return `expected ${what}, got ${describeValue(input)}${advice}`
  }
  return z.array(nonEmptyText(each), {error}).min(1, {error})
}

const SETTING = 'text, a number, true, false, a list or a mapping'

/** A setting as it is to stand in the configuration. */
export const configValue = json<ConfigValue>(SETTING, (value) => value === null)
/** Any value of JSON. */
export const anyJson = json<unknown>('a value of JSON', () => false)

/** @param isWrong which values are refused, beside numbers too large for JSON */
function json<T>(expected: string, isWrong: (value: unknown) => boolean) {
  const isInfinite = (value: unknown) => typeof value === 'number' && !Number.isFinite(value)
  return z.custom<T>().superRefine((value, context) => {
    for (const {path, member} of membersOf(value))
      if (isWrong(member) || isInfinite(member))
        context.addIssue({
          code: 'custom',
          path,
          message: `expected ${expected}, got ${describeValue(member)}`,
        })
  })
}

/** The value itself, and everything in it. Its depth is bounded (payload.ts). */
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
 * @param edits asked for in their turn, when earlier requests are done: what they see is what they change
 * @returns for the answer: what the configuration warns of since then, when there is anything
 * @throws CommandError with every problem the configuration would have: then the file is as it was. Whatever `edits` throws
 */
export async function edit(
  {controls}: RequestContext,
  edits: () => readonly ConfigEdit[],
): Promise<{warnings?: readonly string[]}> {
  let before: ReadonlySet<string> = new Set()
  const problems = await controls.edit(() => {
    before = new Set(controls.warnings?.())
    return edits()
  })
  if (problems !== undefined)
    throw new CommandError('refused', `the configuration stays as it is:\n${problems}`)
  const warnings = (controls.warnings?.() ?? []).filter((warning) => !before.has(warning))
  return warnings.length > 0 ? {warnings: warnings.slice(0, MOST_TOLD)} : {}
}

/** More problems or warnings than these are one mistake. */
const MOST_TOLD = 10

/** @throws CommandError naming each wrong key, what was expected there and what came */
function check<S extends z.ZodObject>(
  schema: S,
  values: Record<string, unknown>,
  example: string | undefined,
): z.output<S> {
  if (holdsProto(values))
    throw new CommandError('invalid_payload', 'expected keys that are known here, got "__proto__"')
  const parsed = parseWithMessages(schema, values)
  if (parsed.success) return parsed.data
  const problems = problemsIn(parsed.error.issues, Object.keys(schema.shape), values)
  const more = problems.length - MOST_TOLD
  throw new CommandError(
    'invalid_payload',
    [
      ...problems.slice(0, MOST_TOLD).map((words) => words()),
      ...(more > 0 ? [`and ${more} more problems`] : []),
      ...(example === undefined ? [] : [`for example ${example}`]),
    ].join('; '),
  )
}

/** Put into words only as far as they are told: it takes time to find what was meant. */
function problemsIn(
  issues: readonly z.core.$ZodIssue[],
  known: readonly string[],
  values: Record<string, unknown>,
): (() => string)[] {
  const missing = known.filter((key) => !Object.hasOwn(values, key))
  const wrong = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => () => unknownKey(key, missing, known))
      : [() => [shownPath(issue.path), issue.message].filter((part) => part !== '').join(': ')],
  )
  return [...wrong, ...misnamed(issues, known, values)]
}

/** Where any other key is taken, too, one that takes the place of a missing one was not meant. */
function misnamed(
  issues: readonly z.core.$ZodIssue[],
  known: readonly string[],
  values: Record<string, unknown>,
): (() => string)[] {
  if (issues.some(({code}) => code === 'unrecognized_keys')) return []
  const missing = issues.flatMap(({path: [key, ...rest]}) =>
    typeof key === 'string' && rest.length === 0 && !Object.hasOwn(values, key) ? [key] : [],
  )
  if (missing.length === 0) return []
  const others = Object.keys(values).filter((key) => !known.includes(key))
  return others
    .slice(0, MOST_TOLD)
    .filter((key) => closestWord(key, missing, ELSEWHERE) !== undefined)
    .map((key) => () => unknownKey(key, missing, known))
}

/** One plug in other programs' requests about a group. */
const ONE_MEMBER = ['device', 'plug', 'member']
/**
 * Keys, and what other programs and other requests call them: in small letters, without "_". A word of several is the first that the
 * request takes.
 */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  members: ['devices', 'plugs', 'names', ...ONE_MEMBER],
  add: ['added', 'members', 'devices', 'plugs', 'new', ...ONE_MEMBER],
  remove: ['removed', 'delete', 'drop', ...ONE_MEMBER],
  from: [
    'old',
    'oldname',
    'current',
    'source',
    'last',
    'name',
    'id',
    'friendlyname',
    'device',
    'plug',
    'did',
  ],
  to: ['new', 'newname', 'newid', 'target', 'into'],
  name: ['id', 'friendlyname', 'device', 'devicename', 'plug', 'group', 'groupname', 'ieeeaddress', 'did'],
  log_level: ['level', 'log', 'logging'],
  timeout: ['seconds', 'duration', 'time', 'wait'],
  options: ['settings', 'config', 'values', 'set'],
  method: ['command', 'cmd', 'call'],
  params: ['args', 'arguments', 'parameters', 'values'],
}
const ELSEWHERE = synonymTable(SYNONYMS)

/** @param missing those of `known` that were not given: one of them may have been meant */
function unknownKey(key: string, missing: readonly string[], known: readonly string[]): string {
  const shown = `unknown key ${JSON.stringify(shownKey(key))}`
  const meant = closestWord(key, missing, ELSEWHERE)
  const isEither = meant === 'add' && missing.includes('remove') && ONE_MEMBER.includes(key.toLowerCase())
  if (isEither) return `${shown}, did you mean "add" or "remove"?`
  if (meant !== undefined) return `${shown}, did you mean ${JSON.stringify(meant)}?`
  if (known.length === 0) return `${shown}: this request takes none`
  return `${shown}: expected ${known.length === 1 ? `${known[0]} alone` : `only ${known.join(', ')}`}`
}

const LONGEST_KEY = 40

function shownPath(path: readonly PropertyKey[]): string {
  return path.map((key) => shownKey(String(key))).join('.')
}

/** A token that slipped into the place of a key stays unseen. */
function shownKey(key: string): string {
  const shown = key.replace(/[0-9a-f]{16,}/gi, '***')
  return shown.length > LONGEST_KEY ? `${shown.slice(0, LONGEST_KEY - 1)}…` : shown
}

/** The schema would not see that key, and leave it out in silence. */
function holdsProto(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsProto)
}

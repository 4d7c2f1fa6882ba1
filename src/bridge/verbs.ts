/** The words in which the table of requests is written: what each takes, and what it does. */
import type {z} from 'zod'
import type {Clock} from '../clock.ts'
import {CommandError} from '../device/errors.ts'
import type {Controls, Edit} from './controls.ts'
import type {Groups} from './groups.ts'
import type {Plug} from './plug.ts'

/** What a request may use. */
export interface RequestContext {
  controls: Controls
  plugs: ReadonlyMap<string, Plug>
  groups: Pick<Groups, 'all'>
  clock: Clock
}

interface Verb<S extends z.ZodType> {
  schema: S
  run: (context: RequestContext, values: z.output<S>) => unknown
}

export interface Answering {
  answer(context: RequestContext, values: unknown): Promise<unknown>
}

/** A list that was cut short: its answer says so. */
export class CutShort {
  readonly items: readonly unknown[]

  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/** A row of the table of requests: what it takes, and what it does. */
export function verb<S extends z.ZodType>(schema: S, run: Verb<S>['run']): Answering {
  return {answer: async (context, values) => run(context, check(schema, values))}
}

/**
 * @param edits asked for in their turn, when earlier requests are done: what they see is what they change
 * @throws CommandError with every problem the configuration would have: then the file is as it was. Whatever `edits` throws
 */
export async function edit({controls}: RequestContext, edits: () => readonly Edit[]): Promise<void> {
  const problems = await controls.edit(edits)
  if (problems !== undefined)
    throw new CommandError('refused', `the configuration stays as it is:\n${problems}`)
}

/** @throws CommandError naming each wrong key, what was expected there and what came */
function check<S extends z.ZodType>(schema: S, values: unknown): z.output<S> {
  if (holdsProto(values))
    throw new CommandError('invalid_payload', 'expected keys that are known here, got "__proto__"')
  const parsed = schema.safeParse(values)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({path, message}) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  )
  throw new CommandError('invalid_payload', problems.join('; '))
}

/** The schema would not see that key, and leave it out in silence. */
function holdsProto(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsProto)
}

/** Values of options, read like those of the configuration. */
import type {z} from 'zod'
import {parseWithMessages} from '../common/schema-errors.ts'
import {UsageError} from './errors.ts'

/** The value of `option`. @throws UsageError that says what was expected and what came */
export function readOption<T>(option: string, kind: z.ZodType<T, string>, written: string): T {
  const parsed = parseWithMessages(kind, written)
  if (parsed.success) return parsed.data
  throw new UsageError(`${option}: ${parsed.error.issues[0]?.message}`)
}

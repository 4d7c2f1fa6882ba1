/** What a line says beside its message, made into plain data first: nothing is printed that was not scrubbed. */

export type PlainValue = string | number | boolean | null | PlainValue[] | {[key: string]: PlainValue}

export interface PlainOptions {
  scrub: (text: string) => string
  /** Whether errors come with their stack. */
  stack: boolean
}

/** What lies deeper, or beyond, helps nobody who reads a line. It also ends objects that contain themselves. */
const DEEPEST = 6
const LONGEST = 200

/** Any value as data that JSON can carry, every text and key in it scrubbed. `undefined` where there is nothing to say. */
export function plainFields(value: unknown, how: PlainOptions, depth = 0): PlainValue | undefined {
  switch (typeof value) {
    case 'undefined':
      return undefined
    case 'string':
      return how.scrub(value)
    case 'boolean':
      return value
    case 'number':
    case 'bigint':
      return plainNumber(value, how)
    case 'object':
      return value === null ? null : plainObject(value, how, depth)
    default:
      return `[${typeof value}]`
  }
}

/** A number whose digits are a password is hidden like the text. */
function plainNumber(value: number | bigint, {scrub}: PlainOptions): PlainValue {
  const text = String(value)
  const shown = scrub(text)
  return typeof value === 'number' && Number.isFinite(value) && shown === text ? value : shown
}

function plainObject(value: object, how: PlainOptions, depth: number): PlainValue | undefined {
  if (depth > DEEPEST) return '[…]'
  if (value instanceof Error) return plainError(value, how, depth)
  if (value instanceof Uint8Array) return how.scrub(Buffer.from(value).toString('hex'))
  if (value instanceof Map) return plainEntries([...value], how, depth)
  if (Array.isArray(value) || value instanceof Set)
    return [...value].slice(0, LONGEST).map((item) => plainFields(item, how, depth + 1) ?? null)
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return plainFields(value.toJSON(), how, depth + 1)
  return plainEntries(Object.entries(value), how, depth)
}

function plainEntries(entries: [unknown, unknown][], how: PlainOptions, depth: number): PlainValue {
  const shown: [string, PlainValue][] = []
  for (const [key, item] of entries.slice(0, LONGEST)) {
    const said = plainFields(item, how, depth + 1)
    if (said !== undefined) shown.push([how.scrub(String(key)), said])
  }
  return Object.fromEntries(shown)
}

/** An error's own fields (`code`, `stage`, …) follow its name and message; its stack only on request. */
function plainError(error: Error, how: PlainOptions, depth: number): PlainValue {
  const {name, message, stack, cause} = error
  const own = Object.entries(error).filter(([key]) => !['name', 'message', 'stack', 'cause'].includes(key))
  const said = {name, message, cause, stack: how.stack ? stack : undefined}
  return plainEntries([...Object.entries(said), ...own], how, depth)
}

/** Turns the fields of a log line into plain JSON data with every text scrubbed, so that no secret can be printed. */

export type PlainValue = string | number | boolean | null | PlainValue[] | {[key: string]: PlainValue}

interface PlainOptions {
  scrub: (text: string) => string
  /** Whether errors have their stack. */
  stack: boolean
}

/** Limits of nesting and of the members of a list, for a readable line. The depth also ends objects that contain themselves. */
const MAX_DEPTH = 6
const MAX_MEMBERS = 200

/** Any value as plain JSON data, every text and key in it scrubbed. `undefined` stays `undefined`. */
export function plainFields(value: unknown, options: PlainOptions, depth = 0): PlainValue | undefined {
  switch (typeof value) {
    case 'undefined':
      return undefined
    case 'string':
      return options.scrub(value)
    case 'boolean':
      return value
    case 'number':
    case 'bigint':
      return plainNumber(value, options)
    case 'object':
      return value === null ? null : plainObject(value, options, depth)
    default:
      return `[${typeof value}]`
  }
}

/** A number whose digits are a password is masked like the text. */
function plainNumber(value: number | bigint, {scrub}: PlainOptions): PlainValue {
  const text = String(value)
  const shown = scrub(text)
  return typeof value === 'number' && Number.isFinite(value) && shown === text ? value : shown
}

function plainObject(value: object, options: PlainOptions, depth: number): PlainValue | undefined {
  if (depth > MAX_DEPTH) return '[…]'
  if (value instanceof Error) return plainError(value, options, depth)
  if (value instanceof Uint8Array) return options.scrub(Buffer.from(value).toString('hex'))
  if (value instanceof Map) return plainEntries([...value], options, depth)
  if (Array.isArray(value) || value instanceof Set)
    return [...value].slice(0, MAX_MEMBERS).map((item) => plainFields(item, options, depth + 1) ?? null)
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return plainFields(value.toJSON(), options, depth + 1)
  return plainEntries(Object.entries(value), options, depth)
}

function plainEntries(entries: [unknown, unknown][], options: PlainOptions, depth: number): PlainValue {
  const shown: [string, PlainValue][] = []
  for (const [key, item] of entries.slice(0, MAX_MEMBERS)) {
    const plain = plainFields(item, options, depth + 1)
    if (plain !== undefined) shown.push([options.scrub(String(key)), plain])
  }
  return Object.fromEntries(shown)
}

/** Name, message, cause and stack (only if asked for) of an error, then its own fields (`code`, `stage`, …). */
function plainError(error: Error, options: PlainOptions, depth: number): PlainValue {
  const {name, message, stack, cause} = error
  const own = Object.entries(error).filter(([key]) => !['name', 'message', 'stack', 'cause'].includes(key))
  const standard = {name, message, cause, stack: options.stack ? stack : undefined}
  return plainEntries([...Object.entries(standard), ...own], options, depth)
}

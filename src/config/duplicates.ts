/** Finds settings that only one may have: ids, addresses, tokens, names. */

/** Each item whose key an earlier item has, together with the first that has it. Items without a key are left out. */
export function duplicatesBy<T>(
  items: Iterable<T>,
  keyOf: (item: T) => string | null | undefined,
): [first: T, later: T][] {
  const firsts = new Map<string, T>()
  const pairs: [T, T][] = []
  for (const item of items) {
    const key = keyOf(item)
    if (!key) continue
    const first = firsts.get(key)
    if (first === undefined) firsts.set(key, item)
    else pairs.push([first, item])
  }
  return pairs
}

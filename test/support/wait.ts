/** Longer than a busy machine takes for anything that does happen; what has not happened by then never will. */
export const PATIENCE_MS = 60_000

/**
 * Polls `condition` until it is truthy, and returns what it gave. A condition that throws is not met yet.
 * @param within milliseconds
 * @param what names the awaited thing in the error; a function is asked when it is too late
 * @throws Error that says what was awaited, and the last error of the condition
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  {within = PATIENCE_MS, what}: {within?: number; what: string | (() => string)},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + within
  let lastError: unknown
  do {
    try {
      const met = await condition()
      if (met) return met
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  } while (performance.now() < deadline)
  const awaited = typeof what === 'string' ? what : what()
  throw new Error(`not within ${within} ms: ${awaited}`, lastError === undefined ? {} : {cause: lastError})
}

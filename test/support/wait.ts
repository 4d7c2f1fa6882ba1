/** Longer than any expected event takes on a busy machine. */
export const PATIENCE_MS = 60_000

/**
 * Polls `condition` until it is truthy, and returns its value. A condition that throws is not met yet.
 * @param within milliseconds
 * @param what the expected event, for the error; a function is called only then
 * @throws Error with the expected event, and the last error of the condition
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

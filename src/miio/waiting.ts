import type {Clock} from '../clock.ts'

/**
 * What `promise` resolves to, or `undefined` when `until` (ms of `clock`) comes or one of `signals` is aborted first.
 * Leaves no timer behind. Nobody hears of it when `promise` rejects afterwards.
 */
export function within<T>(
  clock: Clock,
  until: number,
  promise: Promise<T>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      timer?.cancel()
      for (const signal of signals) signal?.removeEventListener('abort', giveUp)
      outcome()
    }
    const giveUp = () => settle(() => resolve(undefined))
    const timer = Number.isFinite(until) ? clock.after(until - clock.now(), giveUp) : undefined
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
    for (const signal of signals) signal?.addEventListener('abort', giveUp)
    if (signals.some((signal) => signal?.aborted)) giveUp()
  })
}

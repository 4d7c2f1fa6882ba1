/** What is known of a firmware is known of all its plugs, and over restarts. */
import {Tolerance} from './device/tolerance.ts'
import type {StateStore} from './state.ts'

/** One `Tolerance` for each model and firmware. That of a plug which has not told its firmware yet is its own, and forgotten. */
export function tolerancesIn(store: StateStore): (model: string, firmware: string | undefined) => Tolerance {
  const known = new Map<string, Tolerance>()
  return (model, firmware) => {
    if (firmware === undefined) return new Tolerance()
    const key = `${model} ${firmware}`
    const found = known.get(key)
    if (found) return found
    const tolerance = new Tolerance(store.tolerated(model, firmware), (tolerated) =>
      store.rememberTolerated(model, firmware, tolerated),
    )
    known.set(key, tolerance)
    return tolerance
  }
}

/** What is known of a firmware is known of all its plugs, and over restarts. */
import {FirmwareCapabilities} from '../device/polling/firmware-capabilities.ts'
import type {StateStore} from './state-store.ts'

/** A plug that tells another firmware each time it is asked must not fill the memory. */
const MOST = 1_000

/**
 * One `Tolerance` for each model and firmware. That of a plug which has not told its firmware yet is its own, and forgotten.
 * @param own models that the user describes: what was found out of an earlier edition of the file is not held against this one
 */
export function capabilitiesIn(
  store: StateStore,
  own: ReadonlySet<string> = new Set(),
): (model: string, firmware: string | undefined) => FirmwareCapabilities {
  const known = new Map<string, FirmwareCapabilities>()
  return (model, firmware) => {
    if (firmware === undefined) return new FirmwareCapabilities()
    const key = `${model} ${firmware}`
    const found = known.get(key)
    if (found) return found
    const tolerance = own.has(model) ? new FirmwareCapabilities() : remembered(model, firmware)
    if (known.size < MOST) known.set(key, tolerance)
    return tolerance
  }

  function remembered(model: string, firmware: string): FirmwareCapabilities {
    return new FirmwareCapabilities(store.tolerated(model, firmware), (tolerated) =>
      store.rememberTolerated(model, firmware, tolerated),
    )
  }
}

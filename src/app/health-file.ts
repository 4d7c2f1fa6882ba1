/** The health file: a heartbeat for container health checks, which then need neither an open port nor `curl` (healthcheck.ts reads it). */
import {writeFileAtomically} from '../common/atomic-write.ts'
import type {Clock} from '../common/clock.ts'

/**
 * The environment variable with the path of the health file. When it is not set, nothing is written.
 * Not called `MIIO2MQTT_…`: such variables are settings, and with `…_FILE` at the end, files that settings are read from.
 */
export const HEALTH_FILE_VARIABLE = 'HEALTH_FILE'

/** An older heartbeat means that the bridge is stuck: three times the usual 30 s. */
export const OLDEST_BEAT_MS = 90_000

/** Writes the heartbeat of this process. */
export class HealthFile {
  readonly #path: string | undefined
  readonly #clock: Clock
  #last: Promise<void> = Promise.resolve()

  constructor(path: string | undefined, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /**
   * Writes `{"ok":…,"at":…}`, completely or not at all. Writes never overlap. Never rejects: a heartbeat that cannot be written is a
   * missing one, which the health check reports.
   */
  beat(ok: boolean): Promise<void> {
    const path = this.#path
    if (path)
      this.#last = this.#last
        .then(() => {
          const content = `${JSON.stringify({ok, at: this.#clock.date().toISOString()})}\n`
          return writeFileAtomically(path, content, process.pid.toString(16))
        })
        .catch(() => {})
    return this.#last
  }
}

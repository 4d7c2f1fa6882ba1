import {writeFileAtomically} from '../common/atomic-write.ts'
import type {Clock} from '../common/clock.ts'

/**
 * Names the file in which the daemon says that it is alive. Unset: nobody asks, and nothing is written.
 * Not called `MIIO2MQTT_…`: such variables are settings, and `…_FILE` the file that a setting is read from.
 */
export const HEALTH_FILE_VARIABLE = 'HEALTH_FILE'

/** A beat older than this means a daemon that stands still: three beats of the usual 30 s. */
export const OLDEST_BEAT_MS = 90_000

/** The heartbeat for container health checks, which then need neither an open port nor `curl`. */
export class HealthFile {
  readonly #path: string | undefined
  readonly #clock: Clock
  #last: Promise<void> = Promise.resolve()

  constructor(path: string | undefined, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /**
   * Writes `{"ok":…,"at":…}`, whole or not at all. Beats never overlap. Never rejects: a beat that cannot be written
   * is a beat that is missed, and the check says so.
   */
  beat(ok: boolean): Promise<void> {
    const path = this.#path
    if (path) this.#last = this.#last.then(() => this.#write(path, ok)).catch(() => {})
    return this.#last
  }

  #write(path: string, ok: boolean): Promise<void> {
    const content = `${JSON.stringify({ok, at: this.#clock.date().toISOString()})}\n`
    return writeFileAtomically(path, content, process.pid.toString(16))
  }
}

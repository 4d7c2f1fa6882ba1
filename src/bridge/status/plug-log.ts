/** What the log says of each plug at `debug`: every change of its state and availability, and every poll that failed. */

import type {State} from '../../device/codec/values.ts'
import {toCommandError} from '../../device/command-error.ts'
import type {Availability} from '../../device/polling/availability.ts'
import type {Log} from '../../log/logger.ts'
import type {Plug} from '../plug.ts'

/** Another after every answer. */
const NO_NEWS = 'last_seen'

export class PlugLog {
  readonly #log: Log
  /** What was logged last, by plug: nothing is remembered of plugs while the level is higher. */
  readonly #before = new WeakMap<Plug, Readonly<State>>()

  constructor({log}: {log: Log}) {
    this.#log = log
  }

  follow(plug: Plug): void {
    const {name, device} = plug
    device.on('change', () => this.#say(name, () => this.#changed(plug)))
    device.on('availability', (availability) => this.#say(name, () => availabilityText(availability)))
    device.on('pollFailed', (error) => this.#say(name, () => failureText(error)))
  }

  /** @param words `undefined` for no line */
  #say(name: string, words: () => string | undefined): void {
    this.#log.debug(
      () => {
        const said = words()
        return said === undefined ? undefined : `${name}: ${said}`
      },
      {device: name},
    )
  }

  #changed(plug: Plug): string | undefined {
    const {state} = plug.device
    const before = this.#before.get(plug)
    this.#before.set(plug, {...state})
    const changes = Object.entries(state).flatMap(([name, value]) => {
      if (name === NO_NEWS || before?.[name] === value) return []
      return before ? [`${name} ${before[name] ?? null} → ${value}`] : [`${name} ${value}`]
    })
    return changes.length === 0 ? undefined : changes.join(', ')
  }
}

function availabilityText(availability: Availability): string {
  if (availability.state !== 'offline') return availability.state
  const {reason, message} = availability
  return message === undefined ? `offline (${reason})` : `offline (${reason}): ${message}`
}

function failureText(error: unknown): string {
  const {code, message} = toCommandError(error)
  return `a poll or command failed (${code}): ${message}`
}

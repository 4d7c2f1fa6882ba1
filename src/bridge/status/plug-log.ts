/** Logs every plug at `debug`: each change of its state and availability, and each poll that failed. */
import type {State} from '../../device/codec/values.ts'
import {toCommandError} from '../../device/command-error.ts'
import type {Availability} from '../../device/polling/availability.ts'
import type {Log} from '../../log/logger.ts'
import type {Component} from '../component.ts'
import type {Plug} from '../plug.ts'

/** Changes with every response of the plug, and is not logged. */
const LAST_SEEN = 'last_seen'

/** Logs changes of plugs at `debug`. */
export class PlugLog implements Component {
  readonly #log: Log
  /** The state that was logged last. Nothing is kept while the level is higher than `debug`. */
  readonly #logged = new WeakMap<Plug, Readonly<State>>()

  constructor({log}: {log: Log}) {
    this.#log = log
  }

  plugAdded(plug: Plug): void {
    const {name, device} = plug
    device.on('change', () => this.#debug(name, () => this.#changeText(plug)))
    device.on('availability', (availability) => this.#debug(name, () => availabilityText(availability)))
    device.on('pollFailed', (error) => this.#debug(name, () => failureText(error)))
  }

  /** @param text called only when the line is logged; `undefined` for no line */
  #debug(name: string, text: () => string | undefined): void {
    this.#log.debug(
      () => {
        const line = text()
        return line === undefined ? undefined : `${name}: ${line}`
      },
      {device: name},
    )
  }

  #changeText(plug: Plug): string | undefined {
    const {state} = plug.device
    const before = this.#logged.get(plug)
    this.#logged.set(plug, {...state})
    const changes = Object.entries(state).flatMap(([name, value]) => {
      if (name === LAST_SEEN || before?.[name] === value) return []
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

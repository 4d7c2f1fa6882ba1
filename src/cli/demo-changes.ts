/** What changes at the plugs of the demo, as its broker sees it: a line for each change, with its cause. Pure. */
import type {Model, Property} from '../models/model.ts'
import type {PublishedMessage} from './demo-broker.ts'

export type ChangeCause = 'MQTT command' | 'button on the plug' | 'poll'

/** Watts move all the time: a reading is worth a line when it is this share away from the one in the last line. */
const NOTABLE = 0.1
const WIDTH = {property: 11, change: 18}

type Values = Readonly<Record<string, unknown>>

/** A command that has no result yet. */
interface Command {
  verb: string
  hasChanged: boolean
}

/** What is known of a plug of the demo. */
interface Watched {
  model: Model
  /** As in the last line about each property; empty before the first state. */
  shown: Map<string, unknown>
  /** In the order in which they came: results come in the same order. */
  commands: Command[]
  isPressed: boolean
}

export interface DemoChangesOptions {
  baseTopic: string
  /** By name. */
  plugs: ReadonlyMap<string, Model>
  /** The time of day. */
  date: () => Date
  say: (line: string) => void
}

export class DemoChanges {
  readonly #options: DemoChangesOptions
  readonly #plugs: ReadonlyMap<string, Watched>
  readonly #width: number

  constructor(options: DemoChangesOptions) {
    this.#options = options
    const watched = (model: Model): Watched => ({model, shown: new Map(), commands: [], isPressed: false})
    this.#plugs = new Map(Array.from(options.plugs, ([name, model]) => [name, watched(model)]))
    this.#width = Math.max(...[...options.plugs.keys()].map(({length}) => length))
  }

  /** Somebody pressed the button on the plug: the next change of its relay comes from there. Pressed twice, nothing changes. */
  pressed(name: string): void {
    const plug = this.#plugs.get(name)
    if (plug) plug.isPressed = !plug.isPressed
  }

  /** Takes every message on the broker, in the order in which they came. */
  published({topic, payload, retain}: PublishedMessage): void {
    for (const [name, plug] of this.#plugs) {
      const own = `${this.#options.baseTopic}/${name}`
      const rest = topic.startsWith(own) ? topic.slice(own.length) : undefined
      const [, verb] = /^\/(set|get)(?:\/|$)/.exec(rest ?? '') ?? []
      if (rest === '') this.#told(name, plug, valuesIn(payload))
      else if (rest === '/response') this.#answered(name, plug, valuesIn(payload))
      // The bridge carries out no retained command.
      else if (verb !== undefined && !retain) plug.commands.push({verb, hasChanged: false})
    }
  }

  #told(name: string, plug: Watched, state: Values): void {
    const {model, shown, commands} = plug
    for (const [property, value] of Object.entries(state)) {
      const described = model.properties[property]
      if (!described || isOfTheBridge(described) || value === null) continue
      const before = shown.get(property)
      if (before !== undefined && !isNotable(before, value)) continue
      shown.set(property, value)
      if (before === undefined) continue
      this.#say(name, property, change(before, value, described), causeOf(property, plug))
      for (const command of commands) command.hasChanged = true
    }
  }

  /** A command that changed nothing is worth a line, too: whoever sent it looks for one. */
  #answered(name: string, {commands, shown}: Watched, {status, data}: Values): void {
    const {verb, hasChanged} = commands.shift() ?? {}
    if (verb !== 'set' || hasChanged || status !== 'ok' || typeof data !== 'object') return
    for (const [property, value] of Object.entries(data ?? {}))
      if (shown.get(property) === value) this.#say(name, property, `${value}, as before`, 'MQTT command')
  }

  #say(name: string, property: string, what: string, cause: ChangeCause): void {
    const {say, date} = this.#options
    const time = date().toTimeString().slice(0, 8)
    say(
      [
        time,
        name.padEnd(this.#width),
        property.padEnd(WIDTH.property),
        what.padEnd(WIDTH.change),
        cause,
      ].join('  '),
    )
  }
}

function causeOf(property: string, plug: Watched): ChangeCause {
  if (plug.commands.some(({verb}) => verb === 'set')) return 'MQTT command'
  if (property !== 'state' || !plug.isPressed) return 'poll'
  plug.isPressed = false
  return 'button on the plug'
}

/** Added up or noted by the bridge, and so another after every poll. */
function isOfTheBridge({address}: Property): boolean {
  return address.via === 'bridge' || address.via === 'info'
}

function isNotable(before: unknown, value: unknown): boolean {
  if (typeof before !== 'number' || typeof value !== 'number') return before !== value
  return Math.abs(value - before) > NOTABLE * Math.abs(before)
}

function change(before: unknown, value: unknown, property: Property): string {
  const unit = 'unit' in property && property.unit ? ` ${property.unit}` : ''
  return `${before} → ${value}${unit}`
}

/** The members of a JSON object; none for anything else, which is not ours. */
function valuesIn(payload: string): Values {
  try {
    const parsed: unknown = JSON.parse(payload)
    return typeof parsed === 'object' && parsed !== null ? {...parsed} : {}
  } catch {
    return {}
  }
}

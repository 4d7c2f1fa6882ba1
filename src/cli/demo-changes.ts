/** Changes of the demo's plugs, read from the messages on its broker: one line for each change, with its cause. Pure. */
import type {Model} from '../models/model.ts'

/** A message that a client published. */
export interface PublishedMessage {
  topic: string
  payload: string
  retain: boolean
}

type ChangeCause = 'MQTT command' | 'button on the plug' | 'poll'

/** Watts change all the time. A number is printed when it differs by more than this share from the last printed one. */
const NOTABLE_SHARE = 0.1
const WIDTH = {property: 11, change: 18}

type Values = Readonly<Record<string, unknown>>

/** A command without a result yet. */
interface PendingCommand {
  verb: string
  hasChanged: boolean
}

interface DemoPlug {
  model: Model
  /** The last printed value of each property; empty before the first state. */
  shown: Map<string, unknown>
  /** In the order of their arrival, which is also that of their results. */
  commands: PendingCommand[]
  isPressed: boolean
}

interface DemoChangesOptions {
  baseTopic: string
  /** By name. */
  plugs: ReadonlyMap<string, Model>
  /** The time of day. */
  date: () => Date
  print: (line: string) => void
}

/** Turns the messages of the demo broker into one line for each change of a plug. */
export class DemoChanges {
  readonly #options: DemoChangesOptions
  readonly #plugs: ReadonlyMap<string, DemoPlug>
  /** Of the longest name. */
  readonly #width: number

  constructor(options: DemoChangesOptions) {
    this.#options = options
    const demoPlug = (model: Model): DemoPlug => ({model, shown: new Map(), commands: [], isPressed: false})
    this.#plugs = new Map(Array.from(options.plugs, ([name, model]) => [name, demoPlug(model)]))
    this.#width = Math.max(...[...options.plugs.keys()].map(({length}) => length))
  }

  /** The button on the plug was pressed: it is the cause of the next change of the relay. Pressed twice, the relay is as before. */
  pressed(name: string): void {
    const plug = this.#plugs.get(name)
    if (plug) plug.isPressed = !plug.isPressed
  }

  /** Takes every message on the broker, in the order of publishing. */
  published({topic, payload, retain}: PublishedMessage): void {
    for (const [name, plug] of this.#plugs) {
      const plugTopic = `${this.#options.baseTopic}/${name}`
      const rest = topic.startsWith(plugTopic) ? topic.slice(plugTopic.length) : undefined
      const [, verb] = /^\/(set|get)(?:\/|$)/.exec(rest ?? '') ?? []
      if (rest === '') this.#onState(name, plug, parseValues(payload))
      else if (rest === '/response') this.#onResult(name, plug, parseValues(payload))
      // The bridge executes no retained command.
      else if (verb !== undefined && !retain) plug.commands.push({verb, hasChanged: false})
    }
  }

  #onState(name: string, plug: DemoPlug, state: Values): void {
    const {model, shown, commands} = plug
    for (const [property, value] of Object.entries(state)) {
      const definition = model.properties[property]
      if (!definition || value === null) continue
      // A value that the bridge computes or records is another one after every poll.
      if (definition.address.via === 'bridge' || definition.address.via === 'info') continue
      const before = shown.get(property)
      if (before !== undefined && !isNotable(before, value)) continue
      shown.set(property, value)
      if (before === undefined) continue
      const unit = 'unit' in definition && definition.unit ? ` ${definition.unit}` : ''
      this.#print(name, property, `${before} → ${value}${unit}`, causeOf(property, plug))
      for (const command of commands) command.hasChanged = true
    }
  }

  /** A command that changed nothing gets a line, too: its sender looks for one. */
  #onResult(name: string, {commands, shown}: DemoPlug, {status, data}: Values): void {
    const {verb, hasChanged} = commands.shift() ?? {}
    if (verb !== 'set' || hasChanged || status !== 'ok' || typeof data !== 'object') return
    for (const [property, value] of Object.entries(data ?? {}))
      if (shown.get(property) === value) this.#print(name, property, `${value}, as before`, 'MQTT command')
  }

  #print(name: string, property: string, change: string, cause: ChangeCause): void {
    const {print, date} = this.#options
    const cells = [
      date().toTimeString().slice(0, 8),
      name.padEnd(this.#width),
      property.padEnd(WIDTH.property),
      change.padEnd(WIDTH.change),
      cause,
    ]
    print(cells.join('  '))
  }
}

function causeOf(property: string, plug: DemoPlug): ChangeCause {
  if (plug.commands.some(({verb}) => verb === 'set')) return 'MQTT command'
  if (property !== 'state' || !plug.isPressed) return 'poll'
  plug.isPressed = false
  return 'button on the plug'
}

function isNotable(before: unknown, value: unknown): boolean {
  if (typeof before !== 'number' || typeof value !== 'number') return before !== value
  return Math.abs(value - before) > NOTABLE_SHARE * Math.abs(before)
}

/** The members of a JSON object; none for any other payload, which is not of the bridge. */
function parseValues(payload: string): Values {
  try {
    const parsed: unknown = JSON.parse(payload)
    return typeof parsed === 'object' && parsed !== null ? {...parsed} : {}
  } catch {
    return {}
  }
}

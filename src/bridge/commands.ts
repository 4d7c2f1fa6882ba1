/** `B/N/set` and `B/N/get` to the plug, and exactly one result back for every command (contract §4). */
import type {Clock} from '../clock.ts'
import {CommandError, toCommandError} from '../device/errors.ts'
import type {Log} from '../log.ts'
import type {Value} from '../models/model.ts'
import type {Incoming} from '../mqtt/connection.ts'
import type {CommandTopic, Topics} from '../mqtt/topics.ts'
import {parseGet, parseSet} from './payload.ts'
import type {Plug} from './plug.ts'
import {answer, type Publisher} from './publisher.ts'
import type {States} from './states.ts'

export interface CommandOptions {
  plugs: ReadonlyMap<string, Plug>
  states: States
  publisher: Publisher
  topics: Topics
  clock: Clock
  log: Log
}

/** What a result tells of its command, filled in as far as the command could be understood. */
interface Told {
  request: Record<string, unknown>
  transaction?: unknown
  data?: Record<string, Value>
}

type PlugCommand = Extract<CommandTopic, {kind: 'set' | 'get'}>

export class Commands {
  readonly #options: CommandOptions
  readonly #warned = new Set<string>()

  constructor(options: CommandOptions) {
    this.#options = options
  }

  /** Carries a command out and answers it. Never rejects. */
  async handle(command: PlugCommand, incoming: Incoming): Promise<void> {
    const plug = this.#options.plugs.get(command.name)
    if (!plug) {
      const known = [...this.#options.plugs.keys()].slice(0, 10).join(', ')
      return this.#warnOnce(incoming.topic, `no plug is called ${command.name}: known are ${known}`)
    }
    const {clock} = this.#options
    const received = clock.now()
    const deadline = received + Math.min(plug.commandTimeout, incoming.expiresIn ?? plug.commandTimeout)
    const told: Told = {request: {}}
    const failure = await this.#carryOut(plug, command, incoming, deadline, told).then(
      () => undefined,
      toCommandError,
    )
    if (failure?.code === 'internal')
      this.#options.log.error('a command failed for a reason nobody foresaw', {error: failure})
    this.#answer(plug, incoming, told, failure, Math.round(clock.now() - received))
  }

  async #carryOut(
    plug: Plug,
    command: PlugCommand,
    incoming: Incoming,
    deadline: number,
    told: Told,
  ): Promise<void> {
    if (plug.disabled) throw new CommandError('disabled', `${plug.name} is disabled in the configuration`)
    if (command.kind === 'get') await this.#get(plug, command.property, incoming, deadline, told)
    else await this.#set(plug, command.property, incoming, deadline, told)
  }

  async #set(
    plug: Plug,
    property: string | undefined,
    incoming: Incoming,
    deadline: number,
    told: Told,
  ): Promise<void> {
    const {values, transaction} = parseSet(incoming.payload, property)
    Object.assign(told, {request: {set: values}, transaction})
    await plug.device.ready({deadline})
    // All or nothing as far as that can be known beforehand: a typo in one property switches none.
    for (const [name, value] of Object.entries(values)) plug.device.check(name, value)
    const done: Record<string, Value> = {}
    told.data = done
    const settled = await Promise.allSettled(
      Object.entries(values).map(async ([name, value]) => {
        done[name] = await plug.device.set(name, value, deadline)
      }),
    )
    const failed = settled.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  async #get(
    plug: Plug,
    property: string | undefined,
    incoming: Incoming,
    deadline: number,
    told: Told,
  ): Promise<void> {
    const {transaction} = parseGet(incoming.payload)
    Object.assign(told, {request: {get: property ?? null}, transaction})
    await plug.device.ready({deadline})
    if (property !== undefined && !Object.hasOwn(plug.device.state, property))
      throw new CommandError(
        'unknown_property',
        `expected one of ${Object.keys(plug.device.state).join(', ')}, got ${property}`,
      )
    const state = await plug.device.read(deadline, property)
    told.data = property === undefined ? {...state} : {[property]: state[property] ?? null}
    this.#options.states.publishState(plug)
  }

  #answer(
    plug: Plug,
    incoming: Incoming,
    told: Told,
    failure: CommandError | undefined,
    elapsed: number,
  ): void {
    const {publisher, topics} = this.#options
    const result = {
      status: failure ? 'error' : 'ok',
      request: told.request,
      ...(told.data && (!failure || Object.keys(told.data).length > 0) ? {data: told.data} : {}),
      ...(failure ? {error: errorOf(failure)} : {}),
      ...(told.transaction === undefined ? {} : {transaction: told.transaction}),
      elapsed_ms: elapsed,
    }
    publisher.publish(answer(incoming, topics.response(plug.name), result))
  }

  #warnOnce(topic: string, text: string): void {
    if (this.#warned.has(topic) || this.#warned.size > 1000) return
    this.#warned.add(topic)
    this.#options.log.warn(text, {topic})
  }
}

function errorOf({code, message, deviceCode}: CommandError) {
  return {code, message, ...(deviceCode === undefined ? {} : {device_code: deviceCode})}
}

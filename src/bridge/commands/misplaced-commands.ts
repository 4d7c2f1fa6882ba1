/**
 * Warns of messages that look like commands and are not carried out: retained commands, commands to a name that does not exist, and
 * commands on a topic where other software would take them (docs/topics.md, "Commands").
 */
import type {WarningLimiter} from '../../common/warning-limiter.ts'
import type {IncomingMessage} from '../../mqtt/connection.ts'
import type {ParsedTopic} from '../../mqtt/topics.ts'
import type {BridgeContext, Component} from '../component.ts'
import type {CommandTopic} from './payload.ts'

/** With more plugs and groups than these, the broker would send back too many of their states. */
const MAX_WATCHED = 500

/** Drops every retained message that no earlier part of the bridge has handled. */
export class RetainedCommands implements Component {
  readonly #warnings: WarningLimiter

  constructor({messageWarnings}: BridgeContext) {
    this.#warnings = messageWarnings.retained
  }

  /** The broker delivers a retained command at every connect. There is one warning for it, until a client clears it. */
  handle({topic, payload, retained}: IncomingMessage, parsed: ParsedTopic | undefined): boolean {
    if (!retained) return false
    if (!parsed) return true
    if (payload.length === 0) this.#warnings.forget(topic)
    else
      this.#warnings.warn(
        topic,
        (shown) =>
          `ignored a retained message on ${shown}: a retained command would be repeated at every start`,
      )
    return true
  }
}

/** Handles what no other part of the bridge took: commands to unknown names, and on wrong topics. */
export class MisplacedCommands implements Component {
  readonly #context: BridgeContext

  constructor(context: BridgeContext) {
    this.#context = context
  }

  /** The topics on which commands are published by mistake. */
  subscriptions(): readonly string[] {
    const {topics, plugs, groups} = this.#context
    const names = [...plugs.keys(), ...groups.keys()]
    return names.length <= MAX_WATCHED ? topics.mistakenCommands(names) : []
  }

  handle(message: IncomingMessage, topic: ParsedTopic | undefined): boolean {
    const {stopping, messageWarnings} = this.#context
    if (stopping.aborted) return true
    if (topic?.kind === 'set' || topic?.kind === 'get')
      messageWarnings.misplaced.warn(message.topic, (shown) => this.#unknownTarget(topic, shown))
    else this.#warnOfWrongTopic(message)
    return true
  }

  /** On the state topic of a plug, only a bare word is taken for a command: JSON may be a state that a client has published. */
  #warnOfWrongTopic({topic, payload}: IncomingMessage): void {
    const {topics, names, messageWarnings} = this.#context
    const isTaken = (name: string) => names.isTaken(name)
    const name = topics.intendedName(topic, isTaken)
    if (name === undefined || payload.length === 0) return
    if (topic === topics.state(name) && !isBareWord(payload)) return
    messageWarnings.misplaced.warn(topic, (shown) => {
      if (name === 'bridge') return wrongTopic(shown, 'the bridge', topics.request('<verb>'))
      return isTaken(name)
        ? this.#wrongTopicOf(shown, name, 'set', topic.slice(topics.state(name).length + 1))
        : names.unknownName(name)
    })
  }

  /** The message for a command to a name that does not exist: `desk/led/set` may stand for `desk/set/led`. */
  #unknownTarget({kind, name}: CommandTopic, topic: string): string {
    const {topics, names} = this.#context
    const owner = topics.ownerOf(name, (each) => names.isTaken(each))
    if (owner === undefined) return names.unknownName(name)
    return this.#wrongTopicOf(topic, owner, kind, name.slice(owner.length + 1))
  }

  /** @param property may be a property of the plug: then the command has a topic of its own */
  #wrongTopicOf(topic: string, name: string, kind: 'set' | 'get', property: string): string {
    const {topics, plugs} = this.#context
    const isProperty = Object.hasOwn(plugs.get(name)?.device.state ?? {}, property)
    return wrongTopic(topic, name, `${topics.state(name)}/${kind}${isProperty ? `/${property}` : ''}`)
  }
}

function wrongTopic(topic: string, target: string, rightTopic: string): string {
  return `no command can be given on ${topic}: send commands for ${target} to ${rightTopic}`
}

/** Such as `ON`, `on`, `"toggle"`, `1`: what clients send to switch something. */
function isBareWord(payload: Buffer): boolean {
  return payload.length <= 40 && /^\s*"?[\w.-]+"?\s*$/.test(payload.toString())
}

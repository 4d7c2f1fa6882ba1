/** On which topics something of ours is to lie, as things are now: what lies elsewhere is left over (retained-cleanup.ts). */
import type {Topics} from '../../mqtt/topics.ts'
import {bridgeId, deviceId, discoveryTopic} from '../homeassistant/discovery-message.ts'
import {isAnnounced} from '../homeassistant/plug-discovery.ts'
import type {Plug} from '../plug.ts'
import type {Groups} from '../status/group-states.ts'
import type {PlugStates} from '../status/plug-states.ts'

export interface ExpectedTopicsOptions {
  topics: Topics
  /** Where Home Assistant is told of plugs; empty when it is not. */
  prefix: string
  plugs: ReadonlyMap<string, Plug>
  states: Pick<PlugStates, 'topicsOf'>
  groups: Pick<Groups, 'topics'>
}

export class ExpectedTopics {
  readonly #options: ExpectedTopicsOptions

  constructor(options: ExpectedTopicsOptions) {
    this.#options = options
  }

  topics(): Set<string> {
    const {topics, prefix, plugs, groups} = this.#options
    return new Set([
      ...topics.keptOfBridge,
      ...(prefix === '' ? [] : [discoveryTopic(prefix, bridgeId(topics.base))]),
      ...[...plugs.values()].flatMap((plug) => this.#topicsOf(plug)),
      ...groups.topics,
    ])
  }

  /** What the topics begin with of plugs that did not tell their model yet: nobody knows which values they have. */
  undecided(): string[] {
    const {topics, plugs} = this.#options
    return [...plugs.values()].flatMap(({name, device}) => (device.model ? [] : [`${topics.state(name)}/`]))
  }

  /** Whether it is not known yet which device of Home Assistant the plug with this state topic is. */
  isUnknown(stateTopic: string): boolean {
    const {topics, plugs} = this.#options
    const start = topics.state('')
    const plug = stateTopic.startsWith(start) ? plugs.get(stateTopic.slice(start.length)) : undefined
    return plug !== undefined && isAnnounced(plug) && plug.did === undefined
  }

  /** Home Assistant is not told of a plug that is disabled, and forgets one that was. */
  #topicsOf(plug: Plug): string[] {
    const {prefix, states} = this.#options
    const {did} = plug
    const isTold = did !== undefined && isAnnounced(plug) && prefix !== ''
    return [...states.topicsOf(plug), ...(isTold ? [discoveryTopic(prefix, deviceId(did))] : [])]
  }
}

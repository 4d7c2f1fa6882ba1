/** examples/node-red-flow.json, as far as the tests need it. */
import {readFileSync} from 'node:fs'

export interface FlowNode {
  id: string
  type: string
  /** The id of its flow; configuration nodes have none. */
  z?: string
  name?: string
  /** By output, the ids of the nodes connected to it. */
  wires?: readonly (readonly string[])[]
  topic?: string
  func?: string
  info?: string
  [setting: string]: unknown
}

export const FLOW_FILE = 'examples/node-red-flow.json'

export const flow: readonly FlowNode[] = JSON.parse(readFileSync(FLOW_FILE, 'utf8'))

/** The topics of its MQTT nodes, each once. */
export const topicsOfFlow: readonly string[] = [
  ...new Set(flow.flatMap(({type, topic}) => (type.startsWith('mqtt ') && topic ? [topic] : []))),
]

/** @throws Error when no node has the name, or several have it */
export function nodeNamed(name: string): FlowNode {
  const [node, ...others] = flow.filter((each) => each.name === name)
  if (node && others.length === 0) return node
  throw new Error(`expected one node called ${name} in ${FLOW_FILE}, got ${others.length + (node ? 1 : 0)}`)
}

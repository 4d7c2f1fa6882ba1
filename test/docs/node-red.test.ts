/** Checks examples/node-red-flow.json and docs/node-red.md without Node-RED. test/e2e/node-red.test.ts runs the flow in Node-RED. */
import {runInNewContext} from 'node:vm'
import {describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {assertTopic, Topics} from '../../src/mqtt/topics.ts'
import {FLOW_FILE, type FlowNode, flow, nodeNamed, topicsOfFlow} from '../support/node-red-flow.ts'
import {code, documentAt, firstColumn} from './markdown.ts'

/** The core nodes of Node-RED that the flow uses. */
const CORE = [
  'comment',
  'debug',
  'function',
  'inject',
  'mqtt in',
  'mqtt out',
  'mqtt-broker',
  'switch',
  'tab',
  'trigger',
]
const BASE = 'miio2mqtt'

const topics = new Topics(BASE)
const page = documentAt('docs/node-red.md')
const ofType = (type: string) => flow.filter((node) => node.type === type)
const topicsOf = (type: string) => new Set(ofType(type).map(({topic}) => topic))

describe(FLOW_FILE, () => {
  it('has only nodes that come with Node-RED', () => {
    expect([...new Set(flow.map(({type}) => type))].sort()).toEqual(CORE)
  })

  it('has ids of its own, and wires only to these', () => {
    const ids = new Set(flow.map(({id}) => id))
    expect(ids.size).toBe(flow.length)
    expect(flow.flatMap(({wires = []}) => wires.flat()).filter((id) => !ids.has(id))).toEqual([])
    expect(flow.filter(({z}) => z !== undefined && !ids.has(z))).toEqual([])
    expect(flow.filter(({broker, type}) => type.startsWith('mqtt ') && !ids.has(String(broker)))).toEqual([])
  })

  it('has no node without an input or an output wire', () => {
    const reached = new Set(flow.flatMap(({wires = []}) => wires.flat()))
    const begins = ['comment', 'inject', 'mqtt in']
    const ends = ['comment', 'debug', 'mqtt out']
    const onTab = flow.filter(({z}) => z !== undefined)
    expect(onTab.filter(({type, id}) => !begins.includes(type) && !reached.has(id))).toEqual([])
    expect(onTab.filter(({type, wires = []}) => !ends.includes(type) && wires.flat().length === 0)).toEqual(
      [],
    )
  })

  it('connects to a broker on the same machine, without a login', () => {
    expect(ofType('mqtt-broker')).toMatchObject([{broker: 'localhost', port: 1883, usetls: false}])
    expect(JSON.stringify(flow)).not.toMatch(/credentials|password|"user"/)
  })

  it('subscribes only to topics of the bridge', () => {
    const published = [
      topics.state('desk'),
      topics.availability('desk'),
      topics.response('desk'),
      topics.bridge('state'),
    ]
    expect([...topicsOf('mqtt in')].sort()).toEqual(published.sort())
  })

  it('publishes one command, not retained, and otherwise outside the topics of the bridge', () => {
    const [command, ...others] = ofType('mqtt out').filter(({topic}) => topic?.startsWith(`${BASE}/`))
    expect(others).toEqual([])
    expect(topics.parse(command?.topic ?? '')).toEqual({kind: 'set', name: 'desk'})
    expect(command?.['retain']).toBe('false')
    for (const topic of topicsOfFlow) assertTopic(topic)
    expect(topicsOfFlow.filter((topic) => !/^(?:miio2mqtt|home\/desk)\//.test(topic))).toEqual([])
  })

  it('has a unique name for every node, and a comment for each part', () => {
    const names = flow.filter(({type}) => type !== 'tab').map(({name}) => name)
    expect(names.filter((name = '') => name.length < 4)).toEqual([])
    expect(new Set(names).size).toBe(names.length)
    const parts = ofType('comment')
    expect(parts.map(({name}) => name?.slice(0, 3))).toEqual(['1 ·', '2 ·', '3 ·', '4 ·'])
    expect(parts.filter(({info = ''}) => info.length < 50)).toEqual([])
  })

  it('waits longer for a result than a command is valid', () => {
    const {poll} = parseConfig('devices: {}', {file: 'config.yaml', env: {}, readFile: () => ''})
    const wait = nodeNamed('wait 12 s for its result')
    expect(wait).toMatchObject({units: 's', bytopic: 'topic', topic: 'transaction'})
    expect(Number(wait['duration']) * 1000).toBeGreaterThan(poll.command_timeout)
  })

  it('makes a point of the chart every minute', () => {
    expect(nodeNamed('every minute')).toMatchObject({repeat: '60', topic: 'minute'})
  })
})

describe('the mean power of a minute', () => {
  const online = {state: 'online'}

  it('counts each value for as long as it was true', () => {
    const chart = meanPower()
    chart.receive(0, 'miio2mqtt/bridge/state', online)
    chart.receive(0, 'miio2mqtt/desk/availability', online)
    chart.receive(0, 'miio2mqtt/desk', {power: 100})
    chart.receive(45, 'miio2mqtt/desk', {power: 2000})
    expect(chart.receive(60, 'minute')).toEqual({time: '1970-01-01T00:01:00.000Z', power: 575})
    expect(chart.receive(120, 'minute')).toEqual({time: '1970-01-01T00:02:00.000Z', power: 2000})
  })

  it.each([
    ['the plug is offline', 'miio2mqtt/desk/availability', {state: 'offline', reason: 'timeout'}],
    ['the bridge is offline', 'miio2mqtt/bridge/state', {state: 'offline'}],
    ['the plug does not report it', 'miio2mqtt/desk', {power: null}],
  ])('leaves out the time while %s', (_, topic, payload) => {
    const chart = meanPower()
    chart.receive(0, 'miio2mqtt/bridge/state', online)
    chart.receive(0, 'miio2mqtt/desk/availability', online)
    chart.receive(0, 'miio2mqtt/desk', {power: 41.73})
    chart.receive(20, topic, payload)
    expect(chart.receive(60, 'minute')).toMatchObject({power: 41.7})
    expect(chart.receive(120, 'minute')).toBeUndefined()
  })

  it('has no point before the first message', () => {
    expect(meanPower().receive(60, 'minute')).toBeUndefined()
  })
})

describe('docs/node-red.md', () => {
  const bold = new Set(Array.from(page.prose.matchAll(/\*\*([^*\n]+)\*\*/g), ([, name = '']) => name))

  it('lists every topic of the flow', () => {
    expect(firstColumn(page, '| it listens to |').map(code).sort()).toEqual([...topicsOf('mqtt in')].sort())
    expect(firstColumn(page, '| it publishes |').map(code).sort()).toEqual([...topicsOf('mqtt out')].sort())
  })

  it('lists every node by name, and describes all but the debug nodes', () => {
    for (const name of bold) expect(nodeNamed(name).name).toBe(name)
    const unsaid = ['comment', 'debug', 'tab']
    const others = flow.filter(({type, name = ''}) => !unsaid.includes(type) && !bold.has(name))
    expect(others.map(({name}) => name)).toEqual(['power of the plug'])
  })

  it('shows functions as they are in the flow', () => {
    const shown = page.blocks.filter(({language}) => language === 'js').map(({text}) => text.trim())
    expect(shown.length).toBeGreaterThan(2)
    const real = ofType('function').map(({func}) => func)
    expect(shown.filter((text) => !real.includes(text))).toEqual([])
  })

  it('has a section for every part', () => {
    const parts = Array.from(page.prose.matchAll(/^Part (\d)\./gm), ([, part]) => part)
    expect(parts).toEqual(ofType('comment').map(({name}) => name?.[0]))
  })
})

/** Runs the function node of the mean power at given times in seconds. `receive` passes a message and returns the point, if there is one. */
function meanPower() {
  const {func = ''}: FlowNode = nodeNamed('mean power of the minute')
  const kept = new Map<string, unknown>()
  const context = {
    get: (key: string) => kept.get(key),
    set: (key: string, value: unknown) => kept.set(key, value),
  }
  return {
    receive: (seconds: number, topic: string, payload?: unknown): unknown => {
      class At extends Date {
        static override now = () => seconds * 1000
      }
      const sent = runInNewContext(`(() => {${func}\n})()`, {msg: {topic, payload}, context, Date: At})
      return sent === null ? undefined : {...sent.payload}
    },
  }
}

import {beforeEach, describe, expect, it} from 'vitest'
import {DemoChanges} from '../../../src/cli/demo-changes.ts'
import {builtIn} from '../../../src/models/catalogue.ts'

const model = (id: string) => builtIn.find(id) ?? expect.fail(`no model ${id}`)

let lines: string[]
let changes: DemoChanges

const publish = (topic: string, payload: unknown, retain = false) =>
  changes.published({
    topic: `miio2mqtt/${topic}`,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    retain,
  })
const publishState = (name: string, state: Record<string, unknown>) => publish(name, state, true)
const publishResult = (name: string, data: Record<string, unknown>) =>
  publish(`${name}/response`, {status: 'ok', data})

beforeEach(() => {
  lines = []
  changes = new DemoChanges({
    baseTopic: 'miio2mqtt',
    plugs: new Map([
      ['desk', model('chuangmi.plug.v3')],
      ['kitchen/kettle', model('chuangmi.plug.m1')],
    ]),
    date: () => new Date(2026, 10, 27, 23, 5, 9),
    print: (line) => lines.push(line),
  })
  publishState('desk', {
    state: 'OFF',
    usb: 'OFF',
    temperature: 24,
    led: 'OFF',
    power: 0,
    energy: 0,
    rssi: null,
  })
  publishState('kitchen/kettle', {state: 'OFF', temperature: 24, led: 'OFF'})
})

describe('the changes that the demo prints', () => {
  it('have no line for the first state of each plug', () => {
    expect(lines).toEqual([])
  })

  it('have a line with time, plug, property, old and new value and cause for a command', () => {
    publish('desk/set', 'ON')
    publishState('desk', {state: 'ON', usb: 'OFF'})
    publishResult('desk', {state: 'ON'})
    expect(lines).toEqual(['23:05:09  desk            state        OFF → ON            MQTT command'])
  })

  it('have a line for each property of a command', () => {
    publish('desk/set', {usb: 'ON', led: 'ON'})
    publishState('desk', {usb: 'ON', led: 'OFF'})
    publishState('desk', {usb: 'ON', led: 'ON'})
    publishResult('desk', {usb: 'ON', led: 'ON'})
    expect(lines).toEqual([
      expect.stringMatching(/ desk +usb +OFF → ON +MQTT command$/),
      expect.stringMatching(/ desk +led +OFF → ON +MQTT command$/),
    ])
  })

  it('include a plug with a slash in its name, and commands for one property', () => {
    publish('kitchen/kettle/set/state', 'TOGGLE')
    publishState('kitchen/kettle', {state: 'ON'})
    expect(lines).toEqual([expect.stringMatching(/ kitchen\/kettle +state +OFF → ON +MQTT command$/)])
  })

  it('have a line for a command that changed nothing', () => {
    publish('desk/set', 'OFF')
    publishResult('desk', {state: 'OFF'})
    expect(lines).toEqual([expect.stringMatching(/ desk +state +OFF, as before +MQTT command$/)])
  })

  it('distinguish the button on the plug from a poll', () => {
    changes.pressed('desk')
    publishState('desk', {state: 'ON', power: 41.72})
    publishState('desk', {state: 'OFF', power: 0})
    expect(lines).toEqual([
      expect.stringMatching(/ desk +state +OFF → ON +button on the plug$/),
      expect.stringMatching(/ desk +power +0 → 41\.72 W +poll$/),
      expect.stringMatching(/ desk +state +ON → OFF +poll$/),
      expect.stringMatching(/ desk +power +41\.72 → 0 W +poll$/),
    ])
  })

  it('ignore a button that was pressed twice between two polls', () => {
    changes.pressed('desk')
    changes.pressed('desk')
    publishState('desk', {state: 'ON'})
    expect(lines).toEqual([expect.stringMatching(/ poll$/)])
  })

  it('have the cause poll after the result of a command', () => {
    publish('desk/set', 'ON')
    publishState('desk', {state: 'ON'})
    publishResult('desk', {state: 'ON'})
    publishState('desk', {state: 'ON', power: 7.5})
    expect(lines.slice(1)).toEqual([expect.stringMatching(/ power +0 → 7\.5 W +poll$/)])
  })

  it('never have a retained command or a get as their cause, since these switch nothing', () => {
    publish('desk/set', 'ON', true)
    publish('desk/get', '')
    publishState('desk', {state: 'ON'})
    publishResult('desk', {state: 'ON'})
    expect(lines).toEqual([expect.stringMatching(/ state +OFF → ON +poll$/)])
  })

  it('leave out small changes of watts, and the values that the bridge adds up', () => {
    publishState('desk', {power: 100, energy: 0.001})
    for (let step = 1; step <= 9; step++)
      publishState('desk', {power: 100 + step, energy: 0.001 * step, last_seen: step})
    expect(lines).toHaveLength(1)
    publishState('desk', {power: 111})
    expect(lines).toHaveLength(2)
  })

  it('have lines of at most 80 characters', () => {
    publishState('desk', {power: 1234.56})
    changes.pressed('kitchen/kettle')
    publishState('kitchen/kettle', {state: 'ON', temperature: 30})
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('ignore the messages of other clients', () => {
    publish('desk', 'no JSON')
    publish('desk/response', 'null')
    publish('lamp', {state: 'ON'})
    publish('desktop', {state: 'ON'})
    publish('desktop/set', 'ON')
    publishState('desk', {state: null, unheard_of: 5})
    expect(lines).toEqual([])
  })
})

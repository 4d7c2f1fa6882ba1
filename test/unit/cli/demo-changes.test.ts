import {beforeEach, describe, expect, it} from 'vitest'
import {DemoChanges} from '../../../src/cli/demo-changes.ts'
import {builtIn} from '../../../src/models/catalogue.ts'

const model = (id: string) => builtIn.find(id) ?? expect.fail(`no model ${id}`)

let said: string[]
let changes: DemoChanges

const publish = (topic: string, payload: unknown, retain = false) =>
  changes.published({
    topic: `miio2mqtt/${topic}`,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    retain,
  })
const tells = (name: string, state: Record<string, unknown>) => publish(name, state, true)
const answers = (name: string, data: Record<string, unknown>) =>
  publish(`${name}/response`, {status: 'ok', data})

beforeEach(() => {
  said = []
  changes = new DemoChanges({
    baseTopic: 'miio2mqtt',
    plugs: new Map([
      ['desk', model('chuangmi.plug.v3')],
      ['kitchen/kettle', model('chuangmi.plug.m1')],
    ]),
    date: () => new Date(2026, 10, 27, 23, 5, 9),
    say: (line) => said.push(line),
  })
  tells('desk', {state: 'OFF', usb: 'OFF', temperature: 24, led: 'OFF', power: 0, energy: 0, rssi: null})
  tells('kitchen/kettle', {state: 'OFF', temperature: 24, led: 'OFF'})
})

describe('the window of the demo', () => {
  it('says nothing of the first state of each plug', () => {
    expect(said).toEqual([])
  })

  it('has a line with time, plug, property, old and new value and cause for a command', () => {
    publish('desk/set', 'ON')
    tells('desk', {state: 'ON', usb: 'OFF'})
    answers('desk', {state: 'ON'})
    expect(said).toEqual(['23:05:09  desk            state        OFF → ON            MQTT command'])
  })

  it('has a line for each property of a command', () => {
    publish('desk/set', {usb: 'ON', led: 'ON'})
    tells('desk', {usb: 'ON', led: 'OFF'})
    tells('desk', {usb: 'ON', led: 'ON'})
    answers('desk', {usb: 'ON', led: 'ON'})
    expect(said).toEqual([
      expect.stringMatching(/ desk +usb +OFF → ON +MQTT command$/),
      expect.stringMatching(/ desk +led +OFF → ON +MQTT command$/),
    ])
  })

  it('knows a plug with a slash in its name, and commands for one property', () => {
    publish('kitchen/kettle/set/state', 'TOGGLE')
    tells('kitchen/kettle', {state: 'ON'})
    expect(said).toEqual([expect.stringMatching(/ kitchen\/kettle +state +OFF → ON +MQTT command$/)])
  })

  it('says also that a command changed nothing', () => {
    publish('desk/set', 'OFF')
    answers('desk', {state: 'OFF'})
    expect(said).toEqual([expect.stringMatching(/ desk +state +OFF, as before +MQTT command$/)])
  })

  it('tells the button on the plug from a poll', () => {
    changes.pressed('desk')
    tells('desk', {state: 'ON', power: 41.72})
    tells('desk', {state: 'OFF', power: 0})
    expect(said).toEqual([
      expect.stringMatching(/ desk +state +OFF → ON +button on the plug$/),
      expect.stringMatching(/ desk +power +0 → 41\.72 W +poll$/),
      expect.stringMatching(/ desk +state +ON → OFF +poll$/),
      expect.stringMatching(/ desk +power +41\.72 → 0 W +poll$/),
    ])
  })

  it('takes a button that was pressed twice between two polls for one that was not', () => {
    changes.pressed('desk')
    changes.pressed('desk')
    tells('desk', {state: 'ON'})
    expect(said).toEqual([expect.stringMatching(/ poll$/)])
  })

  it('calls what comes after the result of a command a poll', () => {
    publish('desk/set', 'ON')
    tells('desk', {state: 'ON'})
    answers('desk', {state: 'ON'})
    tells('desk', {state: 'ON', power: 7.5})
    expect(said.slice(1)).toEqual([expect.stringMatching(/ power +0 → 7\.5 W +poll$/)])
  })

  it('takes no retained command and no question for a cause, since nothing is carried out for them', () => {
    publish('desk/set', 'ON', true)
    publish('desk/get', '')
    tells('desk', {state: 'ON'})
    answers('desk', {state: 'ON'})
    expect(said).toEqual([expect.stringMatching(/ state +OFF → ON +poll$/)])
  })

  it('is not flooded by watts that wander, nor by what the bridge adds up', () => {
    tells('desk', {power: 100, energy: 0.001})
    for (let step = 1; step <= 9; step++)
      tells('desk', {power: 100 + step, energy: 0.001 * step, last_seen: step})
    expect(said).toHaveLength(1)
    tells('desk', {power: 111})
    expect(said).toHaveLength(2)
  })

  it('has lines of at most 80 characters', () => {
    tells('desk', {power: 1234.56})
    changes.pressed('kitchen/kettle')
    tells('kitchen/kettle', {state: 'ON', temperature: 30})
    expect(said).toHaveLength(3)
    for (const line of said) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('takes no notice of what others publish', () => {
    publish('desk', 'no JSON')
    publish('desk/response', 'null')
    publish('lamp', {state: 'ON'})
    publish('desktop', {state: 'ON'})
    publish('desktop/set', 'ON')
    tells('desk', {state: null, unheard_of: 5})
    expect(said).toEqual([])
  })
})

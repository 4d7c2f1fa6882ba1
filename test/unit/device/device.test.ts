import {beforeEach, describe, expect, it} from 'vitest'
import {sleep} from '../../../src/common/clock.ts'
import {Device} from '../../../src/device/device.ts'
import {MOST_WAITING} from '../../../src/device/request-queue.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import type {PollTier} from '../../../src/models/model.ts'
import {CallFailed, ScriptedPlug} from '../../support/scripted-plug.ts'
import {settle, VirtualClock} from '../../support/virtual-clock.ts'

let clock: VirtualClock
let plug: ScriptedPlug
let device: Device
let changes: Record<string, unknown>[]
let warnings: string[]

const inTenSeconds = () => clock.now() + 10_000
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error) => error.code,
  )

function start(model: string | undefined, values?: Record<string, unknown>) {
  clock = new VirtualClock()
  plug = new ScriptedPlug(clock, values)
  device = new Device({
    name: 'desk',
    transport: plug,
    clock,
    findModel: (id) => builtIn.find(id),
    identity: model === undefined ? {} : {model},
  })
  changes = []
  warnings = []
  device.listener = {
    stateChanged: () => changes.push({...device.state}),
    warning: (text) => warnings.push(text),
  }
}

beforeEach(() => start('chuangmi.plug.m1'))

async function polled(tier: PollTier = 'rare') {
  const poll = device.poll(tier)
  await clock.advance(1000)
  await poll
  changes.length = 0
  plug.calls.length = 0
}

describe('a command', () => {
  it('becomes visible after the plug answered ok, and not before', async () => {
    await polled()
    const done = device.set('state', 'on', inTenSeconds())
    await settle()
    expect(device.state['state']).toBe('OFF')
    await clock.advance(20)
    expect(await done).toBe('ON')
    expect(changes).toMatchObject([{state: 'ON', temperature: 32, led: 'ON'}])
  })

  it('is read back within two seconds', async () => {
    await polled()
    void device.set('state', 'ON', inTenSeconds())
    await clock.advance(2000)
    expect(plug.calls.map(({method}) => method)).toEqual(['set_power', 'get_prop'])
    expect(warnings).toEqual([])
  })

  it('that the plug accepted and did not execute is corrected and warned about', async () => {
    await polled()
    plug.deaf = true
    void device.set('state', 'ON', inTenSeconds())
    await clock.advance(2000)
    expect(changes.map(({state}) => state)).toEqual(['ON', 'OFF'])
    expect(warnings).toEqual(['the plug confirmed state ON, but now reports state OFF'])
  })

  it('is never undone by a poll that was sent before it', async () => {
    await polled()
    const poll = device.poll('rare')
    await clock.advance(10)
    void device.set('state', 'ON', inTenSeconds())
    await clock.advance(2000)
    await poll.catch(() => {})
    expect(changes.map(({state}) => state)).toEqual(['ON'])
  })

  it('goes before the next request of a poll under way', async () => {
    start('chuangmi.plug.v3', {on: 'off', usb_on: false, temperature: 30, wifi_led: 'on', watts: 300})
    await polled()
    const poll = device.poll('fast')
    await clock.advance(10)
    void device.set('state', 'ON', inTenSeconds())
    await clock.advance(1000)
    await poll
    const methods = plug.calls.map(({method}) => method)
    expect(methods).toEqual(['get_prop', 'set_power', 'get_prop', 'get_power'])
    expect(changes[0]).toMatchObject({state: 'ON', power: 3})
    expect(changes.map(({state}) => state)).not.toContain('OFF')
  })

  it('does not wait for all the tries of a poll without a response', async () => {
    await polled()
    plug.failure = new CallFailed('timeout')
    const poll = code(device.poll('fast'))
    await clock.advance(500)
    plug.failure = undefined
    const done = code(device.set('state', 'ON', inTenSeconds()))
    await clock.advance(2500)
    expect(await done).toBe('ok')
    expect(await poll).not.toBe('timeout')
  })

  it('replaces an older one for the same property that still waits', async () => {
    const results = ['ON', 'OFF', 'ON', 'OFF', 'ON'].map((value) =>
      code(device.set('state', value, inTenSeconds())),
    )
    await clock.advance(200)
    expect(await Promise.all(results)).toEqual(['ok', 'superseded', 'superseded', 'superseded', 'ok'])
    expect(plug.commands).toEqual(['set_power on', 'set_power on'])
  })

  it('leaves those for other properties alone', async () => {
    void device.set('state', 'ON', inTenSeconds())
    const led = code(device.set('led', 'OFF', inTenSeconds()))
    const state = code(device.set('state', 'OFF', inTenSeconds()))
    await clock.advance(200)
    expect(await Promise.all([led, state])).toEqual(['ok', 'ok'])
    expect(plug.commands).toEqual(['set_power on', 'set_wifi_led off', 'set_power off'])
  })

  it('whose turn does not come in time expires, and is never sent', async () => {
    plug.failure = new CallFailed('timeout')
    void code(device.set('led', 'ON', clock.now() + 20_000))
    const late = code(device.set('state', 'ON', clock.now() + 3000))
    await clock.advance(3001)
    expect(await late).toBe('expired')
    plug.failure = undefined
    await clock.advance(60_000)
    expect(plug.commands).not.toContain('set_power on')
  })

  it('whose turn comes when no time is left to send it has expired, too', async () => {
    plug.call = async (method, params, options = {}) => {
      const {deadline = 0} = options
      plug.calls.push({method, params, at: clock.now(), options})
      await sleep(clock, deadline - 10 - clock.now()) // the wire gives up when another try makes no sense
      throw new CallFailed('timeout')
    }
    const both = ['state', 'led'].map((name) => code(device.set(name, 'ON', clock.now() + 3000)))
    await clock.advance(5000)
    expect(await Promise.all(both)).toEqual(['timeout', 'expired'])
    expect(plug.commands).toEqual(['set_power on'])
  })

  it('is rejected when too many wait', async () => {
    const results = Array.from({length: MOST_WAITING + 3}, () =>
      code(device.set('state', 'TOGGLE', inTenSeconds())),
    )
    await settle()
    await clock.advance(5000)
    const codes = await Promise.all(results)
    expect(codes.filter((result) => result === 'queue_full')).toHaveLength(2)
    expect(codes.filter((result) => result === 'ok')).toHaveLength(MOST_WAITING + 1)
  })

  it('for a property that the plug does not have, or for a wrong value, is refused without a request to the plug', async () => {
    expect(await code(device.set('usb', 'ON', inTenSeconds()))).toBe('unknown_property')
    expect(await code(device.set('__proto__', 'ON', inTenSeconds()))).toBe('unknown_property')
    expect(await code(device.set('temperature', 20, inTenSeconds()))).toBe('not_writable')
    expect(await code(device.set('state', 42, inTenSeconds()))).toBe('invalid_payload')
    expect(plug.calls).toEqual([])
  })

  it.each([
    ['on', 'ON'],
    [' Off ', 'OFF'],
    [true, 'ON'],
    [0, 'OFF'],
    ['1', 'ON'],
    ['FALSE', 'OFF'],
  ])('takes %j for %s', async (sent, value) => {
    const done = device.set('state', sent, inTenSeconds())
    await clock.advance(100)
    expect(await done).toBe(value)
  })
})

describe('polls in which nothing fails', () => {
  it.each(['fast', 'slow', 'rare'] as const)(
    'of the tier %s send the same requests again, made once',
    async (tier) => {
      for (let poll = 0; poll < 2; poll++) await polled('rare') // learns its firmware, and what that answers
      const sent: unknown[][] = []
      for (let poll = 0; poll < 2; poll++) {
        plug.calls.length = 0
        const again = device.poll(tier)
        await clock.advance(1000)
        await again
        sent.push(plug.calls.map(({params}) => params))
      }
      expect(sent[0]?.length).toBeGreaterThan(0)
      expect(sent[1]?.every((params, request) => params === sent[0]?.[request])).toBe(true)
    },
  )
})

describe('TOGGLE', () => {
  it('is the opposite of what the plug reports now, not of what was known', async () => {
    await polled()
    plug.values['power'] = 'on' // the button was pressed
    const done = device.set('state', 'toggle', inTenSeconds())
    await clock.advance(100)
    expect(await done).toBe('OFF')
    expect(plug.commands).toEqual(['set_power off'])
  })

  it('waits behind what was commanded before, and twice is back again', async () => {
    const results = ['ON', 'TOGGLE', 'TOGGLE'].map((value) =>
      code(device.set('state', value, inTenSeconds())),
    )
    await clock.advance(500)
    expect(await Promise.all(results)).toEqual(['ok', 'ok', 'ok'])
    expect(plug.commands).toEqual(['set_power on', 'set_power off', 'set_power on'])
  })

  it('is superseded by a plain value', async () => {
    const results = ['ON', 'TOGGLE', 'TOGGLE', 'OFF'].map((value) =>
      code(device.set('state', value, inTenSeconds())),
    )
    await clock.advance(500)
    expect(await Promise.all(results)).toEqual(['ok', 'superseded', 'superseded', 'ok'])
  })

  it('is refused when the plug does not report whether it is on', async () => {
    plug.values['power'] = 'standby'
    const done = code(device.set('state', 'TOGGLE', inTenSeconds()))
    await clock.advance(100)
    expect(await done).toBe('refused')
    expect(plug.commands).toEqual([])
  })
})

describe('reading', () => {
  it('sends one request at a time, whatever is wanted at once', async () => {
    const all = [
      device.poll('rare'),
      device.read(inTenSeconds()),
      ...['state', 'led'].map((name) => device.set(name, 'ON', inTenSeconds())),
    ]
    await clock.advance(5000)
    await Promise.allSettled(all)
    expect(plug.mostInFlight).toBe(1)
  })

  it('emits nothing when nothing changed', async () => {
    await polled()
    await polled('fast')
    const poll = device.poll('rare')
    await clock.advance(100)
    await poll
    expect(changes).toEqual([])
  })

  it('asks slow properties only when they are due, and an LED always alone', async () => {
    await polled()
    void device.poll('fast')
    await clock.advance(100)
    expect(plug.calls.map(({params}) => params)).toEqual([['power']])
    void device.poll('rare')
    await clock.advance(100)
    expect(plug.calls.slice(1).map(({params}) => params)).toEqual([
      ['power', 'temperature'],
      ['wifi_led'],
      [],
    ])
  })

  it('asks a v3 for its exact list, always, and for its watts apart', async () => {
    start('chuangmi.plug.v3', {on: 'off', usb_on: true, temperature: 32, wifi_led: 'on', watts: 300})
    const poll = device.poll('fast')
    await clock.advance(100)
    await poll
    expect(plug.calls.map(({method, params}) => [method, params])).toEqual([
      ['get_prop', ['on', 'usb_on', 'temperature', 'wifi_led']],
      ['get_power', []],
    ])
    expect(device.state).toMatchObject({state: 'OFF', usb: 'ON', temperature: 32, led: 'ON', power: 3})
  })

  it('keeps the relay when the watts cannot be read, and does not invent any', async () => {
    start('chuangmi.plug.v3', {on: true, usb_on: true, temperature: 32, wifi_led: 'on', watts: 300})
    await polled()
    plug.failing.set('get_power', new CallFailed('refused', -30001))
    const poll = device.poll('fast')
    await clock.advance(200)
    await poll
    expect(device.state).toMatchObject({state: 'ON', power: null})
  })

  it('fails when the relay cannot be read, and leaves what was known', async () => {
    await polled()
    plug.failure = new CallFailed('timeout')
    const poll = code(device.poll('fast'))
    await clock.advance(7000)
    expect(await poll).toBe('timeout')
    expect(device.state['state']).toBe('OFF')
  })

  it.each([[[]], [['on']], ['on'], [null], [['on', 32, 'more']]])(
    'takes nothing from %j as an answer about two properties',
    async (answer) => {
      plug.call = async (method, params) => {
        if (method === 'get_prop' && Array.isArray(params) && params.length === 2) return answer
        throw new CallFailed('refused', -30001)
      }
      await device.poll('rare')
      expect(device.state).toMatchObject({state: null, temperature: null})
    },
  )

  it.each([
    ['standby', null],
    [null, null],
    [1, 'ON'],
    [false, 'OFF'],
    ['On', 'ON'],
    ['', null],
    ['null', null],
  ])('takes %j for %s', async (raw, value) => {
    plug.values['power'] = raw
    await polled()
    expect(device.state['state']).toBe(value)
  })

  it('takes no number that is not finite', async () => {
    for (const raw of ['32', 'null', Number.NaN, Number.POSITIVE_INFINITY, true, [], {}]) {
      plug.values['temperature'] = raw
      await polled()
      expect(device.state['temperature']).toBeNull()
    }
  })

  it('is shared by callers at the same time', async () => {
    const both = [device.read(inTenSeconds()), device.read(inTenSeconds())]
    await clock.advance(200)
    expect(await Promise.all(both)).toEqual([device.state, device.state])
    expect(plug.polls()).toHaveLength(2) // one list, and the LED
  })
})

describe('a plug whose model is not configured', () => {
  beforeEach(() => start(undefined))

  it('is asked for it, and then for its state', async () => {
    await polled()
    expect(device.model?.ids).toContain('chuangmi.plug.m1')
    expect(device.identity).toEqual({
      model: 'chuangmi.plug.m1',
      firmware: '1.2.4_16',
      hardware: 'MW300',
      mac: '28:6c:07:0a:0b:0c',
    })
    expect(device.state['state']).toBe('OFF')
  })

  it('is asked for it before the first read', async () => {
    const state = device.read(inTenSeconds())
    await clock.advance(1000)
    expect(await state).toMatchObject({state: 'OFF'})
  })

  it('is asked once, however many wait to know it, and no more may wait than in line afterwards', async () => {
    const waiting = Array.from({length: MOST_WAITING + 2}, () =>
      code(device.ready({deadline: inTenSeconds()})),
    )
    await clock.advance(100)
    const codes = await Promise.all(waiting)
    expect(codes.filter((result) => result === 'queue_full')).toHaveLength(2)
    expect(codes.filter((result) => result === 'ok')).toHaveLength(MOST_WAITING)
    expect(plug.polls('miIO.info')).toHaveLength(1)
  })

  it('and that has no definition switches all the same', async () => {
    plug.info = {model: 'chuangmi.plug.zz9'}
    const poll = device.poll('rare')
    await clock.advance(1000)
    await poll
    expect(device.state).toMatchObject({state: 'OFF'})
  })

  it('and that has no known dialect is refused, by name, and gets no more requests', async () => {
    plug.info = {model: 'chuangmi.plug.zz9'}
    plug.failing.set('get_prop', new CallFailed('refused', -30001))
    plug.failing.set('get_properties', new CallFailed('refused', -10000))
    for (let poll = 0; poll < 3; poll++) {
      const refused = device.poll('rare').catch((error) => error.message)
      await clock.advance(1000)
      expect(await refused).toContain('no definition for the model "chuangmi.plug.zz9"')
    }
    expect(plug.calls.map(({method}) => method)).toEqual([
      'miIO.info',
      'get_prop',
      'get_prop',
      'get_properties',
    ])
  })
})

describe('stopping', () => {
  it('answers what waits, ends what is under way, and leaves no timer', async () => {
    plug.failure = new CallFailed('timeout')
    const running = code(device.set('state', 'ON', inTenSeconds()))
    const waiting = [
      device.set('led', 'ON', inTenSeconds()),
      device.set('state', 'TOGGLE', inTenSeconds()),
    ].map(code)
    await clock.advance(100)
    const stopped = device.stop(2000)
    await settle()
    expect(await Promise.all(waiting)).toEqual(['expired', 'expired'])
    expect(plug.closed).toBe(false)
    await clock.advance(2000)
    await stopped
    expect(plug.closed).toBe(true)
    await clock.advance(20_000)
    expect(await running).toBe('timeout')
    expect(clock.pending).toBe(0)
  })

  it('takes no command any more', async () => {
    await device.stop(0)
    expect(await code(device.set('state', 'ON', inTenSeconds()))).toBe('expired')
    expect(plug.commands).toEqual([])
  })
})

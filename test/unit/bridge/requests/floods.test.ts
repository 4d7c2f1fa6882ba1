import {beforeEach, describe, expect, it} from 'vitest'
import type {BridgeActions} from '../../../../src/bridge/requests/bridge-actions.ts'
import {TruncatedList} from '../../../../src/bridge/requests/define-request.ts'
import {Requests} from '../../../../src/bridge/requests/requests.ts'
import {settle, VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, SECOND, testContext, topics} from '../stage.ts'

let clock: VirtualClock
let publisher: RememberingPublisher
let requests: Requests
let done: string[]
/** Ends the actions that are under way. */
let finish: (() => void)[]
let found: unknown
let problems: string | undefined
let health: Record<string, unknown>

const waiting = <T>(what: string, result: () => T) => {
  done.push(what)
  return new Promise<T>((resolve) => finish.push(() => resolve(result())))
}

const actions: BridgeActions = {
  info: () => ({}),
  health: () => health,
  setLogLevel: (level) => void done.push(level),
  reload: (how) => waiting(how, () => problems),
  edit: (edits) => {
    edits()
    return waiting('edit', () => undefined)
  },
  allowsRawCalls: () => false,
  warnings: () => [],
  discover: (timeout) => waiting(`scan of ${timeout} ms`, () => found),
}

beforeEach(() => {
  clock = new VirtualClock()
  publisher = new RememberingPublisher(clock)
  done = []
  finish = []
  found = [{did: 4711}]
  problems = undefined
  health = {}
  requests = new Requests(testContext(clock, {publisher}), actions)
})

function ask(verb: string, count: number, payload = '', topic = `miio2mqtt/bridge/request/${verb}`) {
  for (let at = 0; at < count; at++)
    void requests.request(verb, {topic, payload: Buffer.from(payload), retained: false})
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await settle()
}

async function finishAll(): Promise<void> {
  for (const each of finish.splice(0)) each()
  await turns(3)
}

const answers = (verb: string) =>
  publisher.on(topics.bridgeResponse(verb)).map(({payload}) => JSON.parse(payload))
const codes = (verb: string) => answers(verb).map(({status, error}) => error?.code ?? status)
const countOf = (verb: string, code: string) => codes(verb).filter((each) => each === code).length

describe('many requests at once', () => {
  it('are carried out one in each turn of the event loop, so that commands overtake them', async () => {
    ask('options', 100, '{"log_level":"debug"}')
    expect(done).toEqual([])
    for (const turn of [1, 2, 3]) {
      await settle()
      expect(done.length).toBeLessThanOrEqual(turn + 1)
    }
    await turns(110)
    expect(codes('options')).toEqual(Array(100).fill('ok'))
  })

  it('have one response each, and are refused at once beyond a thousand', async () => {
    ask('health_check', 5000, '{"transaction":7}')
    expect(countOf('health_check', 'queue_full')).toBe(4000)
    expect(answers('health_check')[0]).toMatchObject({transaction: 7})
    await turns(1100)
    expect(countOf('health_check', 'ok')).toBe(1000)
    expect(codes('health_check')).toHaveLength(5000)
    ask('health_check', 1)
    await turns(3)
    expect(codes('health_check').at(-1)).toBe('ok')
  })

  it('with large responses are delayed so that a broker can take them', async () => {
    health = {devices: 'x'.repeat(1_000_000)}
    ask('health_check', 100)
    await turns(300)
    expect(codes('health_check').length).toBeLessThan(5)
    await clock.advance(60 * SECOND)
    expect(codes('health_check')).toEqual(Array(100).fill('ok'))
  })

  it('are carried out in the order of their arrival', async () => {
    for (const level of ['debug', 'info', 'warn']) ask('options', 1, `{"log_level":"${level}"}`)
    await turns(5)
    expect(done).toEqual(['debug', 'info', 'warn'])
  })
})

describe('searches of the network', () => {
  it('are one at a time: the same request meanwhile shares its response, up to a limit', async () => {
    ask('discover', 1000)
    await turns(1010)
    expect(done).toEqual(['scan of 5000 ms'])
    await finishAll()
    expect([countOf('discover', 'ok'), countOf('discover', 'queue_full')]).toEqual([32, 968])
    ask('discover', 1)
    await turns(3)
    expect(done).toHaveLength(2)
  })

  it('of another length are refused while one is under way', async () => {
    ask('discover', 1)
    ask('discover', 1, '{"timeout":60}')
    await turns(5)
    expect(done).toEqual(['scan of 5000 ms'])
    expect(codes('discover')).toEqual(['queue_full'])
  })

  it('that found too many have `truncated` in the response', async () => {
    found = new TruncatedList([1, 2])
    ask('discover', 1)
    await turns(3)
    await finishAll()
    expect(answers('discover')).toEqual([{status: 'ok', data: [1, 2], truncated: true}])
  })
})

describe('changes of the configuration', () => {
  it('wait for each other up to 32; more are refused and nothing is written for them', async () => {
    ask('device/add', 500, '{"name":"desk","host":"192.168.1.2"}')
    ask('reload', 10)
    await turns(520)
    expect(done).toHaveLength(32)
    expect(countOf('device/add', 'queue_full')).toBe(468)
    expect(countOf('reload', 'queue_full')).toBe(10)
    await finishAll()
    expect(countOf('device/add', 'ok')).toBe(32)
    ask('device/add', 1, '{"name":"desk","host":"192.168.1.2"}')
    await turns(3)
    expect(done).toHaveLength(33)
  })
})

describe('restarts', () => {
  it('that are requested three hundred times are one, and each request has a response', async () => {
    ask('restart', 150)
    await turns(160)
    await finishAll()
    ask('restart', 75)
    await turns(80)
    requests.stop()
    ask('restart', 75)
    await turns(80)
    expect(done).toEqual(['restart'])
    expect(codes('restart')).toEqual(Array(300).fill('ok'))
  })

  it('that were refused can be requested again at once', async () => {
    problems = 'config.yaml:1:1 devices: expected a mapping'
    ask('restart', 2)
    await turns(4)
    await finishAll()
    expect(codes('restart')).toEqual(['refused', 'refused'])
    ask('restart', 1)
    await turns(3)
    expect(done).toEqual(['restart', 'restart'])
  })

  it('that failed can be requested again later', async () => {
    ask('restart', 1)
    await turns(3)
    await finishAll()
    await clock.advance(10 * SECOND)
    ask('restart', 1)
    await turns(3)
    expect(done).toEqual(['restart', 'restart'])
  })
})

describe('a request', () => {
  it('that matches two filters has one response', async () => {
    for (const verb of ['set', 'get', 'x/set', 'set/led', 'a/b/get']) {
      ask(verb, 2)
      await turns(4)
      expect(codes(verb)).toEqual(['invalid_payload'])
      await clock.advance(2 * SECOND)
      ask(verb, 1)
      await turns(4)
      expect(codes(verb)).toHaveLength(2)
    }
  })

  it('that arrives while the bridge stops is refused with that reason', async () => {
    requests.stop()
    ask('info', 1)
    await turns(3)
    expect(answers('info')).toMatchObject([{error: {code: 'expired', message: 'the bridge is stopping'}}])
  })

  it('of three levels has a response', async () => {
    ask('device/a/b', 1)
    await turns(3)
    expect(answers('device/a/b')).toMatchObject([{error: {code: 'invalid_payload'}}])
  })
})

import fc from 'fast-check'
import {beforeEach, describe, expect, it} from 'vitest'
import type {BridgeActions} from '../../../../src/bridge/requests/bridge-actions.ts'
import {Requests} from '../../../../src/bridge/requests/requests.ts'
import type {IncomingMessage} from '../../../../src/mqtt/connection.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {checkProperty} from '../../../support/seeds.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, testContext, topics} from '../stage.ts'

let publisher: RememberingPublisher
let log: RememberingLog
let done: string[]
let requests: Requests

const actions: BridgeActions = {
  info: () => ({version: '1.2.3'}),
  health: () => ({uptime: 7}),
  setLogLevel: (level) => void done.push(`log level ${level}`),
  reload: async (how) => {
    done.push(how)
    return undefined
  },
  edit: async () => undefined,
  allowsRawCalls: () => false,
  warnings: () => [],
  discover: async (timeout) => {
    done.push(`discover for ${timeout} ms`)
    return [{did: 4711}]
  },
}

beforeEach(() => {
  publisher = new RememberingPublisher(new VirtualClock())
  log = new RememberingLog()
  done = []
  requests = new Requests(testContext(new VirtualClock(), {publisher, log}), actions)
})

const message = (payload: string | Buffer, more: Partial<IncomingMessage> = {}): IncomingMessage => ({
  topic: 'miio2mqtt/bridge/request/any',
  payload: Buffer.from(payload),
  retained: false,
  ...more,
})

async function ask(verb: string, payload = '', more: Partial<IncomingMessage> = {}) {
  await requests.request(verb, message(payload, more))
  const {topic, payload: answer, retain} = publisher.messages.at(-1) ?? expect.fail('no answer')
  return {topic, retain, answer: JSON.parse(answer)}
}

describe('a request', () => {
  it('whose response cannot be published is an error in the log, and takes no place in the queue', async () => {
    const context = testContext(new VirtualClock(), {
      log,
      publisher: {publish: () => expect.fail('out of paper')},
    })
    const broken = new Requests(context, actions)
    for (let count = 0; count < 200; count++) await broken.request('info', message(''))
    expect(log.messages('error')).toHaveLength(200)
  })

  it.each([
    ['health_check', '', {healthy: true, uptime: 7}, []],
    ['info', '{}', {version: '1.2.3'}, []],
    ['options', '{"log_level":"debug"}', {log_level: 'debug'}, ['log level debug']],
    ['restart', '', {}, ['restart']],
    ['reload', '', {}, ['reload']],
    ['discover', '', [{did: 4711}], ['discover for 5000 ms']],
    ['discover', '{"timeout":0.5}', [{did: 4711}], ['discover for 500 ms']],
  ])('%s %s is carried out and answered', async (verb, payload, data, acts) => {
    expect(await ask(verb, payload)).toEqual({
      topic: `miio2mqtt/bridge/response/${verb}`,
      retain: false,
      answer: {status: 'ok', data},
    })
    expect(done).toEqual(acts)
  })

  it.each([
    ['options', '{"log_level":"loud"}', /log_level.*"debug"/],
    ['options', '{}', /log_level/],
    ['options', '{"log_level":"debug","colour":1}', /colour/],
    ['restart', '{"now":true}', /now/],
    ['discover', '{"timeout":"5"}', /timeout.*number/],
    ['discover', '{"timeout":1000}', /timeout.*60/],
    ['info', 'please', /expected a JSON object|expected JSON/],
    ['info', '[]', /expected a JSON object/],
    ['device/explode', '', /expected one of health_check, info, .*, got device\/explode/],
    ['constructor', '', /expected one of/],
    ['info', '{"__proto__":1}', /"__proto__"/],
    ['device/options', '{"name":"desk","options":{"__proto__":{"area":"Hall"}}}', /"__proto__"/],
    ['info', `${'['.repeat(8000)}${']'.repeat(8000)}`, /32 levels/],
  ])('%s %s is refused, saying what was expected', async (verb, payload, expected) => {
    const {answer} = await ask(verb, payload)
    expect(answer).toMatchObject({status: 'error', error: {code: 'invalid_payload'}})
    expect(answer.error.message).toMatch(expected)
    expect(done).toEqual([])
  })

  it('has its transaction in the response, whatever the result', async () => {
    expect((await ask('info', '{"transaction":42}')).answer).toMatchObject({status: 'ok', transaction: 42})
    const refused = await ask('options', '{"transaction":{"a":1}}')
    expect(refused.answer).toMatchObject({status: 'error', transaction: {a: 1}})
  })

  it('has its response on the response topic, with its correlation data', async () => {
    const more = {responseTopic: 'flows/answers', correlationData: Buffer.from('7')}
    expect((await ask('info', '', more)).topic).toBe('flows/answers')
    expect(publisher.messages[0]?.correlationData).toEqual(Buffer.from('7'))
  })

  it('has its response on the usual topic when nothing can be published on the response topic', async () => {
    expect((await ask('info', '', {responseTopic: 'flows/+'})).topic).toBe('miio2mqtt/bridge/response/info')
  })

  it.each([
    ['', 'miio2mqtt/bridge/response'],
    ['info/', 'miio2mqtt/bridge/response/info'],
    ['/device//poll', 'miio2mqtt/bridge/response/device/poll'],
  ])('called %j is answered with the verbs that there are', async (verb, topic) => {
    expect(await ask(verb)).toMatchObject({
      topic,
      answer: {status: 'error', error: {code: 'invalid_payload'}},
    })
  })

  it('that does not exist has a response with a fallback topic: clients may make up any number of topics', async () => {
    await ask('nonsense')
    expect(publisher.messages[0]).toMatchObject({fallbackTopic: 'miio2mqtt/bridge/response'})
    await ask('info')
    expect(publisher.messages[1]).not.toHaveProperty('fallbackTopic')
    await ask('nonsense', '', {responseTopic: 'flows/answers'})
    expect(publisher.messages[2]).toMatchObject({
      topic: 'flows/answers',
      fallbackTopic: 'miio2mqtt/bridge/response',
    })
  })

  it('whose response has an invalid topic is a warning', async () => {
    await requests.request('a\u0001', message(''))
    expect(publisher.messages).toEqual([])
    expect(log.messages('warn')).toEqual([
      'a request cannot be answered: the topic of its answer holds a control character or half a character',
    ])
  })

  it.each([
    ['set', 2],
    ['x/get/y', 2],
    ['set/set', 3],
  ])(
    'called %s is answered once, though %i filters catch it, and again when it comes again',
    async (verb, copies) => {
      const topic = topics.request(verb)
      for (let times = 1; times <= 2; times++) {
        for (let copy = 0; copy < copies; copy++) await requests.request(verb, message('', {topic}))
        expect(publisher.messages).toHaveLength(times)
      }
    },
  )

  it('that fails unexpectedly is an internal error, in the response and in the log', async () => {
    const context = testContext(new VirtualClock(), {publisher, log})
    const broken = new Requests(context, {...actions, info: () => expect.fail('out of paper')})
    await broken.request('info', message(''))
    expect(JSON.parse(publisher.messages[0]?.payload ?? '')).toMatchObject({
      status: 'error',
      error: {code: 'internal'},
    })
    expect(log.messages('error')).toHaveLength(1)
  })

  it('of any kind has exactly one response', async () => {
    const verbs = fc.oneof(
      fc.constantFrom('health_check', 'info', 'options', 'discover', 'reload', 'restart', 'toString'),
      fc.stringMatching(/^[a-z_]{1,9}(\/[a-z]{1,9})?$/),
    )
    const payloads = fc.oneof(fc.json(), fc.string({unit: 'binary'}), fc.constant('{"log_level":"debug"}'))
    await checkProperty(
      fc.asyncProperty(verbs, payloads, async (verb, payload) => {
        publisher.messages.length = 0
        await requests.request(verb, message(payload))
        expect(publisher.messages).toHaveLength(1)
        expect(['ok', 'error']).toContain(JSON.parse(publisher.messages[0]?.payload ?? '').status)
      }),
    )
  })
})

import {beforeEach, describe, expect, test} from 'vitest'
import {MiioClient, type MiioClientOptions} from '../../../src/miio/client.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'
import {Cipher, helloReply, nak} from '../../../src/miio/packet.ts'
import type {TracedPacket} from '../../../src/miio/packet-trace.ts'
import type {SentCallback} from '../../../src/miio/socket.ts'
import {MemoryNetwork, MemoryPlug} from '../../support/memory-network.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'
import {queued} from './client-setup.ts'
import {DID, TOKEN} from './vectors.ts'

const HOME = {host: '192.168.1.40', port: 54321}
const ELSEWHERE = {host: '192.168.1.77', port: 54321}
const OTHER_TOKEN = Buffer.alloc(16, 7)

let clock: VirtualClock

beforeEach(() => {
  clock = new VirtualClock()
})

describe('an exchange', () => {
  test('is a hello, a request in compact JSON with one NUL, and its response', async () => {
    const {client, plug, advance} = setup()
    const call = watch(client.call('get_prop', ['power', 'temperature']))
    plug.answer = ({id}) => [plug.reply({result: ['on', 32], id})]
    await advance(100)
    expect(call.value).toEqual(['on', 32])
    expect(plug.hellos).toHaveLength(1)
    const [request] = plug.requests
    expect(request?.plain).toBe(
      `{"id":${request?.id},"method":"get_prop","params":["power","temperature"]}\0`,
    )
    expect(request?.stamp).toBe(plug.uptime())
    expect(client.stats).toMatchObject({requests: 1, retries: 0, timeouts: 0, p50: 20, p95: 20})
  })

  test('sends one hello to a plug that keeps responding, and its clock carried forward', async () => {
    const {client, plug, advance} = setup()
    for (let i = 0; i < 4; i++) {
      const call = watch(client.call('get_prop'))
      await advance(60_000)
      expect(call.value).toEqual(['ok'])
    }
    expect(plug.hellos).toHaveLength(1)
    expect(plug.requests.map(({stamp, at}) => Math.abs(stamp - (1000 + at / 1000)) < 2)).toEqual([
      true,
      true,
      true,
      true,
    ])
  })

  test('sends another hello after more than 60 s of silence', async () => {
    const {client, plug, advance} = setup()
    watch(client.call('get_prop'))
    await advance(60_100)
    watch(client.call('get_prop'))
    await advance(1000)
    expect(plug.hellos).toHaveLength(2)
    expect(client.stats.timeouts).toBe(0)
  })

  test('with a plug whose clock reads 0 works, since it has just booted', async () => {
    const {client, plug, advance} = setup()
    plug.reboot()
    const call = watch(client.call('get_prop'))
    await advance(100)
    expect(call.value).toEqual(['ok'])
    expect(plug.requests[0]?.stamp).toBe(0)
  })

  test('keeps 50 ms of distance to the one before', async () => {
    const {queued, plug, advance} = setup()
    for (let i = 0; i < 3; i++) watch(queued.call('get_prop', [i]))
    await advance(1000)
    const [first = 0, second = 0, third = 0] = plug.requests.map(({at}) => at)
    expect([second - first, third - second]).toEqual([70, 70]) // the response takes 20 ms
  })

  test('is never begun while another runs', async () => {
    const {queued, plug, advance} = setup()
    plug.delay = 300
    const calls = [1, 2, 3].map((n) => watch(queued.call('get_prop', [n])))
    await advance(650) // the first response has just come
    expect(plug.requests).toHaveLength(1)
    await advance(2000)
    expect(plug.requests.map(({params}) => params)).toEqual([[1], [2], [3]])
    expect(calls.map(({value}) => value)).toEqual([['ok'], ['ok'], ['ok']])
  })

  test('hands over a result of any kind', async () => {
    const {client, plug, advance} = setup()
    const results = [null, 0, 'ok', {a: [1]}, []]
    for (const result of results) {
      plug.answer = ({id}) => [plug.reply({id, result})]
      const call = watch(client.call('anything'))
      await advance(200)
      expect(call.value).toEqual(result)
    }
  })

  test('repairs what the firmware got wrong', async () => {
    const {client, plug, advance} = setup()
    plug.answer = ({id}) => [plug.reply(`{"result":["off",50,,,23057],"id":${id}}`)]
    const call = watch(client.call('get_prop'))
    await advance(100)
    expect(call.value).toEqual(['off', 50, null, null, 23057])
  })
})

describe('a second call while one is under way', () => {
  test('fails as one that never left, names both, and does not touch the first', async () => {
    const {client, plug, advance} = setup()
    const first = watch(client.call('get_prop', ['power']))
    const second = client.call('set_power', ['on'])
    const move = client.moveTo(ELSEWHERE.host)
    const text =
      'expected one request at a time to 192.168.1.40:54321, got set_power while get_prop is under way'
    await expect(second).rejects.toThrow(text)
    // An expected failure: when the queue has given up a request that never ends, the bridge lives on.
    await expect(second).rejects.toMatchObject({name: 'MiioError', code: 'timeout', stage: 'send'})
    expect(await move).toBe(false)
    await advance(100)
    expect(first.value).toEqual(['ok'])
    expect(plug.requests.map(({method}) => method)).toEqual(['get_prop'])
  })
})

describe('message ids', () => {
  test('start where the earlier run stopped, and wrap without ever being 0', async () => {
    const {queued, client, plug, advance} = setup({nextId: 999_999_998})
    for (let i = 0; i < 4; i++) watch(queued.call('get_prop'))
    await advance(1000)
    expect(plug.requests.map(({id}) => id)).toEqual([999_999_998, 999_999_999, 10_000, 10_001])
    expect(client.nextId).toBe(10_002)
  })

  test.each([undefined, 0, 9_999, 1_000_000_000, 12_345.5])(
    'start anywhere without a place (%s)',
    (nextId) => {
      const ids = [1, 2, 3].map((seed) => setup({nextId, random: seeded(seed)}).client.nextId)
      expect(new Set(ids).size).toBe(3)
      for (const id of ids) expect(id >= 10_000 && id <= 999_999_999).toBe(true)
    },
  )
})

describe('a try', () => {
  test('lasts 2 s, and a lost request is sent again under a new id, without another hello', async () => {
    const {client, plug, advance} = setup()
    answerFromTry(plug, 2)
    const call = watch(client.call('get_prop'))
    await advance(2000)
    expect(call.isSettled).toBe(false)
    await advance(200)
    expect(call.value).toEqual(['ok'])
    expect(plug.hellos).toHaveLength(1)
    const [first, second] = plug.requests
    expect(second?.id).toBe((first?.id ?? 0) + 1)
    expect(client.stats).toMatchObject({requests: 2, retries: 1, timeouts: 1})
  })

  test('that gets no hello reply sends no request', async () => {
    const {client, plug, advance} = setup()
    plug.replyToHello = () => []
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(plug.hellos).toHaveLength(9)
    expect(plug.requests).toHaveLength(0)
    expect(call.error).toMatchObject({code: 'timeout', stage: 'hello'})
    expect(call.error?.message).toMatch(
      /^192\.168\.1\.40:54321 did not answer 9 hellos: .*power.*subnet.*address/,
    )
    expect(call.settledAt).toBe(3 * 2000 + 2 * 50)
  })

  test('is the last after three, and then names the likely reason', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => []
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(plug.requests).toHaveLength(3)
    expect(call.error).toMatchObject({code: 'timeout', stage: 'request'})
    expect(call.error?.message).toMatch(
      /answered the hello but did not answer get_prop \(3 requests\).*token is wrong/,
    )
  })

  test('with a request longer than plugs take names its length', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => []
    const call = watch(client.call('get_prop', ['x'.repeat(1000)]))
    await advance(10_000)
    expect(call.error?.message).toMatch(
      /the request has 1056 bytes, and plugs silently drop more than 968; .*less at a time/,
    )
  })

  test('of a plug that did respond before is not blamed on the token alone', async () => {
    const {client, plug, advance} = setup()
    watch(client.call('get_prop'))
    await advance(100)
    plug.answer = () => []
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error?.message).toMatch(/it did before/)
  })

  test('takes a late response to an earlier one for its own', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => []
    const call = watch(client.call('get_prop'))
    await advance(2500)
    const [first] = plug.requests
    expect(plug.requests).toHaveLength(2)
    plug.send(plug.reply({result: ['late'], id: first?.id}))
    await advance(0)
    expect(call.value).toEqual(['late'])
    expect(client.stats.timeouts).toBe(1)
  })

  test('takes a late response while it still waits for its hello', async () => {
    const {client, plug, advance} = setup({did: undefined})
    plug.answer = () => []
    const call = watch(client.call('get_prop'))
    await advance(100)
    plug.replyToHello = () => []
    await advance(2500)
    plug.send(plug.reply({result: ['late'], id: plug.requests[0]?.id}))
    await advance(0)
    expect(call.value).toEqual(['late'])
  })

  test('takes a late response also in the pause before the next', async () => {
    const {client, plug, advance} = setup({did: DID})
    plug.answer = () => []
    const call = watch(client.call('get_prop'))
    await advance(2020)
    plug.send(plug.reply({result: ['late'], id: plug.requests[0]?.id}))
    await advance(0)
    expect(call.value).toEqual(['late'])
    expect(plug.hellos).toHaveLength(1)
  })
})

describe('a deadline', () => {
  test('ends the last try early', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => []
    const call = watch(client.call('get_prop', [], {deadline: 3000}))
    await advance(10_000)
    expect(call.settledAt).toBe(3000)
    expect(plug.requests).toHaveLength(2)
  })

  test('allows as many tries as fit when more are asked for', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => []
    const call = watch(client.call('set_power', ['on'], {deadline: 10_000, tries: 99}))
    await advance(20_000)
    expect(plug.requests).toHaveLength(5)
    expect(call.settledAt).toBe(10_000)
  })

  test('that is due is sent before the call returns: the acknowledgement of its command need not come first', async () => {
    const {client, network, advance} = setup()
    const first = client.call('get_prop', [])
    await advance(1000)
    await first
    const before = network.sent.length
    const second = client.call('get_prop', [])
    expect(network.sent).toHaveLength(before + 1)
    await advance(1000)
    await second
  })

  test('does not end by the error of an earlier datagram', async () => {
    const {client, network, plug, advance} = setup()
    const first = client.call('get_prop', ['power'])
    await advance(1000)
    await first
    const send = network.send.bind(network)
    let late: SentCallback = () => {}
    network.send = (_datagram, _host, _port, sent) => {
      late = sent
      network.send = send
    }
    const lost = watch(client.call('get_prop', ['power'], {deadline: clock.now() + 200}))
    await advance(250)
    expect(lost.error).toMatchObject({code: 'timeout'})
    plug.delay = 500
    const command = watch(client.call('toggle', [], {tries: 1}))
    await advance(200)
    late(new MiioError('unreachable', 'send', 'cannot send: ENETUNREACH'))
    await advance(5000)
    expect(command).toMatchObject({value: ['ok']})
    expect(plug.requests.filter(({method}) => method === 'toggle')).toHaveLength(1)
  })

  test('that is closed sends nothing, also when the hello reply came in the same turn', async () => {
    const {client, network, plug, advance} = setup()
    plug.replyToHello = () => []
    const call = watch(client.call('set_power', ['on'], {tries: 1}))
    await advance(100)
    const before = network.sent.length
    network.arrive(helloReply(DID, 1000), HOME)
    client.close()
    await advance(5000)
    expect(call.error).toMatchObject({code: 'timeout'})
    expect(network.sent).toHaveLength(before)
  })

  test('that is over sends nothing', async () => {
    const {client, network, advance} = setup()
    const call = watch(client.call('get_prop', [], {deadline: 0}))
    await advance(1000)
    expect(call.error).toMatchObject({code: 'timeout', stage: 'send'})
    expect(network.sent).toHaveLength(0)
  })
})

describe('an aborted call', () => {
  test('lets its try end by a response', async () => {
    const {client, plug, advance, abort, signal} = setup()
    plug.delay = 900
    const call = watch(client.call('get_prop', [], {signal}))
    await advance(950)
    abort()
    await advance(500)
    expect(call.isSettled).toBe(false)
    await advance(500)
    expect(call.value).toEqual(['ok'])
  })

  test('is not settled before its try is, and tries no more', async () => {
    const {client, plug, advance, abort, signal} = setup()
    plug.answer = () => []
    const call = watch(client.call('get_prop', [], {signal}))
    await advance(100)
    abort()
    await advance(1800)
    expect(call.isSettled).toBe(false)
    await advance(10_000)
    expect(call.settledAt).toBe(2020) // the hello took 20 ms
    expect(call.error).toMatchObject({code: 'timeout', stage: 'request'})
    expect(plug.requests).toHaveLength(1)
  })

  test('ends at once where nothing is in flight: in its turn, in a pause', async () => {
    const {queued, plug, advance, abort, signal} = setup()
    plug.answer = ({id}) => [plug.reply({id, error: {code: -9999, message: 'user ack timeout'}})]
    const paused = watch(queued.call('get_prop', [], {signal}))
    const waiting = watch(queued.call('get_prop', [], {signal}))
    await advance(100)
    abort()
    await advance(0)
    expect([paused.settledAt, waiting.settledAt]).toEqual([clock.now(), clock.now()])
    expect(paused.error).toMatchObject({code: 'refused', deviceCode: -9999})
    expect(waiting.error).toMatchObject({code: 'timeout', stage: 'send'})
  })
})

describe('what the plug refuses', () => {
  test('is an error with the plug’s own code, at once', async () => {
    const {client, plug, advance} = setup()
    plug.answer = ({id}) => [plug.reply({id, error: {code: -10000, message: 'Method not found.'}})]
    const call = watch(client.call('get_properties'))
    await advance(100)
    expect(call.error).toMatchObject({code: 'refused', stage: 'request', deviceCode: -10000})
    expect(call.error?.message).toContain('refused get_properties with code -10000 "Method not found."')
    expect(plug.requests).toHaveLength(1)
  })

  test.each([
    [-9999, 'user ack timeout'],
    [-9999, 'UART timeout'],
    [-30001, 'Resp invalid json.'],
    [-30012, 'Busy.'],
  ])('for now (%i %s) is requested again after a short pause', async (code, message) => {
    const {client, plug, advance} = setup()
    answerFromTry(plug, 3, ({id}) => [plug.reply({id, error: {code, message}})])
    const call = watch(client.call('get_prop'))
    await advance(2000)
    expect(call.value).toEqual(['ok'])
    const [first = 0, second = 0] = plug.requests.map(({at}) => at)
    expect(second - first).toBeGreaterThanOrEqual(150)
    expect(plug.hellos).toHaveLength(1)
  })

  test('for now, still at the last try, is refused', async () => {
    const {client, plug, advance} = setup()
    plug.answer = ({id}) => [plug.reply({id, error: {code: -9999, message: 'user ack timeout'}})]
    const call = watch(client.call('get_prop'))
    await advance(5000)
    expect(plug.requests).toHaveLength(3)
    expect(call.error).toMatchObject({code: 'refused', deviceCode: -9999})
  })

  test('for ever under the code of "for now" is not requested again', async () => {
    const {client, plug, advance} = setup()
    plug.answer = ({id}) => [plug.reply({id, error: {code: -9999, message: 'undefined command'}})]
    const call = watch(client.call('get_prop'))
    await advance(5000)
    expect(plug.requests).toHaveLength(1)
    expect(call.error).toMatchObject({code: 'refused', deviceCode: -9999})
  })

  test('for now, late, does not end the try after it', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => []
    const call = watch(client.call('get_prop', [], {tries: 2}))
    await advance(2500)
    const [first, second] = plug.requests
    plug.send(plug.reply({id: first?.id, error: {code: -9999, message: 'user ack timeout'}}))
    await advance(500)
    plug.send(plug.reply({id: second?.id, result: ['ok']}))
    await advance(0)
    expect(call.value).toEqual(['ok'])
    expect(plug.requests).toHaveLength(2)
  })

  test('twice in two equal datagrams uses up one try', async () => {
    const {client, plug, advance} = setup()
    answerFromTry(plug, 2, ({id}) => {
      const busy = plug.reply({id, error: {code: -9999, message: 'user ack timeout'}})
      return [busy, busy]
    })
    const call = watch(client.call('get_prop', [], {tries: 2}))
    await advance(1000)
    expect(call.value).toEqual(['ok'])
    expect(plug.requests).toHaveLength(2)
  })
})

describe('a wrong token', () => {
  test('that the plug complains about ends the call with its first try', async () => {
    const {client, plug, advance} = setup({token: OTHER_TOKEN})
    const call = watch(client.call('get_prop'))
    await advance(3000)
    expect([plug.hellos.length, client.stats.requests]).toEqual([1, 1])
    expect(call.error).toMatchObject({code: 'bad_token', stage: 'request'})
    expect(call.error?.message).toContain('192.168.1.40:54321')
  })

  test('under which the plug responds, though it knew ours before, is named as the likely reason', async () => {
    const {client, plug, advance} = setup()
    watch(client.call('get_prop'))
    await advance(100)
    plug.answer = ({id, stamp}) => [
      new Cipher(OTHER_TOKEN).seal(DID, stamp, Buffer.from(`{"id":${id},"result":[]}`)),
    ]
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error).toMatchObject({code: 'timeout', stage: 'request'})
    expect(call.error?.message).toMatch(/token is wrong.*3 datagrams did not count, the last: the checksum/)
  })

  test('that the plug keeps silent about is named as the likely reason', async () => {
    const {client, plug, advance} = setup({token: OTHER_TOKEN})
    plug.naks = false
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error).toMatchObject({code: 'timeout', stage: 'request'})
    expect(call.error?.message).toMatch(/token is wrong/)
  })

  test('appears in no error', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => [plug.reply(TOKEN.toString('hex'))]
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error?.message).toMatch(/cannot be read/)
    expect(call.error?.message).not.toContain(TOKEN.toString('hex'))
  })
})

describe('what does not count', () => {
  const silent = new Cipher(OTHER_TOKEN)
  const real = new Cipher(TOKEN)
  const ok = (id: number) => Buffer.from(JSON.stringify({id, result: ['forged']}))
  type Forge = (request: {id: number; stamp: number; packet: Buffer}) => Buffer
  const forgeries: [string, Forge][] = [
    ['noise', () => Buffer.from('noise')],
    ['an empty datagram', () => Buffer.alloc(0)],
    ['an answer under another token', ({id, stamp}) => silent.seal(DID, stamp, ok(id))],
    ['an answer of another device', ({id, stamp}) => real.seal(DID + 1, stamp, ok(id))],
    ['an answer to another question', ({id, stamp}) => real.seal(DID, stamp, ok(id + 1))],
    ['an answer without an id', ({stamp}) => real.seal(DID, stamp, Buffer.from('{"result":["forged"]}'))],
    ['an answer that is no JSON', ({stamp}) => real.seal(DID, stamp, Buffer.from('{"result":["forged"'))],
    ['a hello reply without a hello', () => helloReply(DID, 5)],
    ['a hello reply of another device without a hello', () => helloReply(1, 5)],
    ['a "checksum wrong" with another stamp', ({stamp, packet}) => nak(withStamp(packet, stamp + 1))],
    ['our own request', ({packet}) => packet],
  ]

  test.each(forgeries)('%s is dropped, and the waiting goes on', async (_, forge) => {
    const {client, plug, advance} = setup()
    watch(client.call('get_prop'))
    await advance(100) // its clock is known: no hello is out
    plug.answer = (request) => [forge(request), plug.reply({id: request.id, result: ['true']})]
    const call = watch(client.call('get_prop'))
    await advance(100)
    expect(call.value).toEqual(['true'])
    expect(plug.requests).toHaveLength(2)
    plug.answer = (request) => [forge(request)]
    const alone = watch(client.call('get_prop', [], {tries: 1}))
    await advance(10_000)
    expect(alone.error?.message).toContain('[1 datagram did not count, the last: ')
  })

  test.each(forgeries)('%s teaches nothing to a client without a device id', async (_, forge) => {
    const proven: number[] = []
    const {client, plug, advance} = setup({
      did: undefined,
      events: {deviceIdProven: (did) => proven.push(did)},
    })
    plug.answer = (request) => [forge(request)]
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error).toMatchObject({code: 'timeout'})
    expect([client.did, proven, client.host]).toEqual([undefined, [], HOME.host])
  })

  test('the same response twice is one response', async () => {
    const {queued, client, plug, advance} = setup()
    plug.answer = ({id}) => [plug.reply({id, result: [id]}), plug.reply({id, result: [id]})]
    const calls = [1, 2].map(() => watch(queued.call('get_prop')))
    await advance(1000)
    expect(calls.map(({value}) => value)).toEqual(plug.requests.map(({id}) => [id]))
    expect(client.stats).toMatchObject({requests: 2, retries: 0})
  })

  test('a flood of noise while a request waits is dropped, and the response still found', async () => {
    const {client, plug, advance} = setup()
    plug.delay = 500
    plug.helloDelay = 10
    const call = watch(client.call('get_prop'))
    await advance(100)
    for (let i = 0; i < 1000; i++) plug.send(Buffer.alloc(48, i))
    await advance(1000)
    expect(call.value).toEqual(['ok'])
    expect(client.stats).toMatchObject({retries: 0, timeouts: 0})
  })

  test('is named when nothing else came', async () => {
    const {client, plug, advance} = setup()
    plug.answer = () => [plug.reply('{"result":["on",3')]
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error).toMatchObject({code: 'timeout', stage: 'request'})
    expect(call.error?.message).toMatch(/cannot be read.*3 datagrams did not count, the last: expected JSON/)
  })

  test('a message between two calls is dropped', async () => {
    const {client, plug, advance} = setup()
    watch(client.call('get_prop'))
    await advance(100)
    plug.send(plug.reply({id: plug.requests[0]?.id, result: ['late']}))
    const next = watch(client.call('get_prop', [], {tries: 1}))
    plug.answer = () => []
    await advance(5000)
    expect(next.error?.message).not.toContain('did not count')
  })
})

describe('a device id', () => {
  test('not known yet is taken from a response under our token', async () => {
    const proven: number[] = []
    const {client, plug, advance} = setup({
      did: undefined,
      events: {deviceIdProven: (did) => proven.push(did)},
    })
    const call = watch(client.call('get_prop'))
    await advance(25)
    expect(plug.hellos).toHaveLength(1)
    expect(proven).toEqual([]) // the hello reply has come, and proves nothing
    await advance(100)
    expect(call.value).toEqual(['ok'])
    watch(client.call('get_prop'))
    await advance(1000)
    expect([proven, client.did]).toEqual([[DID], DID]) // once
  })

  test('of another plug in the hello reply ends the call with its first try, and no request is sent there', async () => {
    const {client, plug, advance} = setup({did: 42})
    const call = watch(client.call('get_prop'))
    await advance(3000)
    expect(plug.hellos).toHaveLength(3)
    expect(call.error).toMatchObject({code: 'unreachable', stage: 'hello'})
    expect(call.error?.message).toMatch(
      /expected device 42 at 192\.168\.1\.40:54321, but another .*253635900/,
    )
    expect(plug.requests).toHaveLength(0)
  })

  test('forged in a hello reply is corrected by the next hello', async () => {
    const {client, plug, advance} = setup({did: undefined})
    const replyToHello = plug.replyToHello
    plug.replyToHello = () => (plug.hellos.length === 1 ? [helloReply(666, 5)] : replyToHello())
    const call = watch(client.call('get_prop'))
    await advance(5000)
    expect(call.value).toEqual(['ok'])
    expect(client.did).toBe(DID)
  })
})

describe('a restart of the plug', () => {
  test('is reported, and costs two tries', async () => {
    let restarts = 0
    const {client, plug, advance} = setup({events: {rebooted: () => restarts++}})
    watch(client.call('get_prop'))
    await advance(30_000)
    plug.reboot()
    const call = watch(client.call('get_prop'))
    await advance(3000)
    expect(call.value).toEqual(['ok'])
    expect(restarts).toBe(1)
    expect(client.stats.timeouts).toBe(2)
  })

  test('is noticed after a long silence, too', async () => {
    let restarts = 0
    const {client, plug, advance} = setup({events: {rebooted: () => restarts++}})
    watch(client.call('get_prop'))
    await advance(3_000_000)
    plug.reboot()
    await advance(2_000_000) // the new uptime is beyond the old one
    watch(client.call('get_prop'))
    await advance(100)
    expect(restarts).toBe(1)
  })

  test('is not inferred from a hello reply, nor from a plug whose clock is a little slow', async () => {
    let restarts = 0
    const {client, plug, advance} = setup({events: {rebooted: () => restarts++}})
    watch(client.call('get_prop'))
    await advance(120_000)
    plug.replyToHello = () => [helloReply(DID, 3)]
    plug.answer = () => []
    watch(client.call('get_prop'))
    await advance(60_000)
    plug.replyToHello = () => [helloReply(DID, plug.uptime())]
    plug.answer = ({id}) => [
      new Cipher(TOKEN).seal(DID, plug.uptime() - 4, Buffer.from(`{"id":${id},"result":1}`)),
    ]
    const call = watch(client.call('get_prop'))
    await advance(200)
    expect(call.value).toBe(1)
    expect(restarts).toBe(0)
  })
})

test('a plug whose clock loses some seconds in a long silence has not restarted', async () => {
  let restarts = 0
  const {client, plug, advance} = setup({events: {rebooted: () => restarts++}})
  watch(client.call('get_prop'))
  await advance(3_600_000)
  const slow = () => plug.uptime() - 30
  plug.replyToHello = () => [helloReply(DID, slow())]
  plug.answer = ({id}) => [new Cipher(TOKEN).seal(DID, slow(), Buffer.from(`{"id":${id},"result":1}`))]
  const call = watch(client.call('get_prop'))
  await advance(100)
  expect([call.value, restarts]).toEqual([1, 0])
})

describe('an address', () => {
  test('not known yet is an error of its own', async () => {
    const {client, advance} = setup({host: undefined})
    const call = watch(client.call('get_prop'))
    await advance(0)
    expect(call.error).toMatchObject({code: 'unreachable', stage: 'send'})
    expect(call.error?.message).toBe('the address of device 253635900 is not known yet')
  })

  test('is changed once the plug has responded there under our token', async () => {
    const {client, plug, network, advance} = setup()
    plug.moveTo(ELSEWHERE)
    const moved = watch(client.moveTo(ELSEWHERE.host, ELSEWHERE.port))
    await advance(100)
    expect([moved.value, client.host]).toEqual([true, ELSEWHERE.host])
    expect(plug.requests.map(({method}) => method)).toEqual(['miIO.info'])
    expect([network.listeners(HOME), network.listeners(ELSEWHERE)]).toEqual([0, 1])
    const call = watch(client.call('get_prop'))
    await advance(200)
    expect(call.value).toEqual(['ok'])
  })

  test('is kept when only a hello reply comes from the other', async () => {
    const {client, network, advance} = setup()
    const other = new MemoryPlug(network, clock, {did: DID, token: OTHER_TOKEN, at: ELSEWHERE})
    other.naks = false
    const moved = watch(client.moveTo(ELSEWHERE.host))
    await advance(10_000)
    expect([moved.value, client.host]).toEqual([false, HOME.host])
    expect(network.listeners(ELSEWHERE)).toBe(0)
    const call = watch(client.call('get_prop'))
    await advance(200)
    expect(call.value).toEqual(['ok'])
  })

  test('where a plug refuses miIO.info is proven nevertheless', async () => {
    const {client, plug, advance} = setup({host: undefined})
    plug.answer = ({id}) => [plug.reply({id, error: {code: -32601, message: 'Method not found.'}})]
    const moved = watch(client.moveTo(HOME.host))
    await advance(1000)
    expect([moved.value, client.host]).toEqual([true, HOME.host])
  })

  test('given by name is looked up, and again when the plug is silent', async () => {
    let address = HOME.host
    const asked: string[] = []
    const {client, plug, network, advance} = setup({
      host: 'desk.lan',
      lookup: async (host) => {
        asked.push(host)
        return address
      },
    })
    watch(client.call('get_prop'))
    await advance(100)
    address = ELSEWHERE.host
    plug.moveTo(ELSEWHERE)
    const call = watch(client.call('get_prop'))
    await advance(3000)
    expect(call.value).toEqual(['ok'])
    expect(asked).toEqual(['desk.lan', 'desk.lan'])
    expect(client.host).toBe('desk.lan')
    expect([network.listeners(HOME), network.listeners(ELSEWHERE)]).toEqual([0, 1])
  })

  test('found by name outlasts its name server', async () => {
    let isUp = true
    const lookup = async () => {
      if (!isUp) throw new Error('getaddrinfo EAI_AGAIN desk.lan')
      return HOME.host
    }
    const {client, network, advance} = setup({host: 'desk.lan', lookup})
    watch(client.call('get_prop'))
    await advance(100_000)
    isUp = false
    const call = watch(client.call('get_prop'))
    await advance(100)
    expect(call.value).toEqual(['ok'])
    expect(network.listeners(HOME)).toBe(1)
  })

  test('whose name is unknown is an error of its own', async () => {
    const lookup = () => Promise.reject(new Error('getaddrinfo ENOTFOUND desk.lan'))
    const {client, advance} = setup({host: 'desk.lan', lookup})
    const call = watch(client.call('get_prop'))
    await advance(10_000)
    expect(call.error).toMatchObject({code: 'unreachable', stage: 'send'})
    expect(call.error?.message).toBe('cannot look up desk.lan: getaddrinfo ENOTFOUND desk.lan')
  })

  test('whose name server is silent does not hold up the call', async () => {
    const {client, advance} = setup({host: 'desk.lan', lookup: () => new Promise(() => {})})
    const call = watch(client.call('get_prop', [], {deadline: 5000}))
    await advance(5000)
    expect(call.error).toMatchObject({code: 'unreachable', stage: 'send'})
  })

  test('that cannot be sent to is tried again, and an error then', async () => {
    const {queued, network, advance} = setup()
    network.isDown = true
    const failing = watch(queued.call('get_prop'))
    const recovering = watch(queued.call('get_prop'))
    await advance(2000)
    expect(failing.error).toMatchObject({code: 'unreachable', stage: 'send'})
    network.isDown = false
    await advance(2000)
    expect(recovering.error ?? recovering.value).toMatchObject({code: 'unreachable'})
    const later = watch(queued.call('get_prop'))
    await advance(1000)
    expect(later.value).toEqual(['ok'])
  })
})

describe('closing', () => {
  test('ends what runs and what waits, and leaves neither timer nor listener', async () => {
    const {queued, client, plug, network, advance} = setup()
    plug.answer = () => []
    const ended = [
      watch(queued.call('get_prop')),
      watch(queued.call('get_prop', [], {deadline: 9000})),
      watch(queued.call('get_prop', [], {tries: 1})),
      watch(queued.moveTo(ELSEWHERE.host)),
    ]
    await advance(100)
    client.close()
    await advance(0)
    const failed = {code: 'timeout', message: expect.stringContaining('was closed before an answer came')}
    expect(ended.slice(0, 3).map(({error}) => error)).toMatchObject([failed, failed, failed])
    expect(ended.at(-1)?.value).toBe(false)
    expect([clock.pending, network.listeners(HOME)]).toEqual([0, 0])
    const after = watch(queued.call('get_prop'))
    await advance(0)
    expect(after.error).toMatchObject(failed)
  })

  test('ends a look-up and a pause, too', async () => {
    for (const options of [{host: 'desk.lan', lookup: () => new Promise<string>(() => {})}, {}]) {
      const {client, plug, advance} = setup(options)
      plug.answer = ({id}) => [plug.reply({id, error: {code: -30012, message: 'Busy.'}})]
      const call = watch(client.call('get_prop'))
      await advance(100)
      client.close()
      await advance(0)
      expect(call.error).toMatchObject({code: 'timeout'})
      expect(clock.pending).toBe(0)
    }
  })

  test('after a call with a response leaves nothing to end', async () => {
    const {client, advance} = setup()
    watch(client.call('get_prop'))
    await advance(100)
    expect(clock.pending).toBe(0)
    client.close()
  })
})

describe('the trace', () => {
  test('shows every packet decoded, and no token', async () => {
    const seen: TracedPacket[] = []
    const {client, plug, advance} = setup({trace: () => (packet) => seen.push(packet)})
    const token = TOKEN.toString('hex')
    const info = {model: 'chuangmi.plug.m1', token, note: `x${token.toUpperCase()}x`, passwd: 'hun"ter2'}
    plug.answer = ({id}) => [plug.reply({id, result: info}), Buffer.from('noise')]
    watch(client.call('miIO.info'))
    await advance(100)
    expect(seen.map(({direction, kind}) => [direction, kind])).toEqual([
      ['sent', 'hello'],
      ['received', 'hello_reply'],
      ['sent', 'message'],
      ['received', 'message'],
      ['received', 'malformed'],
    ])
    expect(seen[3]).toMatchObject({...HOME, did: DID, stamp: 1000})
    expect(seen[3]?.json).toContain('"model":"chuangmi.plug.m1","token":"***","note":"x***x","passwd":"***"')
    expect(JSON.stringify(seen).toLowerCase()).not.toContain(token)
  })

  test('shows control characters as escapes, and why a payload stays closed', async () => {
    const seen: TracedPacket[] = []
    const {plug, client, advance} = setup({trace: () => (packet) => seen.push(packet)})
    plug.answer = () => [
      plug.reply('"\u001b[31mred'),
      new Cipher(OTHER_TOKEN).seal(DID, 1000, Buffer.from('{}')),
    ]
    watch(client.call('get_prop', [], {tries: 1}))
    await advance(3000)
    expect(seen.slice(-2)).toMatchObject([
      {json: '"\\u001b[31mred'},
      {problem: 'the checksum does not belong to the configured token'},
    ])
  })
})

function setup(options: Partial<Omit<MiioClientOptions, 'socket' | 'clock'>> = {}) {
  const network = new MemoryNetwork(clock)
  const plug = new MemoryPlug(network, clock, {did: DID, token: TOKEN, at: HOME})
  const known = {token: TOKEN, host: HOME.host, did: DID}
  const client = new MiioClient({socket: network, clock, random: seeded(1), ...known, ...options})
  const controller = new AbortController()
  return {
    network,
    plug,
    client,
    queued: queued(clock, client),
    advance: (ms: number) => clock.advance(ms),
    signal: controller.signal,
    abort: () => controller.abort(),
  }
}

interface Watched<T> {
  isSettled: boolean
  value?: T
  error?: MiioError
  settledAt?: number
}

/** What becomes of a promise, and when. An error of any other kind than a MiioError fails the test. */
function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = {isSettled: false}
  const settle = (outcome: {value: T} | {error: MiioError}) =>
    Object.assign(watched, outcome, {isSettled: true, settledAt: clock.now()})
  promise.then(
    (value) => settle({value}),
    (error: unknown) => {
      if (!(error instanceof MiioError)) throw error
      settle({error})
    },
  )
  return watched
}

/** The plug is silent, or answers `before`, until the n-th request. */
function answerFromTry(plug: MemoryPlug, n: number, before: MemoryPlug['answer'] = () => []): void {
  const after = plug.answer
  plug.answer = (request) => (plug.requests.length < n ? before(request) : after(request))
}

function withStamp(packet: Buffer, stamp: number): Buffer {
  const changed = Buffer.from(packet)
  changed.writeUInt32BE(stamp, 12)
  return changed
}

import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {HELLO} from '../../../src/miio/packet.ts'
import {SimulatedPlug, type SimulatedPlugOptions} from '../../../src/simulator/simulated-plug.ts'
import {loopback} from '../../support/addresses.ts'
import {MiioRequester, opened, sealed} from '../../support/miio-requester.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const token = Buffer.from('5a3c1f0e9d8b7a695847362514039281', 'hex')
const did = 0x0f1e2d3c
const STATUS = {id: 2, method: 'get_prop', params: ['power', 'temperature']}
const ON = {id: 3, method: 'set_power', params: ['on']}
const OK = '{"id":3,"result":["ok"]}\0'

let clock: VirtualClock
let client: MiioRequester
const running: SimulatedPlug[] = []

beforeEach(async () => {
  clock = new VirtualClock()
  client = await new MiioRequester().open()
})

afterEach(async () => {
  client.close()
  await Promise.all(running.splice(0).map((plug) => plug.stop()))
  expect(clock.pending).toBe(0)
})

async function start(options: Partial<SimulatedPlugOptions> = {}): Promise<SimulatedPlug> {
  const plug = new SimulatedPlug({
    model: 'chuangmi.plug.m1',
    did,
    token,
    address: loopback(60, 1),
    clock,
    random: seeded(1),
    state: {state: 'OFF', temperature: 32},
    uptimeS: 123456,
    ...options,
  })
  running.push(plug)
  await plug.start()
  return plug
}

describe('hello', () => {
  it('gets a reply with the id and the uptime, the token hidden as FF', async () => {
    const [reply] = await client.exchange(await start(), HELLO)
    expect(reply?.toString('hex')).toBe(`21310020000000000f1e2d3c0001e240${'ff'.repeat(16)}`)
  })

  it.each([
    ['00', '00'.repeat(16)],
    ['token', token.toString('hex')],
  ] as const)('shows %s where the firmware does so', async (helloShows, slot) => {
    const [reply] = await client.exchange(await start({profile: {helloShows}}), HELLO)
    expect(reply?.toString('hex', 16)).toBe(slot)
  })

  it('can be lost, but neither refused nor garbled', async () => {
    const plug = await start({faults: {garbage: 1, error: {code: -9999, share: 1}}})
    expect(await client.exchange(plug, HELLO)).toEqual([
      Buffer.from(`21310020000000000f1e2d3c0001e240${'ff'.repeat(16)}`, 'hex'),
    ])
    plug.setFaults({loss: 1})
    client.send(HELLO, plug.address)
    const other = await start({address: loopback(60, 2)})
    expect(await client.exchange(other, HELLO)).toHaveLength(1)
  })

  it('can have two replies', async () => {
    expect(await client.exchange(await start({faults: {duplicate: 1}}), HELLO)).toHaveLength(2)
  })

  it('returns a stamp and a checksum that are not blank', async () => {
    const hello = Buffer.from(`21310020${'ff'.repeat(8)}000004d2${'ab'.repeat(16)}`, 'hex')
    const [reply] = await client.exchange(await start(), hello)
    expect(reply?.toString('hex')).toBe(`21310020000000000f1e2d3c000004d2${'ab'.repeat(16)}`)
  })

  it('gets no reply when it has an id', async () => {
    const hello = Buffer.from(HELLO).fill(0, 4, 8)
    expect(await client.exchange(await start(), hello)).toEqual([])
  })
})

describe('a request', () => {
  it('is executed, and the response has the clock of the plug and ends with one NUL', async () => {
    const plug = await start()
    const [reply] = await client.exchange(plug, sealed(plug, ON))
    expect(reply?.readUInt32BE(8)).toBe(did)
    expect(reply?.readUInt32BE(12)).toBe(123456)
    expect(reply && opened(plug, reply)).toBe(OK)
    expect(plug.state['state']).toBe('ON')
    expect(plug.received).toEqual([{method: 'set_power', params: ['on'], id: 3, at: 0}])
  })

  it('reads the new state after the button was pressed', async () => {
    const plug = await start()
    plug.state['state'] = 'ON'
    expect(await client.ask(plug, STATUS)).toBe('{"id":2,"result":["on",32]}\0')
  })

  it('may be followed by bytes beyond its declared length', async () => {
    const plug = await start()
    const request = Buffer.concat([sealed(plug, ON), Buffer.from('deadbeef00', 'hex')])
    const [reply] = await client.exchange(plug, request)
    expect(reply && opened(plug, reply)).toBe(OK)
  })

  it('with id 0, or none, is executed without a response', async () => {
    const plug = await start()
    const off = {method: 'set_power', params: ['off']}
    expect(await client.exchange(plug, sealed(plug, {...ON, id: 0}))).toEqual([])
    expect(plug.state['state']).toBe('ON')
    expect(await client.exchange(plug, sealed(plug, off))).toEqual([])
    expect(plug.state['state']).toBe('OFF')
  })

  it('of the greatest length of an m1 gets a response, one block more gets none', async () => {
    const plug = await start()
    const padded = (bytes: number) => JSON.stringify(ON).padEnd(bytes - 1)
    const longest = sealed(plug, padded(960))
    expect(longest.length).toBe(32 + 960)
    expect(await client.exchange(plug, longest)).toHaveLength(1)
    await clock.advance(3000)
    expect(await client.exchange(plug, sealed(plug, padded(976)))).toEqual([])
  })

  it('has exe_time in its response where the firmware sends it', async () => {
    const plug = await start({profile: {exeTime: true}})
    expect(await client.ask(plug, ON)).toBe('{"id":3,"result":["ok"],"exe_time":20}\0')
  })
})

describe('the plug does not respond to', () => {
  const packets: [string, (plug: SimulatedPlug) => Buffer][] = [
    ['another plug id', (plug) => plug.cipher.seal(did + 1, 123456, Buffer.from(JSON.stringify(ON)))],
    ['another magic', (plug) => sealed(plug, ON).fill(0x22, 0, 1)],
    ['a stamp 61 s late', (plug) => sealed(plug, ON, 123456 - 61)],
    ['a stamp 61 s early', (plug) => sealed(plug, ON, 123456 + 61)],
    ['a stale stamp under a wrong token', (plug) => sealed(plug, ON, 1).fill(0xaa, 16, 32)],
    ['a length that promises more than came', (plug) => sealed(plug, ON).subarray(0, 48)],
    ['a length below that of a header', (plug) => sealed(plug, ON).fill(0, 2, 4)],
    ['half a header', () => HELLO.subarray(0, 16)],
    ['an empty datagram', () => Buffer.alloc(0)],
    ['JSON that does not parse', (plug) => sealed(plug, '{"id":3,"method":')],
  ]

  it.each(packets)('%s', async (_, make) => {
    const plug = await start()
    expect(await client.exchange(plug, make(plug))).toEqual([])
    expect(plug.received).toEqual([])
  })

  it('no stamp less than a minute off', async () => {
    const plug = await start()
    const [late, early] = [sealed(plug, ON, 123456 - 60), sealed(plug, {...ON, id: 4}, 123456 + 60)]
    expect(await client.exchange(plug, late, early)).toHaveLength(2)
  })

  it('no stamp where the firmware does not check it', async () => {
    const plug = await start({profile: {stampWindowS: Number.POSITIVE_INFINITY}})
    expect(await client.exchange(plug, sealed(plug, ON, 5))).toHaveLength(1)
  })
})

describe('a wrong token', () => {
  const wrong = (plug: SimulatedPlug) => sealed(plug, ON).fill(0xaa, 16, 32)

  it('gets the head of the request, its length included, and FF', async () => {
    const plug = await start()
    const request = wrong(plug)
    const [reply, ...more] = await client.exchange(plug, request)
    expect(reply?.toString('hex')).toBe(request.toString('hex', 0, 16) + 'ff'.repeat(16))
    expect(more).toEqual([])
    expect(plug.state['state']).toBe('OFF')
  })

  it('gets no response from other firmware', async () => {
    const plug = await start({profile: {wrongToken: 'silent'}})
    expect(await client.exchange(plug, wrong(plug))).toEqual([])
  })

  it('is the former token after a new set-up', async () => {
    const plug = await start()
    const request = sealed(plug, ON)
    plug.changeToken(Buffer.alloc(16, 7))
    expect((await client.exchange(plug, request)).map((reply) => reply.length)).toEqual([32])
    expect(await client.ask(plug, ON)).toBe(OK)
  })

  it('as a fault means that the right token is refused, too', async () => {
    const plug = await start({faults: {wrongToken: 'nak'}})
    expect((await client.exchange(plug, sealed(plug, ON))).map((reply) => reply.length)).toEqual([32])
    plug.setFaults({wrongToken: 'silent'})
    expect(await client.exchange(plug, sealed(plug, ON))).toEqual([])
    plug.setFaults({})
    expect(await client.ask(plug, ON)).toBe(OK)
  })
})

describe('an id used before', () => {
  const off = {...ON, params: ['off']}

  it('gets the earlier response and is not executed, whatever the request', async () => {
    const plug = await start()
    expect(await client.ask(plug, ON)).toBe(OK)
    expect(await client.ask(plug, off)).toBe(OK)
    expect(await client.ask(plug, {...STATUS, id: 3})).toBe(OK)
    expect(plug.state['state']).toBe('ON')
    expect(plug.received).toHaveLength(1)
  })

  it('is a new one again after two seconds', async () => {
    const plug = await start()
    await client.ask(plug, ON)
    await clock.advance(2000)
    await client.ask(plug, off)
    expect(plug.state['state']).toBe('OFF')
  })

  it('is a new one again after six others', async () => {
    const plug = await start()
    await client.ask(plug, ON)
    for (const id of [11, 12, 13, 14, 15, 16]) await client.ask(plug, {...STATUS, id})
    await client.ask(plug, off)
    expect(plug.state['state']).toBe('OFF')
  })

  it('is dropped by other firmware', async () => {
    const plug = await start({profile: {repeats: 'dropped'}})
    expect(await client.exchange(plug, sealed(plug, ON), sealed(plug, off))).toHaveLength(1)
    expect(plug.state['state']).toBe('ON')
  })

  it('gets "ok" without any action from yet other firmware', async () => {
    const plug = await start({profile: {repeats: 'ok'}})
    await client.ask(plug, {...STATUS, id: 3})
    expect(await client.ask(plug, ON)).toBe(OK)
    expect(plug.state['state']).toBe('OFF')
  })
})

describe('power', () => {
  it('that fails means no response, then a clock at 0 and an empty cache of responses', async () => {
    const plug = await start()
    await client.ask(plug, ON)
    plug.next({delayMs: 100})
    client.send(sealed(plug, {...ON, id: 4}), plug.address)
    await reached(() => plug.inFlight === 1)
    plug.powerCycle(5000)
    expect(plug.inFlight).toBe(0)
    client.send(HELLO, plug.address)
    await client.exchange(await start({address: loopback(60, 2)}))
    await clock.advance(5000)
    const [hello, ...more] = await client.exchange(plug, HELLO)
    expect(hello?.readUInt32BE(12)).toBe(0)
    expect(more).toEqual([])
    await client.ask(plug, {...ON, params: ['off']})
    expect(plug.state['state']).toBe('OFF')
  })

  it('fails periodically as a fault', async () => {
    const plug = await start({faults: {rebootEveryMs: 60_000}})
    await clock.advance(60_000 + 4000)
    expect(plug.uptimeS).toBe(0)
    await clock.advance(56_000 + 4000)
    expect(plug.uptimeS).toBe(0)
  })
})

describe('an address', () => {
  it('that the plug has left does not respond', async () => {
    const plug = await start()
    await plug.moveTo(loopback(60, 2))
    expect(plug.address).toBe(loopback(60, 2))
    client.send(HELLO, loopback(60, 1))
    expect(await client.exchange(plug, HELLO)).toHaveLength(1)
    const other = await start({did: 5})
    expect(other.address).toBe(loopback(60, 1))
  })

  it('that is taken is an error with the address, and changes nothing', async () => {
    const plug = await start()
    const other = await start({address: loopback(60, 2)})
    await expect(other.moveTo(loopback(60, 1))).rejects.toThrow(`UDP ${loopback(60, 1)}:54321 is taken`)
    await expect(start()).rejects.toThrow('EADDRINUSE')
    expect(await client.exchange(other, HELLO)).toHaveLength(1)
    expect(await client.exchange(plug, HELLO)).toHaveLength(1)
  })

  it('of another machine is an error with the address', async () => {
    await expect(start({address: '192.0.2.1'})).rejects.toThrow(
      'UDP 192.0.2.1:54321 is not an address of this machine',
    )
  })

  it('changes periodically as a fault', async () => {
    const plug = await start({faults: {addressChangeEveryMs: 30_000}})
    const first = plug.address
    const [, network, ...rest] = first.split('.')
    const other = ['127', Number(network) + 1, ...rest].join('.')
    await clock.advance(30_000)
    await reached(() => plug.address === other)
    await clock.advance(30_000)
    await reached(() => plug.address === first)
    expect(await client.exchange(plug, HELLO)).toHaveLength(1)
  })
})

describe('a scripted fault of the next request only', () => {
  it('loses the request', async () => {
    const plug = await start()
    plug.next({loseRequest: true})
    expect(await client.exchange(plug, sealed(plug, ON))).toEqual([])
    expect(plug.state['state']).toBe('OFF')
    expect(await client.ask(plug, ON)).toBe(OK)
  })

  it('loses the response', async () => {
    const plug = await start()
    plug.next({}, {loseResponse: true})
    await client.ask(plug, STATUS)
    expect(await client.exchange(plug, sealed(plug, ON))).toEqual([])
    expect(plug.state['state']).toBe('ON')
  })

  it('delays the response, with the values at the time of the request', async () => {
    const plug = await start()
    plug.next({delayMs: 500})
    client.send(sealed(plug, STATUS), plug.address)
    await reached(() => plug.inFlight === 1)
    expect(await client.exchange(plug, sealed(plug, ON))).toHaveLength(1)
    expect(plug.maxInFlight).toBe(2)
    await clock.advance(500)
    const [late] = await client.exchange(plug)
    expect(late && opened(plug, late)).toBe('{"id":2,"result":["off",32]}\0')
    expect(plug.inFlight).toBe(0)
  })

  it('doubles the response', async () => {
    const plug = await start()
    plug.next({copies: 2})
    expect(await client.exchange(plug, sealed(plug, ON))).toHaveLength(2)
    expect(plug.received).toHaveLength(1)
  })

  it('garbles the response, in bytes or in text', async () => {
    const plug = await start()
    plug.next({garble: {datagram: Buffer.from('hi')}}, {garble: {payload: '{"id":$id,"result":[,]}'}})
    expect(await client.exchange(plug, sealed(plug, ON))).toEqual([Buffer.from('hi')])
    expect(await client.ask(plug, STATUS)).toBe('{"id":2,"result":[,]}\0')
  })

  it('refuses the request', async () => {
    const plug = await start()
    plug.next({refuse: {code: -5001, message: 'invalid_arg'}})
    expect(await client.ask(plug, ON)).toBe('{"id":3,"error":{"code":-5001,"message":"invalid_arg"}}\0')
    expect(plug.state['state']).toBe('OFF')
  })

  it('sends the id of another request', async () => {
    const plug = await start()
    plug.next({wrongId: true})
    expect(await client.ask(plug, ON)).toBe('{"id":4,"result":["ok"]}\0')
  })

  it('does not apply to hellos', async () => {
    const plug = await start()
    plug.next({loseRequest: true})
    expect(await client.exchange(plug, HELLO)).toHaveLength(1)
    expect(await client.exchange(plug, sealed(plug, ON))).toEqual([])
  })
})

it('silence as a fault drops every packet', async () => {
  const plug = await start({faults: {silence: true}})
  client.send(sealed(plug, ON), plug.address)
  const other = await start({address: loopback(60, 2)})
  expect(await client.exchange(other, HELLO)).toHaveLength(1)
  plug.setFaults({})
  expect(await client.exchange(plug)).toEqual([])
  expect(plug.received).toEqual([])
})

it('keeps only the latest requests', async () => {
  const plug = await start({remember: 2})
  for (const id of [1, 2, 3]) await client.ask(plug, {...STATUS, id})
  expect(plug.received.map((request) => request.id)).toEqual([2, 3])
})

it('a model without a definition is an error that lists the known models', async () => {
  await expect(start({model: 'acme.plug.v1'})).rejects.toThrow(/"acme.plug.v1".*chuangmi\.plug\.v1/)
})

/** Waits until `condition` holds; the timeout of the test ends the wait. */
async function reached(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

import {describe, expect, it} from 'vitest'
import {CommandError, toCommandError} from '../../../src/device/command-error.ts'
import {Device} from '../../../src/device/device.ts'
import {diagnoseFailure, type FailureContext} from '../../../src/device/diagnosis.ts'
import {Poller} from '../../../src/device/polling/poller.ts'
import {MiioClient} from '../../../src/miio/client.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import {MemoryNetwork} from '../../support/memory-network.ts'
import {TOKEN} from '../../support/token.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const LOOPBACK = {address: '127.0.0.1', netmask: '255.0.0.0'}
const HOME = {address: '192.168.1.7', netmask: '255.255.255.0'}

const noHello = new MiioError('timeout', 'hello', 'no hello')
const noAnswer = new MiioError('timeout', 'request', 'hello answered')
const nak = new MiioError('bad_token', 'request', 'checksum')
const noName = new MiioError(
  'unreachable',
  'send',
  'cannot look up kettle.local: getaddrinfo ENOTFOUND kettle.local',
)
const unsent = (errno: string) =>
  new MiioError('unreachable', 'send', `cannot send to 192.168.1.40:54321: in words (${errno})`)
const moved = new MiioError(
  'unreachable',
  'hello',
  'expected device 1 at 192.168.1.40:54321, but another device answers there: 2; the address has changed',
)
const refused = new MiioError('refused', 'request', 'refused')

const home: FailureContext = {host: '192.168.1.40', proven: false, local: () => [LOOPBACK, HOME]}
const alone: FailureContext = {...home, local: () => [LOOPBACK]}
const named: FailureContext = {...home, host: 'kettle.local', address: '192.168.1.40'}

describe('a diagnosis', () => {
  it.each<[string, unknown, FailureContext, string, string, RegExp]>([
    [
      'no answer',
      noHello,
      home,
      'no_hello',
      'timeout',
      /^no answer from 192\.168\.1\.40: is the plug powered/,
    ],
    ['a name, and no answer', noHello, named, 'no_hello', 'timeout', /kettle\.local \(192\.168\.1\.40\)/],
    [
      'a hello, and never an answer',
      noAnswer,
      home,
      'token_wrong',
      'bad_token',
      /^token wrong \(probably\): the plug at 192\.168\.1\.40 answers a hello/,
    ],
    [
      'a hello, and an answer before',
      noAnswer,
      {...home, proven: true},
      'no_answer',
      'timeout',
      /before.*token/,
    ],
    [
      'a plug that reports it',
      nak,
      named,
      'token_wrong',
      'bad_token',
      /^token wrong: the plug at kettle\.local .* rejects it/,
    ],
    [
      'an address elsewhere',
      noHello,
      {...home, host: '192.168.2.40'},
      'other_subnet',
      'timeout',
      /192\.168\.2\.40 is in another subnet than this machine \(127\.0\.0\.1\/8, 192\.168\.1\.7\/24\)/,
    ],
    [
      'a name that stands for an address elsewhere',
      noHello,
      {...named, address: '10.0.0.5'},
      'other_subnet',
      'timeout',
      /kettle\.local \(10\.0\.0\.5\) is in another subnet/,
    ],
    [
      'a plug on this machine itself',
      noHello,
      {...alone, host: '127.0.0.9'},
      'no_hello',
      'timeout',
      /127\.0\.0\.9/,
    ],
    ['nothing but loopback', noHello, alone, 'no_route', 'timeout', /no network connection.*192\.168\.1\.40/],
    [
      'nothing but loopback, and no route',
      unsent('ENETUNREACH'),
      alone,
      'no_route',
      'unreachable',
      /no network/,
    ],
    [
      'nothing but loopback, and a name',
      noName,
      {...alone, host: 'kettle.local'},
      'no_route',
      'unreachable',
      /no network connection.*kettle\.local/,
    ],
    ['no route', unsent('ENETUNREACH'), home, 'no_route', 'unreachable', /192\.168\.1\.40.*ENETUNREACH/],
    [
      'a firewall, on a machine with nothing but loopback',
      unsent('EPERM'),
      alone,
      'no_route',
      'unreachable',
      /EPERM/,
    ],
    [
      'no route to a name',
      unsent('EHOSTUNREACH'),
      named,
      'no_route',
      'unreachable',
      /kettle\.local.*192\.168\.1\.40/,
    ],
    [
      'a name that cannot be resolved',
      noName,
      {...home, host: 'kettle.local'},
      'no_route',
      'unreachable',
      /^cannot resolve kettle\.local: .*ENOTFOUND/,
    ],
    ['another plug', moved, home, 'other_device', 'unreachable', /another device answers there/],
    [
      'a rejected request',
      refused,
      home,
      'request_unsupported',
      'unsupported',
      /192\.168\.1\.40 answers, but rejects the requests/,
    ],
    [
      'a system that does not tell its addresses',
      noHello,
      {...home, local: () => []},
      'no_hello',
      'timeout',
      /./,
    ],
    [
      'nothing known at all',
      new CommandError('timeout', 'late'),
      {},
      'no_hello',
      'timeout',
      /^no answer from its address: /,
    ],
  ])('(%s) is the same for an error and a command', (_, error, context, code, reason, message) => {
    for (const failure of [error, toCommandError(error)])
      expect(diagnoseFailure(failure, context)).toMatchObject({
        code,
        reason,
        message: expect.stringMatching(message),
        title: expect.stringMatching(/./),
        advice: expect.stringMatching(/./),
      })
  })
})

describe('the diagnosis of a plug on a network', () => {
  async function polled(host: string, lookup: (host: string) => Promise<string>, local = [LOOPBACK, HOME]) {
    const clock = new VirtualClock()
    const client = new MiioClient({
      socket: new MemoryNetwork(clock),
      clock,
      random: seeded(1),
      token: Buffer.from(TOKEN, 'hex'),
      host,
      lookup,
    })
    const device = new Device({
      name: 'desk',
      transport: client,
      clock,
      identity: {model: 'chuangmi.plug.m1'},
      findModel: (id) => builtIn.find(id),
      failureContext: () => ({host: client.host, address: client.address, local: () => local}),
    })
    const settings = {interval: 15_000, slow_interval: 60_000}
    const poller = new Poller({device, clock, random: seeded(1), settings})
    poller.start()
    await clock.advance(10_000)
    const command = device.set('state', 'ON', clock.now() + 10_000).catch((error: unknown) => error)
    await clock.advance(10_000)
    return {availability: device.availability, result: await command}
  }

  it('names the host and the address that its name stands for', async () => {
    const {availability} = await polled('kettle.local', () => Promise.resolve('192.168.1.40'))
    expect(availability).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('kettle.local (192.168.1.40)'),
    })
  })

  it('names the name that cannot be resolved', async () => {
    const {availability, result} = await polled('kettle.local', () =>
      Promise.reject(new Error('getaddrinfo ENOTFOUND kettle.local')),
    )
    expect(availability).toMatchObject({
      reason: 'unreachable',
      message: expect.stringMatching(/^cannot resolve kettle\.local/),
    })
    expect(result).toMatchObject({code: 'unreachable', message: expect.stringContaining('kettle.local')})
  })

  it('names the other subnet, also in the result of a command', async () => {
    const {availability, result} = await polled('10.0.0.5', () => Promise.resolve(''))
    expect(availability).toMatchObject({message: expect.stringMatching(/10\.0\.0\.5 is in another subnet/)})
    expect(result).toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(
        /10\.0\.0\.5:54321 did not answer .*; other subnet: 10\.0\.0\.5 is not in a network of this machine/,
      ),
    })
  })

  it('reports that the machine itself has no network', async () => {
    const {availability, result} = await polled('10.0.0.5', () => Promise.resolve(''), [LOOPBACK])
    expect(availability).toMatchObject({message: expect.stringMatching(/^this machine has no network/)})
    expect(result).toMatchObject({message: expect.stringMatching(/this machine has no network/)})
  })
})

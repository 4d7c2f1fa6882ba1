import {Socket} from 'node:dgram'
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest'
import {HELLO} from '../../../src/miio/packet.ts'
import {MiioSocket, sendDatagram} from '../../../src/miio/socket.ts'
import {until} from '../../support/wait.ts'

let socket: MiioSocket
let opened: Socket[]
let errors: string[]

beforeEach(async () => {
  opened = []
  errors = []
  const bind = Socket.prototype.bind
  vi.spyOn(Socket.prototype, 'bind').mockImplementation(function (this: Socket, ...args: unknown[]) {
    opened.push(this)
    return Reflect.apply(bind, this, args)
  })
  socket = new MiioSocket({onError: (text) => errors.push(text)})
  await socket.open()
})

afterEach(async () => {
  vi.restoreAllMocks()
  await socket.close()
})

/** What the kernel hands over goes to the socket that was opened last. */
const current = () => opened.at(-1) ?? expect.fail()

describe('an error of the UDP socket', () => {
  test('is reported in words, counted, and ends nothing', async () => {
    const error = Object.assign(new Error('recvmsg ENETDOWN'), {code: 'ENETDOWN'})
    current().emit('error', error)
    expect(errors).toEqual([expect.stringMatching(/UDP socket.*network interface is down \(ENETDOWN\)/)])
    expect(socket.counters.errors).toBe(1)
    await sendDatagram(socket, HELLO, {host: '127.0.0.1', port: 9})
  })

  test('that closes it costs one socket: the next packet leaves through another, which also receives', async () => {
    current().close()
    await until(() => errors.length > 0, {what: 'the loss'})
    expect(errors).toEqual([expect.stringMatching(/closed by the system.*opened again/)])
    await Promise.all([1, 2, 3].map(() => sendDatagram(socket, HELLO, {host: '127.0.0.1', port: 9})))
    expect(opened).toHaveLength(2)
    let received = 0
    socket.onUnsolicited(() => received++)
    current().emit('message', HELLO, {address: '127.0.0.1', port: 54321})
    expect(received).toBe(1)
  })

  test('that keeps it from being opened again is the failure of what was to be sent, until it can be', async () => {
    current().close()
    await until(() => errors.length > 0, {what: 'the loss'})
    const bind = vi.spyOn(Socket.prototype, 'bind').mockImplementation(() => {
      throw Object.assign(new Error('bind EMFILE'), {code: 'EMFILE'})
    })
    await expect(sendDatagram(socket, HELLO, {host: '127.0.0.1', port: 9})).rejects.toMatchObject({
      code: 'unreachable',
      stage: 'send',
    })
    bind.mockRestore()
    await sendDatagram(socket, HELLO, {host: '127.0.0.1', port: 9})
  })

  test('after close is not reported', async () => {
    await socket.close()
    expect(errors).toEqual([])
    await expect(sendDatagram(socket, HELLO, {host: '127.0.0.1', port: 9})).rejects.toThrow(
      'the socket is not open',
    )
  })
})

test.each([
  ['setBroadcast', 'unreachable'],
  ['bind', 'unreachable'],
] as const)('a system that refuses %s makes opening fail in words', async (step, code) => {
  vi.spyOn(Socket.prototype, step).mockImplementation(() => {
    throw Object.assign(new Error(`${step} EBADF`), {code: 'EBADF'})
  })
  await expect(new MiioSocket().open()).rejects.toMatchObject({
    code,
    message: expect.stringContaining('EBADF'),
  })
})

test('a system that grants no larger receive buffer is no reason not to open', async () => {
  vi.spyOn(Socket.prototype, 'setRecvBufferSize').mockImplementation(() => {
    throw Object.assign(new Error('ENOBUFS'), {code: 'ERR_SOCKET_BUFFER_SIZE'})
  })
  const another = new MiioSocket()
  await another.open()
  await another.close()
})

test.each([0, 65_536, -1, Number.NaN])('a packet to port %d is one that could not leave', async (port) => {
  await expect(sendDatagram(socket, HELLO, {host: '127.0.0.1', port})).rejects.toMatchObject({
    code: 'unreachable',
    stage: 'send',
  })
})

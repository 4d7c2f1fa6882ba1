import {describe, expect, it} from 'vitest'
import {CommandFailed, toCommandFailed} from '../../../src/cli/errors.ts'
import {toCommandError} from '../../../src/device/command-error.ts'
import type {FailureContext} from '../../../src/device/diagnosis.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'

// Failures for which a packet would have to leave this machine. The others are tested with the real program (test/e2e/cli.test.ts).
const noHello = new MiioError('timeout', 'hello', 'no answer to 3 hellos')
const noName = new MiioError('unreachable', 'send', 'cannot look up plug.lan: not found')

const home: FailureContext = {
  host: '192.168.1.40',
  proven: false,
  local: () => [
    {address: '127.0.0.1', netmask: '255.0.0.0'},
    {address: '192.168.1.7', netmask: '255.255.254.0'},
  ],
}

function messageOf(error: unknown, context: FailureContext = {}): string {
  const failure = toCommandFailed(error, {...home, ...context})
  if (!(failure instanceof CommandFailed)) throw new Error('expected a failed command')
  return failure.message
}

describe('the error of a failed call', () => {
  it('is another subnet when no hello comes back from an address outside of our subnets, which are listed', () => {
    expect(messageOf(noHello, {host: '198.51.100.7'})).toMatch(
      /^other subnet: 198\.51\.100\.7 is not in a network of this machine \(127\.0\.0\.1\/8, 192\.168\.1\.7\/23\)\nno answer to 3 hellos\n.*masquerade/,
    )
  })

  it.each(['192.168.1.40', '192.168.0.200', '127.0.0.1'])(
    'is a missing hello at %s, inside a real netmask',
    (host) => {
      expect(messageOf(noHello, {host})).toMatch(/^no hello: /)
    },
  )

  it('is a name that cannot be resolved', () => {
    expect(messageOf(noName, {host: 'plug.lan'})).toMatch(
      /^no route: the host name cannot be resolved\ncannot look up plug\.lan/,
    )
  })

  it('is the network of this machine when nothing but loopback is left', () => {
    const local = () => [{address: '127.0.0.1', netmask: '255.0.0.0'}]
    expect(messageOf(noHello, {local})).toMatch(/^no route: this machine has no network connection\n/)
    expect(messageOf(noName, {local, host: 'plug.lan'})).toMatch(
      /^no route: .*\n.*\n.*this machine has no network connection/,
    )
    expect(messageOf(noHello, {local, host: '127.0.0.9'})).toMatch(/^no hello: /)
  })

  it('is no route when the name was resolved, and its address cannot be reached', () => {
    const noRoute = new MiioError('unreachable', 'send', 'cannot send to 192.168.1.40:54321: no route')
    expect(messageOf(noRoute, {host: 'plug.lan', address: '192.168.1.40'})).toMatch(
      /^no route: the packet could not leave/,
    )
  })

  it('is the same for an error that came through a command', () => {
    expect(messageOf(toCommandError(noHello), {host: '198.51.100.7'})).toMatch(/^other subnet: /)
  })

  it('is passed on unchanged when it is a bug', () => {
    const bug = new TypeError('undefined is not a function')
    expect(toCommandFailed(bug, home)).toBe(bug)
  })
})

import {beforeEach, describe, expect, it} from 'vitest'
import {CommandError, isTokenRefused} from '../../../src/device/command-error.ts'
import {Device} from '../../../src/device/device.ts'
import type {Availability} from '../../../src/device/polling/availability.ts'
import {Poller} from '../../../src/device/polling/poller.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import {CallFailed, ScriptedPlug} from '../../support/scripted-plug.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const SECOND = 1000

/** What the wire fails with when the plug seems to say that the token is wrong. */
function denied(provenBefore: boolean): CallFailed {
  return Object.assign(new CallFailed('bad_token'), {provenBefore})
}

let clock: VirtualClock
let plug: ScriptedPlug
let availabilities: Availability[]

beforeEach(async () => {
  clock = new VirtualClock()
  plug = new ScriptedPlug(clock)
  const identity = {model: 'chuangmi.plug.m1'}
  const device = new Device({
    name: 'desk',
    transport: plug,
    clock,
    identity,
    findModel: (id) => builtIn.find(id),
  })
  const settings = {interval: 10 * SECOND, slow_interval: 60 * SECOND}
  availabilities = []
  const poller = new Poller({device, clock, random: seeded(1), settings})
  device.listener = {
    availabilityChanged: (availability) => availabilities.push(availability),
    answeredWhileAway: () => poller.pollNow(),
  }
  poller.start()
  await clock.advance(60 * SECOND)
})

describe('a "checksum wrong" in the name of a plug that has answered under its token', () => {
  it('does not take it offline by one poll', async () => {
    plug.failure = denied(true)
    await clock.advance(12 * SECOND)
    plug.failure = undefined
    await clock.advance(60 * SECOND)
    expect(availabilities).toEqual([{state: 'online'}])
  })

  it('takes it offline by three polls in a row, with the reason bad_token', async () => {
    plug.failure = denied(true)
    await clock.advance(40 * SECOND)
    expect(availabilities).toMatchObject([{state: 'online'}, {state: 'offline', reason: 'bad_token'}])
  })
})

describe('one failure is certain', () => {
  const wire = denied(true)
  it.each([
    ['a token that never worked', denied(false), true],
    ['a token that never worked, in a command', asCommand(denied(false)), true],
    ['a token that worked before', wire, false],
    ['a token that worked before, in a command', asCommand(wire), false],
    ['silence', new CallFailed('timeout'), false],
    ['nothing that is an error', undefined, false],
  ])('%s: %#', (_, error, expected) => {
    expect(isTokenRefused(error)).toBe(expected)
  })
})

function asCommand(cause: CallFailed): CommandError {
  return new CommandError(cause.code, cause.message, undefined, cause)
}

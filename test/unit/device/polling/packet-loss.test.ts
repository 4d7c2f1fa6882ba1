import {expect, it} from 'vitest'
import {CommandExecutor} from '../../../../src/bridge/commands/execute-command.ts'
import {Group} from '../../../../src/bridge/group.ts'
import type {Plug} from '../../../../src/bridge/plug.ts'
import {Device} from '../../../../src/device/device.ts'
import {builtIn} from '../../../../src/models/catalogue.ts'
import type {MemoryPlug} from '../../../support/memory-network.ts'
import {seeded, VirtualClock} from '../../../support/virtual-clock.ts'
import {home} from '../../miio/client-setup.ts'

const COMMANDS = 500
const COMMAND_MS = 10_000
const LOSS = 0.2
const MODEL = 'chuangmi.plug.m1'

/** A plug behind a network that loses a fifth of all datagrams in each direction. */
function lossy(clock: VirtualClock, seed: number, isIntroduced: boolean) {
  const {client, network, plug} = home(clock, {random: seeded(seed)})
  const chance = seeded(seed + 1000)
  const values = new Map<unknown, unknown>([['power', 'off']])
  const answers: Record<string, (params: unknown[]) => unknown> = {
    'miIO.info': () => ({model: MODEL, fw_ver: '1.2.4_16', hw_ver: 'MW300', mac: '28:6C:07:0A:0B:0C'}),
    get_prop: (names) => names.map((name) => values.get(name) ?? null),
    set_power: ([value]) => {
      values.set('power', value)
      return ['ok']
    },
  }
  plug.answer = ({id, method, params}) => {
    const result = answers[method]?.(Array.isArray(params) ? params : [])
    return result === undefined ? [] : [plug.reply({id, result})]
  }
  network.loses = () => chance() < LOSS
  const identity = isIntroduced ? {model: MODEL} : {}
  const device = new Device({
    name: 'desk',
    transport: client,
    clock,
    identity,
    findModel: (id) => builtIn.find(id),
  })
  return {device, values}
}

/** How many first commands after a start succeed, by whatever `command` does with the plug. */
async function succeeded(
  isIntroduced: boolean,
  command: (device: Device, deadline: number, clock: VirtualClock) => Promise<unknown>,
): Promise<number> {
  let count = 0
  for (let seed = 0; seed < COMMANDS; seed++) {
    const clock = new VirtualClock()
    const {device, values} = lossy(clock, seed, isIntroduced)
    let isDone = false
    command(device, clock.now() + COMMAND_MS, clock).then(
      () => (isDone = true),
      () => {},
    )
    await clock.advance(COMMAND_MS + 100)
    if (isDone) {
      count++
      expect(values.get('power')).toBe('on')
    }
    await device.stop(0)
  }
  return count
}

const set = (sent: string) => async (device: Device, deadline: number) => {
  await device.ready({deadline})
  await device.set('state', sent, deadline)
}

it.each([
  ['ON', true],
  ['TOGGLE', true],
  ['ON', false],
  ['TOGGLE', false],
] as const)(
  'of first commands %s, to a plug whose model is known: %s, 95 % succeed where a fifth of all datagrams is lost',
  async (sent, isIntroduced) => {
    expect(await succeeded(isIntroduced, set(sent))).toBeGreaterThanOrEqual(0.95 * COMMANDS)
  },
)

it('of TOGGLEs to a group of one plug 95 % succeed where a fifth of all datagrams is lost', async () => {
  const toggle = async (device: Device, deadline: number, clock: VirtualClock) => {
    const plug = {name: 'desk', device, disabled: false, duplicateOf: undefined} as Partial<Plug> as Plug
    const group = new Group('evening', {members: ['desk']}, new Map([['desk', plug]]))
    const plugStates = {publishState: () => {}}
    const [outcome] = await new CommandExecutor(clock, plugStates).execute(
      group,
      {set: {state: 'TOGGLE'}},
      () => deadline,
    )
    if (outcome?.failure) throw outcome.failure
  }
  expect(await succeeded(true, toggle)).toBeGreaterThanOrEqual(0.95 * COMMANDS)
})

it.each([
  [
    'that takes the token for wrong without a word',
    'request',
    (plug: MemoryPlug) => (plug.answer = () => []),
  ],
  ['that is not there', 'hello', (plug: MemoryPlug) => (plug.replyToHello = () => [])],
] as const)(
  'a plug %s, and never answered, fails with the stage at which it was silent',
  async (_, stage, silence) => {
    const clock = new VirtualClock()
    const {client, plug} = home(clock)
    silence(plug)
    const device = new Device({name: 'desk', transport: client, clock, findModel: (id) => builtIn.find(id)})
    let failure: unknown
    device.ready({deadline: clock.now() + COMMAND_MS}).catch((error: unknown) => (failure = error))
    await clock.advance(COMMAND_MS + 100)
    expect(failure).toMatchObject({code: 'timeout', cause: {stage}})
  },
)

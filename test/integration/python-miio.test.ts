import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {SimulatedNetwork} from '../../src/simulator/simulated-network.ts'
import {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {miiocli, python, pythonMiio} from '../support/python-miio.ts'
import {seeded, VirtualClock} from '../support/virtual-clock.ts'

const clock = new VirtualClock()
const random = seeded(1)
const token = Buffer.from('5a3c1f0e9d8b7a695847362514039281', 'hex')

const v1 = plug('chuangmi.plug.v1', 1, {state: 'ON', usb: 'OFF', temperature: 41})
const v3 = plug('chuangmi.plug.v3', 2, {state: 'OFF', usb: 'ON', temperature: 32, led: 'ON', power: 3})
const m1 = plug('chuangmi.plug.m1', 3, {state: 'ON', temperature: 32})
const all = [v1, v3, m1]
const neighbourhood = new SimulatedNetwork(all, {clock, random, broadcast: BROADCAST})

function plug(model: string, host: number, state: Record<string, 'ON' | 'OFF' | number>): SimulatedPlug {
  const address = loopback(62, 100 + host)
  return new SimulatedPlug({model, did: 0x0f1e2d30 + host, token, address, clock, random, state})
}

/** Every run of miiocli begins with request 1, and a plug answers an id of the last two seconds from memory: let them pass. */
async function cli(command: string, target: SimulatedPlug, ...args: string[]): Promise<string> {
  await clock.advance(3000)
  return miiocli(command, '--ip', target.address, '--token', token.toString('hex'), ...args)
}

describe.runIf(pythonMiio)('python-miio takes a simulated plug for a real one', () => {
  beforeAll(() => neighbourhood.start())
  afterAll(() => neighbourhood.stop())

  const discover = `
import sys
from miio.miioprotocol import MiIOProtocol
hello = MiIOProtocol.discover(sys.argv[1])
print(hello.header.value.device_id.hex(), hello.checksum.hex())
`

  it.each(all)('says hello to $modelId', async (target) => {
    const hidden = 'ff'.repeat(16)
    expect(await python(discover, target.address)).toBe(
      `${target.did.toString(16).padStart(8, '0')} ${hidden}\n`,
    )
  })

  it('finds plugs by broadcast', async () => {
    expect(await python(discover, BROADCAST)).toMatch(/^[0-9a-f]{8} [0-9a-f]{32}\n$/)
  })

  it.each(all)('reads the info of $modelId', async (target) => {
    const info = await cli('device', target, 'info')
    expect(info).toContain(`Model: ${target.modelId}`)
    expect(info).toContain('Hardware version: MW300')
    expect(info).toContain(`'localIp': '${target.address}'`)
  })

  it('reads the status of a v1', async () => {
    const status = await cli('plugv1', v1, 'status')
    expect(status).toContain('Power: True\nUSB Power: False\nTemperature: 41 °C')
  })

  it('reads the status of a v3, watts included', async () => {
    const status = await cli('plugv3', v3, 'status')
    expect(status).toContain(
      'Power: off\nUSB Power: True\nTemperature: 32 °C\nLoad power: 3.0\nWiFi LED: True',
    )
  })

  it('reads the status of an m1', async () => {
    const status = await cli('chuangmiplug', m1, 'status')
    expect(status).toContain('Power: True\nUSB Power: None\nTemperature: 32 °C')
  })

  it.each([
    ['plugv1', v1, 'set_on', 'set_off'],
    ['plugv3', v3, 'set_power', 'set_power'],
    ['chuangmiplug', m1, 'set_power', 'set_power'],
  ])('%s: switches off and on', async (command, target, on, off) => {
    await cli(command, target, 'off')
    expect(target.state['state']).toBe('OFF')
    expect(target.received.at(-1)).toMatchObject({method: off, id: 1})
    await cli(command, target, 'on')
    expect(target.state['state']).toBe('ON')
    expect(target.received.at(-1)).toMatchObject({method: on, id: 1})
  })

  it.each([
    ['plugv1', v1],
    ['plugv3', v3],
  ])('%s: switches USB off and on', async (command, target) => {
    await cli(command, target, 'usb_off')
    expect(target.state['usb']).toBe('OFF')
    await cli(command, target, 'usb_on')
    expect(target.state['usb']).toBe('ON')
  })

  it.each([
    ['plugv3', v3],
    ['chuangmiplug', m1],
  ])('%s: switches the LED off and on', async (command, target) => {
    await cli(command, target, 'set_wifi_led', 'false')
    expect(target.state['led']).toBe('OFF')
    await cli(command, target, 'set_wifi_led', 'true')
    expect(target.state['led']).toBe('ON')
  })

  it('sends raw commands', async () => {
    m1.state['state'] = 'OFF'
    const answer = await cli('device', m1, 'raw_command', 'get_prop', '["power", "temperature", "voltage"]')
    expect(answer).toContain("['off', 32, None]")
  })

  it('hears of a method there is not', async () => {
    const answer = await cli('device', m1, 'raw_command', 'get_properties', '[]')
    expect(answer).toContain("Error: {'code': -32601, 'message': 'Method not found.'}")
  })

  const withToken = `
import sys
from miio import Device, DeviceException
device = Device(sys.argv[1], sys.argv[2])
device._protocol._timeout = 1
try:
    print(device.send('set_power', [sys.argv[3]]))
except DeviceException as error:
    print(error)
`

  it('reports that a token is wrong', async () => {
    const output = await python(withToken, m1.address, 'ff'.repeat(16), 'on')
    expect(output).toContain('invalid token')
  })

  it('tries again when an answer is lost, with a new id', async () => {
    await clock.advance(3000)
    m1.next({loseResponse: true})
    expect(await python(withToken, m1.address, token.toString('hex'), 'on')).toBe("['ok']\n")
    expect(m1.received.slice(-2)).toMatchObject([{id: 1}, {id: 102}])
  })

  it('collides with another run of itself inside two seconds: both begin with id 1', async () => {
    await clock.advance(3000)
    await python(withToken, m1.address, token.toString('hex'), 'on')
    expect(await python(withToken, m1.address, token.toString('hex'), 'off')).toBe("['ok']\n")
    expect(m1.state['state']).toBe('ON')
  })
})

import {describe, expect, it} from 'vitest'
import {MacOwners} from '../../../../src/bridge/homeassistant/discovery-message.ts'
import {HomeAssistant} from '../../../../src/bridge/homeassistant/homeassistant.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {RememberingPublisher, SECOND, StagedPlug, testContext} from '../stage.ts'

const MAC = '28:6c:07:ed:48:a1'

/** Announces plugs that report these MAC addresses, in that order. `all` returns the `connections` of each. */
async function announced(...macs: string[]) {
  const clock = new VirtualClock()
  const publisher = new RememberingPublisher(clock)
  const plugs = macs.map((_, index) => new StagedPlug(clock, {name: `plug ${index}`, did: 100 + index}))
  const byName = new Map(plugs.map((plug) => [plug.name, plug]))
  const store = {discovery: undefined, rememberDiscovery: () => {}}
  const options = {prefix: 'homeassistant', version: '1.2.3', store}
  const homeAssistant = new HomeAssistant(testContext(clock, {publisher, plugs: byName}), options)
  for (const [index, plug] of plugs.entries()) {
    plug.addTo(homeAssistant)
    plug.scripted.info = {model: 'chuangmi.plug.m1', fw_ver: '1.2.4_16', mac: macs[index]}
    const identified = plug.device.identify()
    await clock.advance(20)
    await identified
  }
  await clock.advance(10 * SECOND)
  const connectionsOf = (index: number) => {
    const last = publisher.on(`homeassistant/device/miio2mqtt_${100 + index}/config`).at(-1)
    return JSON.parse(last?.payload ?? '{}').device.connections
  }
  return {
    clock,
    homeAssistant,
    plugs,
    byName,
    connectionsOf,
    all: () => macs.map((_, index) => connectionsOf(index)),
  }
}

describe('the MAC address of a plug', () => {
  it('is announced to Home Assistant, in small letters', async () => {
    expect((await announced(MAC.toUpperCase())).all()).toEqual([[['mac', MAC]]])
  })

  it.each([
    ['null', '00:00:00:00:00:00'],
    ['broadcast', 'ff:ff:ff:ff:ff:ff'],
    ['multicast', '01:00:5e:00:00:01'],
    ['IPv6 multicast', '33:33:00:00:00:01'],
    ['some other group', '29:6c:07:ed:48:a1'],
  ])('that is %s is not announced: it belongs to no plug', async (_, mac) => {
    expect((await announced(mac, mac)).all()).toEqual([undefined, undefined])
  })

  it('that another plug has reported before is not announced again', async () => {
    expect((await announced(MAC, '28:6c:07:ed:48:a2', MAC)).all()).toEqual([
      [['mac', MAC]],
      [['mac', '28:6c:07:ed:48:a2']],
      undefined,
    ])
  })

  it('is free again when the plug that reported it is not configured any more', async () => {
    const {clock, homeAssistant, plugs, byName, connectionsOf} = await announced(MAC, MAC)
    const [first] = plugs
    byName.delete('plug 0')
    if (first) homeAssistant.plugRemoved(first)
    homeAssistant.connected()
    await clock.advance(10 * SECOND)
    expect(connectionsOf(1)).toEqual([['mac', MAC]])
  })
})

describe('MacOwners', () => {
  it('returns the same each time a plug is announced', () => {
    const macs = new MacOwners()
    expect([macs.claim(MAC, 1), macs.claim(MAC, 1), macs.claim(MAC, 2)]).toEqual([true, true, false])
    macs.forget(2)
    expect(macs.claim(MAC, 2)).toBe(false)
    macs.forget(1)
    expect(macs.claim(MAC, 2)).toBe(true)
  })

  it('releases the old address of a plug that reports another', () => {
    const macs = new MacOwners()
    macs.claim(MAC, 1)
    macs.claim('28:6c:07:ed:48:a2', 1)
    expect(macs.claim(MAC, 2)).toBe(true)
  })

  it.each(['', 'garbage', '28-6c-07-ed-48-a1', '28:6c:07:ed:48'])(
    'does not accept %j as an address',
    (mac) => {
      expect(new MacOwners().claim(mac, 1)).toBe(false)
    },
  )
})

import {networkInterfaces} from 'node:os'
import {describe, expect, it, vi} from 'vitest'
import {
  broadcastAddress,
  interfaceAddresses,
  isInSubnet,
  localAddresses,
  toCidr,
} from '../../../src/common/ipv4.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'

vi.mock('node:os', async (original) => ({...(await original<object>()), networkInterfaces: vi.fn()}))

const LAN = {
  address: '192.168.1.5',
  netmask: '255.255.254.0',
  family: 'IPv4',
  mac: '',
  internal: false,
  cidr: null,
}
const IPV6 = {
  address: 'fe80::1',
  netmask: 'ffff::',
  family: 'IPv6',
  mac: '',
  internal: false,
  cidr: null,
  scopeid: 0,
}
const interfaces = vi.mocked(networkInterfaces)
const list = () => ({eth0: [LAN, IPV6], gone: undefined}) as ReturnType<typeof networkInterfaces>

describe('the addresses of this machine', () => {
  it('are those of every interface', () => {
    interfaces.mockImplementation(list)
    expect(interfaceAddresses()).toEqual([LAN, IPV6])
  })

  it('of IPv4 are cached for ten seconds, and are none where they cannot be listed', async () => {
    const clock = new VirtualClock()
    interfaces.mockImplementation(list)
    expect(localAddresses(clock)).toEqual([LAN])
    interfaces.mockImplementation(() => {
      throw new Error('EMFILE')
    })
    await clock.advance(9_999)
    expect(localAddresses(clock)).toEqual([LAN])
    await clock.advance(1)
    expect(localAddresses(clock)).toEqual([])
    expect(() => interfaceAddresses()).toThrow('EMFILE')
  })
})

it('A subnet is that of the real netmask.', () => {
  expect(toCidr(LAN)).toBe('192.168.1.5/23')
  expect(broadcastAddress(LAN)).toBe('192.168.1.255')
  expect(isInSubnet('192.168.0.9', LAN)).toBe(true)
  expect(isInSubnet('192.168.2.9', LAN)).toBe(false)
})

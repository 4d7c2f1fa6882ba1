import {describe, expect, it} from 'vitest'
import {ProbeScan} from '../../../src/cli/probe-scan.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'

/** The response of the plug to a request for `what`: a value; `undefined` where there is none. */
type Plug = (what: string) => unknown

const refusal = new MiioError('refused', 'request', 'no')
const timeout = new MiioError('timeout', 'request', 'nothing')

function scanOf(plug: Plug, {requests = 10_000} = {}) {
  const requested: string[] = []
  const request = async (method: string, params: unknown) => {
    const [item] = Array.isArray(params) ? params : []
    const what = method === 'get_properties' ? item.did : (item ?? method)
    requested.push(what)
    const value = plug(what)
    if (value instanceof Error) throw value
    if (method !== 'get_properties') return [value ?? null]
    return [value === undefined ? {...item, code: -4003} : {...item, code: 0, value}]
  }
  const isLate = () => requested.length >= requests
  const scan = new ProbeScan({request, pause: async () => {}, onRequest: () => {}, isLate})
  return {scan, requested}
}

const inService = (what: string) => Number(what.split('.')[0])

describe('a scan of a MIoT plug', () => {
  it('finds every value across the gaps that real plugs have, one request at a time', async () => {
    const values: Record<string, unknown> = {'2.1': true, '2.6': 31, '4.2': 'text', '9.4': 0}
    const {scan, requested} = scanOf((what) => values[what])
    expect(await scan.miot()).toEqual({
      values: [
        {address: '{miot: 2.1}', raw: true},
        {address: '{miot: 2.6}', raw: 31},
        {address: '{miot: 4.2}', raw: 'text'},
        {address: '{miot: 9.4}', raw: 0},
      ],
    })
    expect(new Set(requested).size).toBe(requested.length)
  })

  it('does not request service 1, which has serial numbers, and ends after a gap', async () => {
    const {scan, requested} = scanOf((what) => (what === '2.1' ? true : undefined))
    await scan.miot()
    expect(requested.filter((what) => inService(what) === 1)).toEqual([])
    expect(requested.length).toBeLessThan(35)
    const everything = scanOf(() => 1)
    await everything.scan.miot()
    expect(everything.requested.length).toBe(19 * 30)
  })

  it('leaves a service whose request times out, after a second try: a datagram may have been lost', async () => {
    const lost = new Set(['2.2'])
    const {scan, requested} = scanOf((what) => {
      if (inService(what) === 3 || lost.delete(what)) return timeout
      return what === '2.1' || what === '2.2' ? true : undefined
    })
    const {values: found, ended} = await scan.miot()
    expect(found.map(({address}) => address)).toEqual(['{miot: 2.1}', '{miot: 2.2}'])
    expect(requested.filter((what) => inService(what) === 3)).toEqual(['3.1', '3.1'])
    expect(ended).toBeUndefined()
  })

  it('ends when the plug refuses, does not respond, or the time is over, and keeps the values found so far', async () => {
    const onlyThen = (error: Error) => (what: string) => (what === '2.1' ? true : error)
    const values = [{address: '{miot: 2.1}', raw: true}]
    const refusing = scanOf(onlyThen(refusal))
    expect(await refusing.scan.miot()).toEqual({values, ended: 'it rejected 3 requests in a row'})
    expect(refusing.requested.length).toBe(4)
    expect(await scanOf(onlyThen(timeout)).scan.miot()).toEqual({values, ended: 'it was silent 6 times'})
    const slow = scanOf((what) => (what === '2.1' ? true : undefined), {requests: 3})
    expect(await slow.scan.miot()).toEqual({values, ended: 'the time was over'})
  })

  it('fails with an error that is not about the request', async () => {
    const wrong = new MiioError('bad_token', 'request', 'wrong token')
    await expect(scanOf(() => wrong).scan.miot()).rejects.toBe(wrong)
  })
})

describe('a scan of an older plug', () => {
  it('requests each name and each method once', async () => {
    const values: Record<string, unknown> = {power: 'on', get_power: 300}
    const {scan, requested} = scanOf((what) => values[what])
    expect(await scan.legacy(['power', 'usb_on'], ['get_power'])).toEqual({
      values: [
        {address: '{get_prop: power}', raw: 'on'},
        {address: '{method: get_power}', raw: 300},
      ],
    })
    expect(requested).toEqual(['power', 'usb_on', 'get_power'])
  })

  it('takes no value from a response that does not fit the request', async () => {
    const odd = ['', {}, [], ['on', 1], 'ok', [{code: -4001}]]
    for (const response of odd) {
      const scan = new ProbeScan({
        request: async () => response,
        pause: async () => {},
        onRequest: () => {},
        isLate: () => false,
      })
      expect(await scan.legacy(['power'], [])).toEqual({values: []})
    }
  })
})

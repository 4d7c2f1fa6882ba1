import {describe, expect, it} from 'vitest'
import {buildReads, propertiesInTier} from '../../../src/device/codec/property-codec.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import type {Model} from '../../../src/models/model.ts'
import type {FirmwareFailure} from '../../../src/simulator/firmware/firmware-profile.ts'
import {VirtualHome} from '../../support/virtual-home.ts'

/** The requests of a fast poll, where one is not enough. */
const EXCEPTIONS: Readonly<Record<string, {requests: number; reason: string}>> = {
  'chuangmi.plug.v3': {requests: 2, reason: 'the watts have a method of their own, get_power'},
  'cuco.plug.sp5': {requests: 6, reason: 'it restarts, at how many values in a request is not known'},
  'cuco.plug.cp5d': {requests: 6, reason: 'it is read as carefully as the sp5'},
}
/** The requests of a fast poll on average. Without the last two, which are polled every two minutes, it would be 1.02. */
const MOST_ON_AVERAGE = 1.25

const models = [...builtIn.models].map(([id, model]) => [id, {...model, ids: [id]}] as const)
const fast = (model: Model) => buildReads(model, propertiesInTier(model, 'fast'))

/** Those of which a request of a fast poll could have fewer values. */
const batched = models.filter(
  ([, model]) => !model.exactList && fast(model).some(({params}) => params.length > 1),
)
/** Those of Gosund whose responses may be cut off. */
const small = models.filter(([id, {batch}]) => id.startsWith('cuco.plug.') && batch === 2)

/** Polls once. @returns how many requests that took */
async function requestsOf(home: VirtualHome, tier: 'fast' | 'slow' | 'rare'): Promise<number> {
  const before = home.plug.received.length
  await home.poll(tier)
  return home.plug.received.length - before
}

const busy = (model: Model) => ({state: 'ON', ...('power' in model.properties && {power: 42})})

describe('a fast poll', () => {
  it.each(models.map(([id, model]) => ({id, model, requests: 1, reason: 'all in one', ...EXCEPTIONS[id]})))(
    'of $id needs requests: $requests, $reason',
    async ({model, requests}) => {
      const home = new VirtualHome({model, state: busy(model)})
      await home.poll('rare')
      expect(await requestsOf(home, 'fast')).toBe(requests)
      expect(home.device.state).toMatchObject(busy(model))
      expect(home.device.unsupported).toEqual([])
    },
  )

  it('of all models needs few requests on average', () => {
    const counts = models.map(([, model]) => fast(model).length)
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    expect(mean).toBeLessThanOrEqual(MOST_ON_AVERAGE)
  })
})

describe.each<FirmwareFailure>(['silence', 'reboot'])(
  'a firmware that fails by %s at two values in a request',
  (failure) => {
    it.each(batched)('%s: the relay is read all the same, and the limit is remembered', async (_, model) => {
      const profile = {batch: {most: 1, failure}, firmware: '2.0.4_0026'}
      const home = new VirtualHome({model, state: busy(model), profile})
      home.poller.start()
      await home.clock.advance(30_000)
      expect(home.device.availability).toEqual({state: 'online'})
      expect(home.device.state['state']).not.toBe(null)
      await home.clock.advance(240_000)
      home.poller.stop()
      await home.clock.advance(10_000) // the last poll ends
      home.restart()
      const values = fast(model).flatMap(({params}) => params)
      expect(await requestsOf(home, 'fast')).toBe(values.length)
      const {state, power = null} = home.plug.state
      expect(home.device.state).toMatchObject({state, ...('power' in model.properties && {power})})
      expect(home.device.unsupported).toEqual([])
    })
  },
)

describe('a firmware without commas between the values, and with 231 characters for a response', () => {
  it('is that of many plugs', () => expect(small.length).toBeGreaterThan(5))

  it.each(small)('%s: each response is whole, in the first poll and in later ones', async (_, model) => {
    const profile = {missingComma: true, cutAt: 231, exeTime: true} as const
    const home = new VirtualHome({model, state: busy(model), profile})
    for (const tier of ['rare', 'slow', 'fast'] as const)
      expect(await requestsOf(home, tier)).toBe(buildReads(model, propertiesInTier(model, tier)).length)
    expect(home.device.state).toMatchObject(busy(model))
  })
})

import {expect, it} from 'vitest'
import {builtIn} from '../../../../src/models/catalogue.ts'
import {VirtualHome} from '../../../support/virtual-home.ts'

/** More requests in half a minute than this have made such a strip reboot, and switch its sockets. */
const MOST = 20
const SPAN_MS = 30_000

it.each([
  ['reads', ({device, clock}: VirtualHome) => device.read(clock.now() + 10_000)],
  ['reads of one value', ({device, clock}: VirtualHome) => device.read(clock.now() + 10_000, 'led')],
  [
    'requests for its model',
    ({device, clock}: VirtualHome) => device.identify({deadline: clock.now() + 10_000}),
  ],
])('a strip that suffers from many requests is not asked more often by any number of %s', async (_, ask) => {
  const model = builtIn.find('cuco.plug.sp5') ?? expect.fail('no such model')
  const home = new VirtualHome({model, known: builtIn, state: {}})
  home.poller.start()
  await home.clock.advance(60_000)
  const from = home.network.sent.length
  let answered = 0
  for (let i = 0; i < 120; i++) {
    ask(home).then(
      () => answered++,
      () => {},
    )
    await home.clock.advance(500)
  }
  home.poller.stop()
  const times = home.network.sent.slice(from).map(({at}) => at)
  const most = Math.max(
    ...times.map((begin) => times.filter((at) => at >= begin && at < begin + SPAN_MS).length),
  )
  expect(most).toBeLessThanOrEqual(MOST)
  expect(answered).toBeGreaterThan(10)
})

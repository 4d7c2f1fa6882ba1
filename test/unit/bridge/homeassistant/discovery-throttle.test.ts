import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'
import {describe, expect, it} from 'vitest'
import {DiscoveryThrottle} from '../../../../src/bridge/homeassistant/sent-discovery.ts'
import {RememberingLog} from '../../../support/remembering-log.ts'
import {VirtualClock} from '../../../support/virtual-clock.ts'
import {SECOND} from '../stage.ts'

describe('the record of discovery messages', () => {
  it('keeps nothing of devices that were removed', async () => {
    const clock = new VirtualClock()
    const log = new RememberingLog()
    const throttle = new DiscoveryThrottle({clock, publisher: {publish: () => {}}, log})
    const before = heapUsed()
    for (let round = 0; round < 50; round++) {
      for (let at = 0; at < 1000; at++) {
        const topic = `homeassistant/device/${round}-${at}-${'x'.repeat(1000)}/config`
        throttle.send(topic, () => ({discovery: {at}}), {force: false})
        throttle.forget(topic)
      }
      await clock.advance(3 * SECOND)
      log.lines.length = 0
    }
    expect(clock.pending).toBe(0)
    expect(heapUsed() - before).toBeLessThan(10_000_000)
    throttle.stop() // it is still in use: its memory counts
  })

  it('keeps messages apart that come before and after a removal', async () => {
    const clock = new VirtualClock()
    const sentAt: number[] = []
    const publisher = {publish: () => void sentAt.push(clock.now())}
    const throttle = new DiscoveryThrottle({clock, publisher, log: new RememberingLog()})
    const send = () => throttle.send('a/device/b/config', () => ({discovery: {}}), {force: false})
    send()
    throttle.forget('a/device/b/config')
    await clock.advance(SECOND)
    send()
    await clock.advance(10 * SECOND)
    throttle.forget('a/device/b/config')
    send()
    const [first = 0, second = 0, third = 0] = sentAt
    expect([second - first, third - first]).toEqual([2100, 11_000])
  })
})

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

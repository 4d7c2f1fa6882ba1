import {expect, test} from 'vitest'
import {RequestStats} from '../../../src/miio/plug-timing.ts'

test('percentiles are those of the last 64 responses, in whatever order they came', () => {
  const stats = new RequestStats()
  expect([stats.p50, stats.p95, stats.lastSeen]).toEqual([undefined, undefined, undefined])
  for (const latency of [30, 5, 200, 10]) stats.responded(latency, 7)
  expect([stats.p50, stats.p95, stats.lastSeen]).toEqual([10, 200, 7])
  for (let latency = 64; latency > 0; latency--) stats.responded(latency, 8)
  expect([stats.p50, stats.p95, stats.lastSeen]).toEqual([32, 61, 8])
})

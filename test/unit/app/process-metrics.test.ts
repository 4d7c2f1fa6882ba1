import {afterEach, expect, it, vi} from 'vitest'
import {timeZone} from '../../../src/app/process-metrics.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

it.each([
  ['Europe/Berlin', 'Europe/Berlin'],
  ['America/Argentina/Buenos_Aires', expect.stringMatching(/^America\/(Argentina\/)?Buenos_Aires$/)],
  [':Europe/Berlin', 'Europe/Berlin'],
  ['Etc/UTC', 'UTC'],
  ['GMT', 'UTC'],
])('names the time zone of TZ=%s', (TZ, zone) => {
  vi.stubEnv('TZ', TZ)
  expect(timeZone()).toEqual(zone)
})

it('names the time zone by which the process counts days', () => {
  vi.stubEnv('TZ', undefined)
  const options = {timeZoneName: 'longOffset'} as const
  const here = new Date().toLocaleString('en', options)
  expect(new Date().toLocaleString('en', {...options, timeZone: timeZone()})).toBe(here)
})

import {describe, expect, it} from 'vitest'
import {fromFirmware} from '../../../../src/device/codec/values.ts'
import {miot, textSensor} from '../../../../src/models/builders.ts'

describe('text of a plug', () => {
  it.each(['', ' ', '\n', '\t '])('that is empty is unknown: %j', (raw) => {
    expect(fromFirmware(textSensor('Cycle schedule', miot(3, 3)), raw)).toBe(null)
  })

  it.each(['0', 'false', 'null', ' 8:00 ', '-'])('that is not empty is shown unchanged: %j', (raw) => {
    expect(fromFirmware(textSensor('Cycle schedule', miot(3, 3)), raw)).toBe(raw)
  })
})

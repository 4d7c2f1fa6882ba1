import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {parseDefinition} from '../../../../src/config/definitions/definition.ts'
import {fromUser} from '../../../../src/device/codec/validation.ts'
import {fromFirmware, roundTrip, settable, toFirmware} from '../../../../src/device/codec/values.ts'
import type {Property} from '../../../../src/models/model.ts'
import {checkProperty} from '../../../support/seeds.ts'

/** A property of an own definition, as its owner writes it. */
function own(kind: string, options: Record<string, string>): Property {
  const properties = {state: {miot: '2.1'}, [kind]: {miot: '3.1', ...options}}
  const read = parseDefinition({ids: ['test.plug.own'], name: 'Own', vendor: 'Test', properties}, 'own')
  const property = 'value' in read ? read.value.properties[kind] : undefined
  return property ?? expect.fail(JSON.stringify(read))
}

describe('a scale below 0', () => {
  it.each([
    ['-0.1', 1234, -123.4],
    ['-0.01', -5, 0.05],
    ['-1', 7, -7],
    ['-60', 2, -120],
  ])('of %s keeps the digits of a value', (scale, raw, value) => {
    const property = own('temperature', {scale})
    expect(fromFirmware(property, raw)).toBe(value)
    expect('precision' in property && property.precision).toBe(Math.max(0, scale.split('.')[1]?.length ?? 0))
  })
})

it('what is announced can be set, and the written value is within what is announced', () => {
  const grid = fc.record({
    scale: fc.constantFrom('1', '0.1', '0.01', '60', '0.5', '2', '7', '-1', '-0.1', '-60'),
    step: fc.constantFrom('1', '0.1', '5', '0.5', '7', '0.25'),
    offset: fc.constantFrom('0', '1', '0.3', '-40', '273.15'),
    min: fc.constantFrom(0, 0.5, 1, -10, 16),
    width: fc.constantFrom(70, 99, 120.5, 1440),
  })
  checkProperty(
    fc.property(grid, fc.nat(), ({min, width, ...how}, chosen) => {
      const property = own('countdown', {...how, min: String(min), max: String(min + width)})
      if (property.kind !== 'number') return expect.fail('expected a number')
      const announced = settable(property)
      const steps = Math.floor((announced.max - announced.min) / announced.step + 1e-9)
      for (const sent of [announced.min, announced.min + (chosen % (steps + 1)) * announced.step]) {
        const wanted = fromUser('countdown', property, Number(sent.toPrecision(12)))
        if (typeof wanted !== 'number') return expect.fail('expected a number')
        const written = roundTrip(property, wanted)
        expect(Number.isInteger(toFirmware(property, wanted))).toBe(true)
        expect(written).toBeGreaterThanOrEqual(announced.min)
        expect(written).toBeLessThanOrEqual(announced.max)
      }
    }),
    {numRuns: 600},
  )
})

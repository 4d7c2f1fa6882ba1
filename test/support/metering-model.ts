import {amperes, kilowattHours, miot, relay, volts, watts} from '../../src/models/builders.ts'
import type {Model} from '../../src/models/model.ts'

/** A plug with all measurements and an energy counter. No built-in definition uses the counter of its plug. */
export const meteringModel: Model = {
  ids: ['test.plug.meter'],
  name: 'Test meter',
  vendor: 'Test',
  confidence: 'inferred',
  evidence: 'made up',
  properties: {
    state: relay(miot(2, 1)),
    power: watts(miot(11, 2), {scale: 0.01}),
    voltage: volts(miot(11, 3), {scale: 0.1}),
    current: amperes(miot(11, 4), {scale: 0.001}),
    energy: kilowattHours(miot(11, 1), {scale: 0.01}),
  },
}

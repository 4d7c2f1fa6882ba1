/** Plugs nobody has described: what any plug of a dialect can do, which is to switch. */

import {complete, miot, prop, relay} from './builders.ts'
import type {Model} from './model.ts'

export type DialectName = keyof typeof dialects

const unknown = {ids: [], vendor: 'Xiaomi', confidence: 'inferred'} as const

export const dialects = {
  /** `urn:miot-spec-v2:device:outlet` begins with service 2 "switch", property 1 "on", on every plug read (§3.3). */
  miot: describe('Plug of an unknown model, MIoT', {state: relay(miot(2, 1))}),
  /** As all plugs of the first years but v1 and v3 (§3.1). */
  power: describe('Plug of an unknown model, miIO', {state: relay(prop('power', 'set_power'))}),
  /** As v3; what v1 calls `set_on` is taken for newer firmware's `set_power`, and the plug refuses it when that is wrong. */
  on: describe('Plug of an unknown model, miIO', {state: relay(prop('on', 'set_power'))}),
} as const

/** Whether a remembered word is one of the dialects still known. */
export function isDialect(word: string | undefined): word is DialectName {
  return word !== undefined && Object.hasOwn(dialects, word)
}

function describe(name: string, properties: Model['properties']): Model {
  return complete({...unknown, name, evidence: 'docs/protocol.md §3.2', properties})
}

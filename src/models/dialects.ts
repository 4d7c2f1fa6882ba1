/** Definitions of unknown models: any plug of a dialect (MIoT, or one of two miIO dialects) can be switched. */

import {complete, miot, prop, relay} from './builders.ts'
import type {Model} from './model.ts'

export type DialectName = keyof typeof dialects

const unknown = {ids: [], vendor: 'Xiaomi', confidence: 'inferred'} as const

export const dialects = {
  /** Every MIoT specification of an outlet that was read begins with service 2 "switch", property 1 "on" (docs/protocol.md §3.3). */
  miot: definition('Plug of an unknown model, MIoT', {state: relay(miot(2, 1))}),
  /** All plugs of the first years except v1 and v3 (docs/protocol.md §3.1). */
  power: definition('Plug of an unknown model, miIO', {state: relay(prop('power', 'set_power'))}),
  /** As the v3, which is written with `set_power`. A plug that needs `set_on` in its place, as the v1 does, refuses the write. */
  on: definition('Plug of an unknown model, miIO', {state: relay(prop('on', 'set_power'))}),
} as const

/** Whether a stored word is the name of a dialect. */
export function isDialect(word: string | undefined): word is DialectName {
  return word !== undefined && Object.hasOwn(dialects, word)
}

function definition(name: string, properties: Model['properties']): Model {
  return complete({...unknown, name, evidence: 'docs/protocol.md §3.2', properties})
}

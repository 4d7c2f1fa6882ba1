/** The catalogue of models: finds the definition of a plug by the model id that `miIO.info` reports. */
import {complete, miot, prop, relay} from './builders.ts'
import type {Model, Property} from './model.ts'
import {chuangmi} from './vendors/chuangmi.ts'
import {cucoPlugs} from './vendors/cuco-plugs.ts'
import {cucoStrips} from './vendors/cuco-strips.ts'
import {mijia} from './vendors/mijia.ts'
import {others} from './vendors/others.ts'
import {qmi} from './vendors/qmi.ts'

/** Every definition that comes with the program, in the order of `miio2mqtt models`. */
export const definitions: readonly Model[] = [
  ...chuangmi,
  ...mijia,
  ...cucoPlugs,
  ...cucoStrips,
  ...qmi,
  ...others,
]

const builtInById = indexById(definitions)

/** All definitions: those that come with the program, and the user's own, which replace them. */
export class Catalogue {
  /** By model id, the user's own first. */
  readonly models: ReadonlyMap<string, Model>
  /** Model ids of the user's own definitions. */
  readonly own: ReadonlySet<string>

  /** @throws Error when two of the user's own definitions have the same id: one of them would be ignored without a notice */
  constructor(own: readonly Model[] = []) {
    this.own = new Set(own.flatMap(({ids}) => ids))
    this.models = new Map([...indexById(own), ...[...builtInById].filter(([id]) => !this.own.has(id))])
  }

  /** All model ids. */
  get ids(): readonly string[] {
    return [...this.models.keys()]
  }

  /** Model ids for which a definition of the user's own replaces one that comes with the program. */
  get replaced(): readonly string[] {
    return [...this.own].filter((id) => builtInById.has(id))
  }

  /** The definition of a model; `undefined` for an unknown model. */
  find(id: string): Model | undefined {
    return this.models.get(id)
  }
}

/** Only the definitions that come with the program. */
export const builtIn = new Catalogue()

/** Definitions by model id, completed with the properties of every plug. @throws Error when two have the same id */
function indexById(models: readonly Model[]): Map<string, Model> {
  const found = new Map<string, Model>()
  for (const model of models.map(complete))
    for (const id of model.ids) {
      const other = found.get(id)
      if (other) throw new Error(`model ${id} is defined twice: as "${other.name}" and as "${model.name}"`)
      found.set(id, model)
    }
  return found
}

export type DialectName = keyof typeof dialects

/** Definitions of unknown models: any plug of a dialect (MIoT, or one of two miIO dialects) can be switched. */
export const dialects = {
  /** Every MIoT specification of an outlet that was read begins with service 2 "switch", property 1 "on" (docs/protocol.md §3.3). */
  miot: dialect('Plug of an unknown model, MIoT', relay(miot(2, 1))),
  /** All plugs of the first years except v1 and v3 (docs/protocol.md §3.1). */
  power: dialect('Plug of an unknown model, miIO', relay(prop('power', 'set_power'))),
  /** As the v3, which is written with `set_power`. A plug that needs `set_on` in its place, as the v1 does, refuses the write. */
  on: dialect('Plug of an unknown model, miIO', relay(prop('on', 'set_power'))),
} as const

/** Whether a stored word is the name of a dialect. */
export function isDialect(word: string | undefined): word is DialectName {
  return word !== undefined && Object.hasOwn(dialects, word)
}

function dialect(name: string, state: Property): Model {
  return complete({
    ids: [],
    name,
    vendor: 'Xiaomi',
    confidence: 'inferred',
    evidence: 'docs/protocol.md §3.2',
    properties: {state},
  })
}

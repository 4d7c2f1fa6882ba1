/** The catalogue of models: finds the definition of a plug by the model id that `miIO.info` reports. */
import {complete} from './builders.ts'
import type {Model} from './model.ts'
import {chuangmi} from './vendors/chuangmi.ts'
import {cucoPlugs} from './vendors/cuco-plugs.ts'
import {cucoStrips} from './vendors/cuco-strips.ts'
import {mijia} from './vendors/mijia.ts'
import {others} from './vendors/others.ts'
import {qmi} from './vendors/qmi.ts'
import {zimi} from './vendors/zimi.ts'

/** Every definition that comes with the program, in the order of `miio2mqtt models`. */
export const definitions: readonly Model[] = [
  ...chuangmi,
  ...mijia,
  ...cucoPlugs,
  ...cucoStrips,
  ...qmi,
  ...zimi,
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

import {complete} from './builders.ts'
import type {Model} from './model.ts'
import {chuangmi} from './vendors/chuangmi.ts'
import {cucoPlugs} from './vendors/cuco-plugs.ts'
import {cucoStrips} from './vendors/cuco-strips.ts'
import {mijia} from './vendors/mijia.ts'
import {others} from './vendors/others.ts'
import {qmi} from './vendors/qmi.ts'
import {zimi} from './vendors/zimi.ts'

/** Every definition that comes with the program, in the order `miio2mqtt models` lists them. */
export const definitions: readonly Model[] = [
  ...chuangmi,
  ...mijia,
  ...cucoPlugs,
  ...cucoStrips,
  ...qmi,
  ...zimi,
  ...others,
]

const described = indexById(definitions)

/** The definitions there are: those that come with the program, and the user's own, which count more. */
export class Catalogue {
  /** By what `miIO.info` says, the user's own first. */
  readonly models: ReadonlyMap<string, Model>
  /** The ids of the user's own definitions. */
  readonly own: ReadonlySet<string>

  /** @throws Error when two of the user's own definitions claim the same id: the later one would silently win. */
  constructor(own: readonly Model[] = []) {
    this.own = new Set(own.flatMap(({ids}) => ids))
    this.models = new Map([...indexById(own), ...[...described].filter(([id]) => !this.own.has(id))])
  }

  get ids(): readonly string[] {
    return [...this.models.keys()]
  }

  /** The ids for which a definition of the user's own stands in place of one that came with the program. */
  get replaced(): readonly string[] {
    return [...this.own].filter((id) => described.has(id))
  }

  /** The definition for a model, or `undefined` for one nobody has described yet. */
  find(id: string): Model | undefined {
    return this.models.get(id)
  }
}

/** What comes with the program, and nothing else. */
export const builtIn = new Catalogue()

/** Complete definitions by id. @throws Error when two claim the same id */
export function indexById(models: readonly Model[]): Map<string, Model> {
  const found = new Map<string, Model>()
  for (const model of models.map(complete))
    for (const id of model.ids) {
      const other = found.get(id)
      if (other) throw new Error(`model ${id} is defined twice: as "${other.name}" and as "${model.name}"`)
      found.set(id, model)
    }
  return found
}

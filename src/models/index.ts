import {chuangmi} from './chuangmi.ts'
import type {Model} from './model.ts'

/** Every definition, in the order `miio2mqtt models` lists them. */
export const models: readonly Model[] = [...chuangmi]

const byId = index(models)

/** The definition for a model as `miIO.info` names it, or `undefined` for one nobody has described yet. */
export function findModel(id: string): Model | undefined {
  return byId.get(id)
}

/** @throws Error when two definitions claim the same id: the later one would silently win. */
export function index(definitions: readonly Model[]): Map<string, Model> {
  const found = new Map<string, Model>()
  for (const model of definitions)
    for (const id of model.ids) {
      const other = found.get(id)
      if (other) throw new Error(`model ${id} is defined twice: as "${other.name}" and as "${model.name}"`)
      found.set(id, model)
    }
  return found
}

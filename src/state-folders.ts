/** State folders in use: two bridges that follow each other in one process share what is in memory, and read nothing again. */
import {EnergyLedger} from './energy-ledger.ts'
import type {Surroundings} from './kept-file.ts'
import {StateStore} from './state.ts'
import {lockStateFolder} from './state-lock.ts'

export interface StateFolder {
  readonly path: string
  readonly store: StateStore
  readonly ledger: EnergyLedger
  /** Lets another process have the folder. */
  readonly unlock: () => Promise<void>
}

export class StateFolders {
  readonly #surroundings: Surroundings
  readonly #users = new Map<StateFolder, number>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** Opens and locks the folder, unless it is open. `leave` ends that. @throws StateInUse, StateUnreadable */
  async use(path: string): Promise<StateFolder> {
    const folder = [...this.#users.keys()].find((open) => open.path === path) ?? (await this.#open(path))
    this.#users.set(folder, (this.#users.get(folder) ?? 0) + 1)
    return folder
  }

  /** Saves and closes the folder once nobody uses it any more. */
  async leave(folder: StateFolder): Promise<void> {
    const others = (this.#users.get(folder) ?? 0) - 1
    if (others > 0) this.#users.set(folder, others)
    if (others !== 0) return
    this.#users.delete(folder)
    await Promise.all([folder.store.close(), folder.ledger.close()])
    await folder.unlock()
  }

  async #open(path: string): Promise<StateFolder> {
    const unlock = await lockStateFolder(path, this.#surroundings)
    try {
      const ledger = await EnergyLedger.open(path, this.#surroundings) // first: it writes nothing yet
      const store = await StateStore.open(path, this.#surroundings)
      return {path, store, ledger, unlock}
    } catch (error) {
      await unlock()
      throw error
    }
  }
}

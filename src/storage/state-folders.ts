/** State folders in use: two bridges that follow each other in one process share what is in memory, and read nothing again. */
import {constants} from 'node:fs'
import {access, realpath} from 'node:fs/promises'
import {EnergyStore} from './energy-store.ts'
import {type JsonFileDependencies, makeFolder} from './json-file.ts'
import {lockStateFolder} from './state-lock.ts'
import {StateStore} from './state-store.ts'

/** Nothing can be written in a folder that is to take the place of another. The message is one line. */
export class StateUnwritable extends Error {
  override readonly name = 'StateUnwritable'
}

export interface StateFolder {
  readonly path: string
  readonly store: StateStore
  readonly ledger: EnergyStore
  /** Lets another process have the folder. */
  readonly unlock: () => Promise<void>
}

export class StateFolders {
  readonly #surroundings: JsonFileDependencies
  readonly #users = new Map<StateFolder, number>()

  constructor(surroundings: JsonFileDependencies) {
    this.#surroundings = surroundings
  }

  /**
   * Opens and locks the folder, unless it is open, whatever its path was then. `leave` ends that. The first may be one in which nothing
   * can be written; one that follows another may not, since what the other one has would be kept no longer.
   * @throws StateInUse, StateUnreadable, StateUnwritable
   */
  async use(path: string): Promise<StateFolder> {
    const folder = (await this.#opened(path)) ?? (await this.#open(path))
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

  async #opened(path: string): Promise<StateFolder | undefined> {
    const place = await placeOf(path)
    for (const folder of this.#users.keys())
      if (folder.path === path || (await placeOf(folder.path)) === place) return folder
    if (this.#users.size > 0) await assertWritable(path)
    return undefined
  }

  async #open(path: string): Promise<StateFolder> {
    const unlock = await lockStateFolder(path, this.#surroundings)
    try {
      const ledger = await EnergyStore.open(path, this.#surroundings) // first: it writes nothing yet
      const store = await StateStore.open(path, this.#surroundings)
      return {path, store, ledger, unlock}
    } catch (error) {
      await unlock()
      throw error
    }
  }
}

/** Where the links in the path lead. */
function placeOf(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}

/** @throws StateUnwritable */
async function assertWritable(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    await access(`${folder}/.`, constants.W_OK | constants.X_OK)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new StateUnwritable(
      `nothing can be written in the state folder ${folder}: ${why}. Give the bridge's user a folder of its own there, or another \`state_dir\``,
    )
  }
}

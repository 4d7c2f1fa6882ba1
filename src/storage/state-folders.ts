/**
 * Opens, locks and shares state folders. Two bridges that follow each other in one process (a reload) share what is in memory,
 * and read no file again.
 */
import {constants} from 'node:fs'
import {access, realpath} from 'node:fs/promises'
import {makeFolder} from '../common/atomic-write.ts'
import {errorMessage} from '../common/text.ts'
import {EnergyStore} from './energy-store.ts'
import {type JsonFileDependencies, StateFolderError} from './json-file.ts'
import {lockStateFolder} from './state-lock.ts'
import {StateStore} from './state-store.ts'

interface StateFolder {
  readonly path: string
  readonly store: StateStore
  readonly energyStore: EnergyStore
  /** Unlocks the folder for other processes. */
  readonly unlock: () => Promise<void>
}

/** The state folders that this process has open, each locked and opened once. */
export class StateFolders {
  readonly #dependencies: JsonFileDependencies
  /** Open folders, with the number of their users. */
  readonly #users = new Map<StateFolder, number>()

  constructor(dependencies: JsonFileDependencies) {
    this.#dependencies = dependencies
  }

  /**
   * Opens and locks the folder; if it is open already, by this or another path, returns the open one. Each call needs a
   * `release`. The first folder may be unwritable. One that follows another may not: the state of the other would be lost.
   * @throws StateFolderError
   */
  async open(path: string): Promise<StateFolder> {
    const folder = (await this.#findOpen(path)) ?? (await this.#openNew(path))
    this.#users.set(folder, (this.#users.get(folder) ?? 0) + 1)
    return folder
  }

  /** Ends one use. The last one saves, closes and unlocks the folder. */
  async release(folder: StateFolder): Promise<void> {
    const others = (this.#users.get(folder) ?? 0) - 1
    if (others > 0) this.#users.set(folder, others)
    if (others !== 0) return
    this.#users.delete(folder)
    await Promise.all([folder.store.close(), folder.energyStore.close()])
    await folder.unlock()
  }

  async #findOpen(path: string): Promise<StateFolder | undefined> {
    const withoutLinks = (each: string) => realpath(each).catch(() => each)
    const target = await withoutLinks(path)
    for (const folder of this.#users.keys())
      if (folder.path === path || (await withoutLinks(folder.path)) === target) return folder
    return undefined
  }

  async #openNew(path: string): Promise<StateFolder> {
    if (this.#users.size > 0) await assertWritable(path)
    const unlock = await lockStateFolder(path, this.#dependencies)
    try {
      const energyStore = await EnergyStore.open(path, this.#dependencies) // first, since opening it writes nothing
      const store = await StateStore.open(path, this.#dependencies)
      return {path, store, energyStore, unlock}
    } catch (error) {
      await unlock()
      throw error
    }
  }
}

/** @throws StateFolderError */
async function assertWritable(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    await access(`${folder}/.`, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new StateFolderError(
      `nothing can be written in the state folder ${folder}: ${errorMessage(error)}. Give the bridge's user a folder of its own there, or another \`state_dir\``,
    )
  }
}

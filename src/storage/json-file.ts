/**
 * Writes one JSON file of the state folder: delayed, so that many changes make one write, and atomically. The bridge works on
 * while the file cannot be written. Reading is in json-reader.ts.
 */
import {join} from 'node:path'
import {makeFolder, writeFileAtomically} from '../common/atomic-write.ts'
import {type Clock, type Random, randomHex, type Timer} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'

export interface JsonFileDependencies {
  clock: Clock
  log: Log
  random: Random
}

interface JsonFileOptions extends JsonFileDependencies {
  folder: string
  /** The file's name in the folder. */
  name: string
  /** Called at each write: what the file must contain now. */
  snapshot: () => Snapshot
  /** For the log: what is lost while the file cannot be written. */
  loss: string
}

interface Snapshot {
  text: string
  /** Called once the text is on the disk: neither a crash nor a power cut can take it away. */
  written?: () => void
}

const RETRY_AFTER_MS = 60_000

/** No method throws: a file that cannot be written costs one warning, and a retry every minute. */
export class JsonFile {
  readonly #options: JsonFileOptions
  #hasChanged = false
  #isFailing = false
  #timer: {at: number; timer: Timer} | undefined
  /** The write under way, or the last one. Writes follow one another. */
  #writing: Promise<void> = Promise.resolve()

  constructor(options: JsonFileOptions) {
    this.#options = options
  }

  /**
   * Something has changed, and must be in the file within `ms` milliseconds. A timer that is due sooner stays as it is, so that
   * a stream of changes cannot delay the write for ever.
   */
  writeWithin(ms: number): void {
    this.#hasChanged = true
    const {clock} = this.#options
    const at = clock.now() + ms
    if (this.#timer && this.#timer.at <= at) return
    this.#cancelTimer()
    this.#timer = {at, timer: clock.after(ms, () => void this.save())}
  }

  /** Writes now, if something has changed. */
  save(): Promise<void> {
    this.#cancelTimer()
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Saves for the last time. No timer is pending afterwards. */
  async close(): Promise<void> {
    await this.save()
    this.#cancelTimer()
  }

  async #write(): Promise<void> {
    if (!this.#hasChanged) return
    this.#hasChanged = false
    const {folder, name, snapshot, random} = this.#options
    try {
      const {text, written} = snapshot()
      await makeFolder(folder)
      await writeFileAtomically(join(folder, name), text, randomHex(random))
      written?.()
    } catch (error) {
      return this.#onFailed(error) // every error, since later writes must still take place
    }
    this.#onSucceeded()
  }

  #onSucceeded(): void {
    const {log, folder} = this.#options
    if (this.#isFailing) log.info('the state folder can be written again', {folder})
    this.#isFailing = false
  }

  #onFailed(error: unknown): void {
    const {log, folder, loss} = this.#options
    if (!this.#isFailing) log.warn(`cannot write the state folder: ${loss}`, {folder, error})
    this.#isFailing = true
    this.writeWithin(RETRY_AFTER_MS)
  }

  #cancelTimer(): void {
    this.#timer?.timer.cancel()
    this.#timer = undefined
  }
}

/** A file of JSON in the state folder that follows what is kept in memory: late, whole, and without holding anybody up. */
import {mkdir, readFile, rename} from 'node:fs/promises'
import {join} from 'node:path'
import {z} from 'zod'
import type {Clock, Random, Timer} from './clock.ts'
import type {Log} from './log.ts'
import {removeUnfinished, replaceFile} from './replace-file.ts'

export interface Surroundings {
  clock: Clock
  log: Log
  random: Random
}

export interface KeptFileOptions extends Surroundings {
  folder: string
  /** The file's name in the folder. */
  name: string
  /** What it is to hold now. */
  snapshot: () => Snapshot
  /** What it means that the file cannot be written, for a person. */
  loss: string
}

export interface Snapshot {
  text: string
  /** Called once that text is in the file for good: neither a crash nor a power cut takes it away. */
  written?: () => void
}

const RETRY_AFTER_MS = 60_000

/** Nothing here throws: a file that cannot be written costs one warning, and is tried again every minute. */
export class KeptFile {
  readonly #options: KeptFileOptions
  #changed = false
  #failing = false
  #timer: {at: number; timer: Timer} | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: KeptFileOptions) {
    this.#options = options
  }

  /**
   * Something changed, and is to be in the file within `ms` milliseconds. A timer that is due sooner stays as it is, so that
   * a stream of changes cannot put the write off for ever.
   */
  writeWithin(ms: number): void {
    this.#changed = true
    const {clock} = this.#options
    const at = clock.now() + ms
    if (this.#timer && this.#timer.at <= at) return
    this.#cancelTimer()
    this.#timer = {at, timer: clock.after(ms, () => void this.save())}
  }

  /** Writes now, if something changed. */
  save(): Promise<void> {
    this.#cancelTimer()
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Saves for the last time: no timer is left afterwards. */
  async close(): Promise<void> {
    await this.save()
    this.#cancelTimer()
  }

  async #write(): Promise<void> {
    if (!this.#changed) return
    this.#changed = false
    const {folder, name, snapshot, random} = this.#options
    const {text, written} = snapshot()
    try {
      await mkdir(folder, {recursive: true, mode: 0o700})
      await replaceFile(join(folder, name), text, randomHex(random))
    } catch (error) {
      return this.#failed(error)
    }
    this.#succeeded()
    written?.()
  }

  #succeeded(): void {
    const {log, folder} = this.#options
    if (this.#failing) log.info('the state folder can be written again', {folder})
    this.#failing = false
  }

  #failed(error: unknown): void {
    const {log, folder, loss} = this.#options
    if (!this.#failing) log.warn(`cannot write the state folder: ${loss}`, {folder, error})
    this.#failing = true
    this.writeWithin(RETRY_AFTER_MS)
  }

  #cancelTimer(): void {
    this.#timer?.timer.cancel()
    this.#timer = undefined
  }
}

/**
 * What the file `name` in `folder` holds, or `undefined` for a first start or an unreadable file, which is put aside with one
 * warning. Never throws.
 */
export async function readKept<T>(
  folder: string,
  name: string,
  schema: z.ZodType<T>,
  {clock, log}: Surroundings,
): Promise<T | undefined> {
  const file = join(folder, name)
  try {
    await removeUnfinished(file)
    return schema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    const kept = `${file}.bad-${clock.date().toISOString().replaceAll(':', '-')}`
    const putAside = () =>
      log.warn('what was remembered is unreadable: starting anew', {kept, error: explain(error)})
    // Where nothing can be put aside there is no file yet, or no usable folder: the first write will say so.
    await rename(file, kept).then(putAside, () => {})
    return undefined
  }
}

/** Eight digits. */
export function randomHex(random: Random): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
}

/** A schema's error lists everything that is wrong in many lines: for a file nobody wrote by hand, the first will do. */
function explain(error: unknown): unknown {
  return error instanceof z.ZodError
    ? `${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`
    : error
}

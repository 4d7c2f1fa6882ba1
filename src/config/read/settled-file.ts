/** Files that somebody may be saving right now: what is read half-written is read again. */
import {stat} from 'node:fs/promises'
import {type Clock, sleep} from '../../common/clock.ts'
import {ConfigError} from '../config-error.ts'

/** Editors and copy programs write a file in one go, or at least without longer pauses than this. */
const QUIET_MS = 200
const LONGEST_MS = 5000

/** What files look like from outside, to find out whether they were written meanwhile. */
export class FileSignatures {
  readonly #noted = new Map<string, string>()

  /** To be called before the files are read. */
  async record(paths: Iterable<string>): Promise<void> {
    await Promise.all([...paths].map(async (path) => this.#noted.set(path, await signatureOf(path))))
  }

  /** Whether every file looks as it did when it was noted. */
  async areUnchanged(): Promise<boolean> {
    const same = await Promise.all(
      [...this.#noted].map(async ([path, before]) => before === (await signatureOf(path))),
    )
    return same.every(Boolean)
  }
}

/**
 * What `read` resolves with, once the files that it notes have not changed from before it read them until 200 ms later.
 * @throws what `read` throws, under the same condition; ConfigError when the files keep changing for 5 s
 */
export async function readWhenSettled<T>(
  file: string,
  clock: Clock,
  read: (signatures: FileSignatures) => Promise<T>,
): Promise<T> {
  const giveUpAt = clock.now() + LONGEST_MS
  do {
    const signatures = new FileSignatures()
    const outcome = await read(signatures).then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error
      },
    )
    await sleep(clock, QUIET_MS)
    if (await signatures.areUnchanged()) return outcome()
  } while (clock.now() < giveUpAt)
  const message = 'the configuration is still being written: try again when it is saved'
  throw new ConfigError([{file, path: '', message}])
}

async function signatureOf(path: string): Promise<string> {
  try {
    const {ino, size, mtimeMs} = await stat(path)
    return `${ino} ${size} ${mtimeMs}`
  } catch (error) {
    return String(error) // missing is a look, too
  }
}

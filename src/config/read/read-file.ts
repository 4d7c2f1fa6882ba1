/** Reads the files of a configuration: ordinary files of a bounded size, without blocking, and not while they are being saved. */
import {constants, type Stats} from 'node:fs'
import {type FileHandle, open, stat} from 'node:fs/promises'
import {type Clock, sleep, systemClock, within} from '../../common/clock.ts'
import {errorCode} from '../../common/text.ts'
import {ConfigError} from '../config-error.ts'

/** Bytes. A password, certificate, key or definition is far smaller. */
export const LONGEST_VALUE = 1024 * 1024
/** Bytes. 10,000 plugs with every setting are 3 MB. */
export const LONGEST_DOCUMENT = 16 * 1024 * 1024
/** A disk that has to spin up first is faster; a network drive that is gone never answers. */
const READ_TIMEOUT_MS = 10_000

/** A file that is refused although the system would read it. The message says what was expected. */
class UnsuitableFile extends Error {}

/**
 * The text of an ordinary file.
 * @param most bytes
 * @throws the file system's error, TypeError for a file that is not UTF-8, or an error whose message says what was expected
 */
export async function readText(file: string, most: number): Promise<string> {
  const bytes = await within(systemClock, systemClock.now() + READ_TIMEOUT_MS, readBytes(file, most))
  if (bytes) return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  throw new UnsuitableFile(
    `expected an answer within ${READ_TIMEOUT_MS / 1000} s, got none: is it on a network drive?`,
  )
}

async function readBytes(file: string, most: number): Promise<Buffer> {
  assertOrdinary(await stat(file)) // before it is opened: opening alone winds some devices back, or starts a watchdog
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    assertOrdinary(await handle.stat())
    return await readAtMost(handle, most)
  } finally {
    await handle.close()
  }
}

/** Counts what is read: files of `/proc` have the size 0, and others may grow meanwhile. */
async function readAtMost(handle: FileHandle, most: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  while (length <= most) {
    const part = Buffer.allocUnsafe(64 * 1024)
    const {bytesRead} = await handle.read(part, 0, part.length, null)
    if (bytesRead === 0) return Buffer.concat(parts)
    parts.push(part.subarray(0, bytesRead))
    length += bytesRead
  }
  throw new UnsuitableFile(`expected at most ${most / 1024 / 1024} MB, got more`)
}

function assertOrdinary(stats: Stats): void {
  if (!stats.isFile()) throw new UnsuitableFile(`it is ${fileType(stats)}, expected an ordinary file`)
}

function fileType(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a pipe'
  return stats.isSocket() ? 'a socket' : 'a device'
}

/** Reasons for a failure, by the code of the system's error. */
const REASONS = {
  read: new Map([
    ['ENOENT', 'there is no such file'],
    ['EACCES', 'this user may not read it'],
    ['ENOTDIR', 'it is no folder'],
    ['ENAMETOOLONG', 'no file can have a name this long'],
    ['ELOOP', 'links lead in a circle'],
    ['ERR_INVALID_ARG_VALUE', 'no file can have this name'],
    ['ERR_ENCODING_INVALID_ENCODED_DATA', 'it is not UTF-8 text'],
  ]),
  write: new Map([
    ['EACCES', 'this user may not write there'],
    ['EPERM', 'this user may not write there'],
    ['EROFS', 'the file system is read-only'],
    ['ENOSPC', 'the disk is full'],
    ['EDQUOT', 'the disk is full for this user'],
    ['EBUSY', 'the file is mounted by itself: mount its folder'],
  ]),
}

/** Why a file could not be read or written, in plain words. */
export function fileErrorText(error: unknown, operation: 'read' | 'write' = 'read'): string {
  if (error instanceof UnsuitableFile) return error.message
  const code = errorCode(error) ?? 'unknown error'
  return REASONS[operation].get(code) ?? code
}

/** Editors and copy programs write a file in one go, or at least without longer pauses than this. */
const QUIET_MS = 200
const LONGEST_SAVE_MS = 5000

/** The inode, size and time of change of files, to notice that a file was written meanwhile. */
export class FileSignatures {
  readonly #recorded = new Map<string, string>()

  /** To be called before the files are read. */
  async record(paths: Iterable<string>): Promise<void> {
    await Promise.all([...paths].map(async (path) => this.#recorded.set(path, await signatureOf(path))))
  }

  /** Whether every file has the signature that was recorded. */
  async areUnchanged(): Promise<boolean> {
    const same = await Promise.all(
      [...this.#recorded].map(async ([path, before]) => before === (await signatureOf(path))),
    )
    return same.every(Boolean)
  }
}

/**
 * Runs `read` until the files that it records stay unchanged from before it reads them until 200 ms later.
 * @returns what the last `read` resolved with
 * @throws what the last `read` threw; ConfigError when the files keep changing for 5 s
 */
export async function readWhenSettled<T>(
  file: string,
  clock: Clock,
  read: (signatures: FileSignatures) => Promise<T>,
): Promise<T> {
  const giveUpAt = clock.now() + LONGEST_SAVE_MS
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
    return String(error) // a missing file has a signature, too
  }
}

/** Reading the files that a configuration consists of: ordinary files of a bounded size, and nothing that could block. */
import {constants, type Stats} from 'node:fs'
import {type FileHandle, open, stat} from 'node:fs/promises'
import {systemClock, within} from '../../common/clock.ts'

/** Bytes. A password, certificate, key or definition is far smaller. */
export const LONGEST_VALUE = 1024 * 1024
/** Bytes. 10,000 plugs with everything that can be said of them are 3 MB. */
export const LONGEST_DOCUMENT = 16 * 1024 * 1024
/** A disk that has to spin up first is faster; a network drive that is gone never answers. */
const PATIENCE_MS = 10_000

/** Why a file is not read although the system would read it. The message says what was expected. */
class Unsuitable extends Error {}

/**
 * The text of an ordinary file.
 * @param most bytes
 * @throws the file system's error, TypeError for what is not UTF-8, or an error whose `reason` says what was expected
 */
export async function readText(file: string, most: number): Promise<string> {
  const bytes = await within(systemClock, systemClock.now() + PATIENCE_MS, readBytes(file, most))
  if (bytes) return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  throw new Unsuitable(
    `expected an answer within ${PATIENCE_MS / 1000} s, got none: is it on a network drive?`,
  )
}

async function readBytes(file: string, most: number): Promise<Buffer> {
  assertOrdinary(await stat(file)) // before it is opened: that alone winds some devices back, or starts a watchdog
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    assertOrdinary(await handle.stat())
    return await readAtMost(handle, most)
  } finally {
    await handle.close()
  }
}

/** Files of `/proc` say that they are empty, and others may grow: what counts is what comes. */
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
  throw new Unsuitable(`expected at most ${most / 1024 / 1024} MB, got more`)
}

function assertOrdinary(stats: Stats): void {
  if (!stats.isFile()) throw new Unsuitable(`it is ${kindOf(stats)}, expected an ordinary file`)
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a pipe'
  return stats.isSocket() ? 'a socket' : 'a device'
}

const REASONS = new Map([
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'this user may not read it'],
  ['ENOTDIR', 'it is no folder'],
  ['ENAMETOOLONG', 'no file can have a name this long'],
  ['ELOOP', 'links lead in a circle'],
  ['ERR_INVALID_ARG_VALUE', 'no file can have this name'],
  ['ERR_ENCODING_INVALID_ENCODED_DATA', 'it is not UTF-8 text'],
])

const NOT_WRITTEN = new Map([
  ['EACCES', 'this user may not write there'],
  ['EPERM', 'this user may not write there'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk is full for this user'],
  ['EBUSY', 'the file is mounted by itself: mount its folder'],
])

/** Why a file could not be read or written, for people. */
export function fileErrorText(error: unknown, doing: 'read' | 'write' = 'read'): string {
  if (error instanceof Unsuitable) return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return (doing === 'write' ? NOT_WRITTEN : REASONS).get(code) ?? code
}

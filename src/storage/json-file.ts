/**
 * One JSON file of the state folder. It is read at the start, where it may be damaged, foreign or of another version: every valid part
 * is kept, and a file that cannot be read at all ends the start (`StateFolderError`). It is written late, so that many changes make one
 * write, and atomically. The bridge works on while the file cannot be written.
 */
import {constants} from 'node:fs'
import {type FileHandle, open, readdir, rename, rm, stat} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {makeFolder, removeTemporaryFiles, writeFileAtomically} from '../common/atomic-write.ts'
import {type Clock, type Random, randomHex, type Timer} from '../common/clock.ts'
import {errorCode, errorMessage, isObject, shortened} from '../common/text.ts'
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
  /** For the log: what is lost while the file cannot be written. */
  loss: string
}

/** The content of the file at one moment. */
export interface Snapshot {
  content: object
  /** Called once the content is on the disk: neither a crash nor a power cut can take it away. */
  onWritten?: () => void
}

/** The state folder cannot be used, so that the bridge does not start. The message is one line: which file or folder, why, and what to do. */
export class StateFolderError extends Error {
  override readonly name = 'StateFolderError'
}

const RETRY_AFTER_MS = 60_000
/** Several times what more than ten thousand plugs with every value on a topic of its own need. */
const MAX_FILE_BYTES = 64 * 1024 * 1024
/** So many unreadable files of each name are kept: a file that is damaged at every start must not fill the disk. */
const MAX_BAD_FILES = 3
/** The version of the format that this program writes. */
const VERSION = 1
const MAX_DROPPED_NAMED = 5
/** Keys come from the file and may be megabytes long. */
const LONGEST_PATH = 80

/** Writes the file of a store. No method throws: a file that cannot be written costs one warning, and a retry every minute. */
export abstract class JsonFile {
  readonly #options: JsonFileOptions
  #hasChanged = false
  #isFailing = false
  #timer: {at: number; timer: Timer} | undefined
  /** The write under way, or the last one. Writes follow one another. */
  #writing: Promise<void> = Promise.resolve()

  protected constructor(options: JsonFileOptions) {
    this.#options = options
  }

  /** What the file must contain now. */
  protected abstract snapshot(): Snapshot

  /**
   * Something has changed, and must be in the file within `ms` milliseconds. A timer that is due sooner stays as it is, so that
   * a stream of changes cannot delay the write for ever.
   */
  protected writeWithin(ms: number): void {
    this.#hasChanged = true
    const {clock} = this.#options
    const at = clock.now() + ms
    if (this.#timer && this.#timer.at <= at) return
    this.#cancelTimer()
    this.#timer = {at, timer: clock.after(ms, () => void this.save())}
  }

  /** Writes what has changed, now. */
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
    const {folder, name, loss, log, random} = this.#options
    try {
      const {content, onWritten} = this.snapshot()
      const text = JSON.stringify({version: VERSION, ...content}, null, 1)
      await makeFolder(folder)
      await writeFileAtomically(join(folder, name), text, randomHex(random))
      onWritten?.()
    } catch (error) {
      // Every error is caught, since later writes must still take place.
      if (!this.#isFailing) log.warn(`cannot write the state folder: ${loss}`, {folder, error})
      this.#isFailing = true
      this.writeWithin(RETRY_AFTER_MS)
      return
    }
    if (this.#isFailing) log.info('the state folder can be written again', {folder})
    this.#isFailing = false
  }

  #cancelTimer(): void {
    this.#timer?.timer.cancel()
    this.#timer = undefined
  }
}

/** Reports an invalid part of a file, which is dropped: its path in the file, and what was expected there. */
export type ReportDropped = (where: string, expected: string) => void

/** A JSON object of a file. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Reads the file `name` in `folder`. Text that is no JSON object, or of a later version, is renamed to `<name>.bad-<time>` with
 * one warning, and counts as no file.
 * @param parse gets the JSON object, and reports each part that it drops
 * @returns the result of `parse`; `undefined` when there is no file, as at the first start
 * @throws StateFolderError for a file that exists and cannot be read: without its content the bridge would write over it, kilowatt-hours
 * and all
 */
export async function readJsonFile<T>(
  folder: string,
  name: string,
  parse: (content: JsonObject, reportDropped: ReportDropped) => T,
  dependencies: JsonFileDependencies,
): Promise<T | undefined> {
  const file = join(folder, name)
  const text = await readText(file)
  await removeTemporaryFiles(file).catch(() => {}) // those that cannot be removed do no harm
  if (text === undefined) return undefined
  let content: JsonObject
  try {
    content = parseObject(text)
  } catch (error) {
    await renameBadFile(file, error, dependencies)
    return undefined
  }
  const named: string[] = []
  let dropped = 0
  const parsed = parse(content, (where, expected) => {
    if (++dropped > MAX_DROPPED_NAMED) return
    named.push(`${JSON.stringify(shortened(where, LONGEST_PATH))} (expected ${expected})`)
  })
  const more = dropped > named.length ? ` and ${dropped - named.length} more` : ''
  if (dropped > 0)
    dependencies.log.warn(
      `${file}: ignored invalid entries: ${named.join(', ')}${more}; the other entries stay`,
    )
  return parsed
}

/**
 * Reads regular files only, and never blocks: opening a pipe would wait for a writer, and reading a device may not end.
 * @throws StateFolderError
 */
async function readText(file: string): Promise<string | undefined> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (!stats.isFile()) throw unreadable(file, 'it is no regular file', 'move it away')
    if (stats.size > MAX_FILE_BYTES)
      throw unreadable(file, `expected at most ${MAX_FILE_BYTES} bytes, got ${stats.size}`, 'move it away')
    return (await handle.readFile('utf8')).replace(/^\uFEFF/, '')
  } catch (error) {
    if (error instanceof StateFolderError) throw error
    const code = errorCode(error) ?? String(error)
    // With ENOTDIR a part of the path is a file: there is no state file then, and the first write fails with a warning.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EACCES' || code === 'EPERM') throw await permissionDenied(file)
    const [why, advice] = OPEN_ERRORS[code] ?? [
      `it cannot be read (${code})`,
      'check the disk and the system',
    ]
    throw unreadable(file, why, advice)
  } finally {
    await handle?.close()
  }
}

function unreadable(file: string, why: string, advice: string): StateFolderError {
  return new StateFolderError(
    `cannot use the state file ${file}: ${why}. Nothing was changed: ${advice}, and start again`,
  )
}

const OPEN_ERRORS: Readonly<Record<string, readonly [why: string, advice: string]>> = {
  EISDIR: ['it is a folder', 'move it away'],
  ELOOP: ['it is a link to itself (ELOOP)', 'remove the link'],
  ENXIO: ['it is no regular file', 'move it away'],
  EMFILE: ['no file descriptor is left (EMFILE)', 'raise the limit of open files (`ulimit -n`)'],
  ENFILE: ['the system has no file descriptor left (ENFILE)', 'see what has so many files open'],
  EIO: ['the disk reports an error (EIO)', 'check the disk or the memory card'],
}

/** After a single `sudo miio2mqtt run` there are files that only root can read. */
async function permissionDenied(file: string): Promise<StateFolderError> {
  const user = process.getuid?.()
  const owner = (await stat(file).catch(() => undefined))?.uid
  if (owner === user) {
    const why = 'permission denied, although the file belongs to the user of the bridge'
    return unreadable(file, why, `\`chmod 600 ${file}\``)
  }
  const belongs =
    owner === undefined ? '' : `: it belongs to user ${owner}, and the bridge runs as user ${user}`
  const chown = `\`sudo chown -R ${user}:${process.getgid?.()} ${dirname(file)}\``
  return unreadable(file, `permission denied${belongs}`, chown)
}

/** @throws Error that says why the text is not usable */
function parseObject(text: string): JsonObject {
  const content: unknown = JSON.parse(text)
  if (!isObject(content)) throw new Error('expected a JSON object')
  const {version} = content
  if (typeof version === 'number' && version > VERSION)
    throw new Error(
      `expected version ${VERSION}, got ${version}: it was written by a later version of miio2mqtt`,
    )
  return content
}

/** When the file cannot be renamed, it cannot be replaced either: the first write fails with a warning. */
async function renameBadFile(
  file: string,
  error: unknown,
  {clock, log}: JsonFileDependencies,
): Promise<void> {
  const prefix = `${basename(file)}.bad-`
  const kept = join(dirname(file), `${prefix}${clock.date().toISOString().replaceAll(':', '-')}`)
  const fields = {error: errorMessage(error)}
  try {
    await rename(file, kept)
  } catch {
    log.warn('state file is unreadable and cannot be renamed: starting with an empty one', {file, ...fields})
    return
  }
  log.warn('state file is unreadable: starting with an empty one', {kept, ...fields})
  await removeOldBadFiles(dirname(file), prefix, basename(kept)).catch(() => {})
}

/** Keeps the newest bad files by the time in their names, and `newest` whatever the clock was. */
async function removeOldBadFiles(folder: string, prefix: string, newest: string): Promise<void> {
  const others = (await readdir(folder)).filter(
    (name) => name !== newest && name.startsWith(prefix) && /^\d{4}-/.test(name.slice(prefix.length)),
  )
  const old = others.sort().slice(0, Math.max(0, others.length - (MAX_BAD_FILES - 1)))
  await Promise.all(old.map((name) => rm(join(folder, name), {force: true})))
}

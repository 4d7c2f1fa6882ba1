/** A file of JSON in the state folder that follows what is kept in memory: late, whole, and without holding anybody up. */
import {constants} from 'node:fs'
import {type FileHandle, mkdir, open, readdir, rename, rm, stat} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import type {z} from 'zod'
import {removeTemporaryFiles, writeFileAtomically} from '../common/atomic-write.ts'
import type {Clock, Random, Timer} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'

export interface JsonFileDependencies {
  clock: Clock
  log: Log
  random: Random
}

export interface JsonFileOptions extends JsonFileDependencies {
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
export class JsonFile {
  readonly #options: JsonFileOptions
  #changed = false
  #failing = false
  #timer: {at: number; timer: Timer} | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: JsonFileOptions) {
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
    try {
      const {text, written} = snapshot()
      await makeFolder(folder)
      await writeFileAtomically(join(folder, name), text, randomHex(random))
      written?.()
    } catch (error) {
      return this.#failed(error) // whatever it is: later writes must still come
    }
    this.#succeeded()
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

/** More than ten thousand plugs with every value on a topic of its own need, several times over. */
const LONGEST_FILE_BYTES = 64 * 1024 * 1024
/** So many unreadable files are kept of each name: a file that breaks at every start must not fill the disk. */
const MOST_PUT_ASIDE = 3
/** The version of the format that this program writes. */
const VERSION = 1
const MOST_NAMED = 5

/**
 * A file of the state folder is there and cannot be read, so that nobody knows what is in it. Whoever started without it would
 * write over it, kilowatt-hours and all. The message is one line: which file, why, and what to do.
 */
export class StateUnreadable extends Error {
  override readonly name = 'StateUnreadable'
}

/** Takes note of a part of a file that makes no sense: where it stands, and what was expected there. */
export type ReportDropped = (where: string, expected: string) => void

/**
 * What the file `name` in `folder` holds, or `undefined` at a first start. Text that is no JSON object, or is of a later version,
 * is put aside with one warning, and counts as nothing. Of everything else the parts that make sense are kept, and one warning
 * names those that were forgotten.
 * @param understand makes sense of the JSON object, and calls `forget` for each part that has none
 * @throws StateUnreadable for a file that is there and cannot be read: nothing is changed then
 */
export async function readJsonFile<T>(
  folder: string,
  name: string,
  understand: (content: Mapping, forget: ReportDropped) => T,
  surroundings: JsonFileDependencies,
): Promise<T | undefined> {
  const file = join(folder, name)
  const text = await textOf(file)
  await removeTemporaryFiles(file).catch(() => {}) // what cannot be swept away does no harm
  if (text === undefined) return undefined
  let content: Mapping
  try {
    content = objectIn(text)
  } catch (error) {
    await putAside(file, error, surroundings)
    return undefined
  }
  const named: string[] = []
  let forgotten = 0
  const understood = understand(content, (where, expected) => {
    if (++forgotten <= MOST_NAMED) named.push(`${excerpt(where)} (expected ${expected})`)
  })
  const more = forgotten > named.length ? ` and ${forgotten - named.length} more` : ''
  if (forgotten > 0)
    surroundings.log.warn(`${file}: forgot what makes no sense: ${named.join(', ')}${more}; the rest stays`)
  return understood
}

export type Mapping = Readonly<Record<string, unknown>>

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The members of the mapping `value` that make sense, by key; the others are forgotten one by one. No mapping has none. */
export function membersOf<T>(
  where: string,
  value: unknown,
  {key, schema, expected}: {key: (key: string) => boolean; schema: z.ZodType<T>; expected: string},
  forget: ReportDropped,
): [string, T][] {
  if (value === undefined) return []
  if (!isMapping(value)) {
    forget(where, 'a mapping')
    return []
  }
  return Object.entries(value).flatMap(([name, member]): [string, T][] => {
    const {success, data} = schema.safeParse(member)
    if (success && key(name)) return [[name, data]]
    forget(`${where}.${name}`, expected)
    return []
  })
}

/** Whether `key` is the id of a device, as a key of a file. */
export function isDid(key: string): boolean {
  return /^[1-9]\d*$/.test(key) && Number(key) <= Number.MAX_SAFE_INTEGER
}

/**
 * Reads regular files only, and never waits for one: opening a pipe would block until somebody writes into it, and reading a
 * device may not end.
 * @throws StateUnreadable
 */
async function textOf(file: string): Promise<string | undefined> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (!stats.isFile()) throw new StateUnreadable(notUsable(file, 'it is no regular file', 'move it away'))
    if (stats.size > LONGEST_FILE_BYTES)
      throw new StateUnreadable(
        notUsable(file, `expected at most ${LONGEST_FILE_BYTES} bytes, got ${stats.size}`, 'move it away'),
      )
    return (await handle.readFile('utf8')).replace(/^\uFEFF/, '')
  } catch (error) {
    if (error instanceof StateUnreadable) throw error
    const code = codeOf(error)
    // A folder that is none (ENOTDIR) holds no file either: the first write says so.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new StateUnreadable(await cannotRead(file, code))
  } finally {
    await handle?.close()
  }
}

function notUsable(file: string, why: string, advice: string): string {
  return `cannot use the state file ${file}: ${why}. Nothing was changed: ${advice}, and start again`
}

async function cannotRead(file: string, code: string): Promise<string> {
  if (code === 'EACCES' || code === 'EPERM') return notUsable(file, ...(await permission(file)))
  const [why, advice] = REASONS[code] ?? [`it cannot be read (${code})`, 'see to the disk and the system']
  return notUsable(file, why, advice)
}

const REASONS: Readonly<Record<string, readonly [string, string]>> = {
  EISDIR: ['it is a folder', 'move it away'],
  ELOOP: ['it is a link that leads to itself (ELOOP)', 'remove the link'],
  ENXIO: ['it is no regular file', 'move it away'],
  EMFILE: ['no file descriptor is left (EMFILE)', 'raise the limit of open files (`ulimit -n`)'],
  ENFILE: ['the system has no file descriptor left (ENFILE)', 'see what has so many files open'],
  EIO: ['the disk reports an error (EIO)', 'check the disk or the memory card'],
}

/** `sudo miio2mqtt run` leaves files that only root can read. */
async function permission(file: string): Promise<readonly [string, string]> {
  const user = process.getuid?.()
  const owner = await stat(file).then(
    ({uid}) => uid,
    () => undefined,
  )
  if (owner === user) return ['permission denied, though the file is our own', `\`chmod 600 ${file}\``]
  const belongs =
    owner === undefined ? '' : `: it belongs to user ${owner}, and the bridge runs as user ${user}`
  const whose = `${user}:${process.getgid?.()}`
  return [`permission denied${belongs}`, `\`sudo chown -R ${whose} ${dirname(file)}\``]
}

/** @throws Error that says why it is none */
function objectIn(text: string): Mapping {
  const content: unknown = JSON.parse(text)
  if (!isMapping(content)) throw new Error('expected a JSON object')
  const {version} = content
  if (typeof version === 'number' && version > VERSION)
    throw new Error(
      `expected version ${VERSION}, got ${version}: it was written by a later version of miio2mqtt`,
    )
  return content
}

/** Where it cannot be put aside, it cannot be written over either: the first write says so. */
async function putAside(file: string, error: unknown, {clock, log}: JsonFileDependencies): Promise<void> {
  const start = `${basename(file)}.bad-`
  const kept = join(dirname(file), `${start}${clock.date().toISOString().replaceAll(':', '-')}`)
  const fields = {error: error instanceof Error ? error.message : String(error)}
  try {
    await rename(file, kept)
  } catch {
    log.warn('what was remembered is unreadable, and cannot be put aside: starting anew', {file, ...fields})
    return
  }
  log.warn('what was remembered is unreadable: starting anew', {kept, ...fields})
  await removeAllBut(MOST_PUT_ASIDE, dirname(file), start, basename(kept)).catch(() => {})
}

/** Of the files whose names begin with `start` and go on with a time, the newest stay, and the one that was just put aside. */
async function removeAllBut(most: number, folder: string, start: string, newest: string): Promise<void> {
  const names = (await readdir(folder)).filter(
    (name) => name !== newest && name.startsWith(start) && /^\d{4}-/.test(name.slice(start.length)),
  )
  const old = names.sort().slice(0, Math.max(0, names.length - (most - 1)))
  await Promise.all(old.map((name) => rm(join(folder, name), {force: true})))
}

/** Keys come from the file: a log line needs no megabytes of one. */
function excerpt(where: string): string {
  return JSON.stringify(where.length > 80 ? `${where.slice(0, 80)}…` : where)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** `mkdir` with `recursive` never ends below `/proc` (Node 20 and 24): one folder after the other does. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, {mode: 0o700})
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await mkdir(folder, {mode: 0o700}).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again
    })
  }
}

/** Eight digits. */
export function randomHex(random: Random): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
}

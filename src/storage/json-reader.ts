/**
 * Reads a JSON file of the state folder, which may be damaged, foreign or of another version: every part that makes sense is
 * kept, and the rest is dropped with one warning. A file that cannot be read at all ends the start (`StateUnreadable`).
 */
import {constants} from 'node:fs'
import {type FileHandle, open, readdir, rename, rm, stat} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import type {z} from 'zod'
import {removeTemporaryFiles} from '../common/atomic-write.ts'
import type {JsonFileDependencies} from './json-file.ts'

/** Several times what more than ten thousand plugs with every value on a topic of its own need. */
const MAX_FILE_BYTES = 64 * 1024 * 1024
/** So many unreadable files of each name are kept: a file that is damaged at every start must not fill the disk. */
const MAX_BAD_FILES = 3
/** The version of the format that this program writes. */
const VERSION = 1
const MAX_DROPPED_NAMED = 5

/**
 * A file of the state folder exists and cannot be read. Without its content the bridge would write over it, kilowatt-hours and
 * all, so the bridge does not start. The message is one line: which file, why, and what to do.
 */
export class StateUnreadable extends Error {
  override readonly name = 'StateUnreadable'
}

/** Reports a part of a file that makes no sense and is dropped: its path in the file, and what was expected there. */
export type ReportDropped = (where: string, expected: string) => void

export type Mapping = Readonly<Record<string, unknown>>

/**
 * Reads the file `name` in `folder`. Text that is no JSON object, or of a later version, is renamed to `<name>.bad-<time>` with
 * one warning, and counts as no file.
 * @param parse gets the JSON object, and reports each part that it drops
 * @returns the result of `parse`; `undefined` when there is no file, as at the first start
 * @throws StateUnreadable for a file that exists and cannot be read: nothing is changed then
 */
export async function readJsonFile<T>(
  folder: string,
  name: string,
  parse: (content: Mapping, reportDropped: ReportDropped) => T,
  dependencies: JsonFileDependencies,
): Promise<T | undefined> {
  const file = join(folder, name)
  const text = await readText(file)
  await removeTemporaryFiles(file).catch(() => {}) // those that cannot be removed do no harm
  if (text === undefined) return undefined
  let content: Mapping
  try {
    content = parseObject(text)
  } catch (error) {
    await renameBadFile(file, error, dependencies)
    return undefined
  }
  const named: string[] = []
  let dropped = 0
  const parsed = parse(content, (where, expected) => {
    if (++dropped <= MAX_DROPPED_NAMED) named.push(`${excerpt(where)} (expected ${expected})`)
  })
  const more = dropped > named.length ? ` and ${dropped - named.length} more` : ''
  if (dropped > 0)
    dependencies.log.warn(
      `${file}: ignored invalid entries: ${named.join(', ')}${more}; the other entries stay`,
    )
  return parsed
}

/** Whether a JSON value is an object, and no list. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The valid members of the mapping `value`, by key. Invalid ones are reported and dropped one by one. A missing mapping has no
 * members.
 * @param where path of the mapping in the file
 */
export function validMembers<T>(
  where: string,
  value: unknown,
  {key, schema, expected}: {key: (key: string) => boolean; schema: z.ZodType<T>; expected: string},
  reportDropped: ReportDropped,
): [string, T][] {
  if (value === undefined) return []
  if (!isMapping(value)) {
    reportDropped(where, 'a mapping')
    return []
  }
  return Object.entries(value).flatMap(([name, member]): [string, T][] => {
    const {success, data} = schema.safeParse(member)
    if (success && key(name)) return [[name, data]]
    reportDropped(`${where}.${name}`, expected)
    return []
  })
}

/** Whether `key` is a device id (did), as a key of a file. */
export function isDid(key: string): boolean {
  return /^[1-9]\d*$/.test(key) && Number(key) <= Number.MAX_SAFE_INTEGER
}

/**
 * Reads regular files only, and never blocks: opening a pipe would wait for a writer, and reading a device may not end.
 * @throws StateUnreadable
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
    if (error instanceof StateUnreadable) throw error
    const code = errorCode(error)
    // With ENOTDIR a part of the path is a file: there is no state file then, and the first write fails with a warning.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw await openFailed(file, code)
  } finally {
    await handle?.close()
  }
}

function unreadable(file: string, why: string, advice: string): StateUnreadable {
  return new StateUnreadable(
    `cannot use the state file ${file}: ${why}. Nothing was changed: ${advice}, and start again`,
  )
}

async function openFailed(file: string, code: string): Promise<StateUnreadable> {
  if (code === 'EACCES' || code === 'EPERM') return permissionDenied(file)
  const [why, advice] = OPEN_ERRORS[code] ?? [`it cannot be read (${code})`, 'check the disk and the system']
  return unreadable(file, why, advice)
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
async function permissionDenied(file: string): Promise<StateUnreadable> {
  const user = process.getuid?.()
  const owner = await stat(file).then(
    ({uid}) => uid,
    () => undefined,
  )
  if (owner === user)
    return unreadable(
      file,
      'permission denied, although the file belongs to the user of the bridge',
      `\`chmod 600 ${file}\``,
    )
  const belongs =
    owner === undefined ? '' : `: it belongs to user ${owner}, and the bridge runs as user ${user}`
  const bridgeUser = `${user}:${process.getgid?.()}`
  return unreadable(file, `permission denied${belongs}`, `\`sudo chown -R ${bridgeUser} ${dirname(file)}\``)
}

/** @throws Error that says why the text is not usable */
function parseObject(text: string): Mapping {
  const content: unknown = JSON.parse(text)
  if (!isMapping(content)) throw new Error('expected a JSON object')
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
  const fields = {error: error instanceof Error ? error.message : String(error)}
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

/** Keys come from the file and may be megabytes long. */
function excerpt(where: string): string {
  return JSON.stringify(where.length > 80 ? `${where.slice(0, 80)}…` : where)
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

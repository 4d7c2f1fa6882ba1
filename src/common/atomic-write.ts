/** Files that are replaced whole: whoever reads one, after a crash or a power cut too, finds the old content or the new. */
import type {Stats} from 'node:fs'
import {type FileHandle, lstat, open, readdir, rename, rm} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

/**
 * Puts `content` in the place of `file`, readable by its owner only unless `mode` says otherwise. Owner and group stay as far as this
 * user may set them: a bridge that was run by root once leaves nothing behind that its own user cannot read. Access control lists are
 * not kept: Node cannot read them. The folder must exist.
 * @param suffix hex digits that no other write under way has: the new content is written to `<file>.<suffix>.tmp` first
 * @param check called when the new content is on the disk, right before it takes the place of the old: a throw leaves the old
 * @throws the file system's error, or what `check` throws; the old file is then untouched
 */
export async function writeFileAtomically(
  file: string,
  content: string,
  suffix: string,
  mode = 0o600,
  check: () => Promise<void> = async () => {},
): Promise<void> {
  const unfinished = `${file}.${suffix}.tmp`
  try {
    const before = await lstat(file).catch(() => undefined)
    await writeThrough(unfinished, content, mode, before?.isFile() ? before : undefined)
    await check()
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, {force: true}).catch(() => {})
    throw error
  }
  await syncFolder(dirname(file))
}

/** Sweeps away what a process that was killed in the middle of `replaceFile` has left. @throws the file system's error */
export async function removeTemporaryFiles(file: string): Promise<void> {
  const start = `${basename(file)}.`
  const isUnfinished = (name: string) =>
    name.startsWith(start) && /^[0-9a-f]{8}\.tmp$/.test(name.slice(start.length))
  const unfinished = (await readdir(dirname(file))).filter(isUnfinished)
  await Promise.all(unfinished.map((name) => rm(join(dirname(file), name), {force: true})))
}

/** Whoever may read the new file can do so once it is complete: until then it is its writer's alone, tokens and all. */
async function writeThrough(
  file: string,
  content: string,
  mode: number,
  before: Stats | undefined,
): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await writeAll(handle, Buffer.from(content))
    const isOfSameGroup = before === undefined || (await keepOwner(handle, before))
    const allowed = isOfSameGroup ? mode : withoutGroup(mode)
    if (allowed !== 0o600) await handle.chmod(allowed)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Only root may give a file away; its group may be any of one's own. @returns whether the group is the same as before */
async function keepOwner(handle: FileHandle, {uid, gid}: Stats): Promise<boolean> {
  const now = await handle.stat()
  if (now.uid === uid && now.gid === gid) return true
  const given = await handle.chown(uid, gid).then(
    () => true,
    () => false,
  )
  if (given || now.gid === gid) return true
  return handle.chown(now.uid, gid).then(
    () => true,
    () => false,
  )
}

/** What another group may do is what everybody may do. */
function withoutGroup(mode: number): number {
  return (mode & 0o707) | ((mode & 0o007) << 3)
}

/** A disk that fills up takes a part and reports no error: only the next write does. */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const {bytesWritten} = await handle.write(bytes, written)
    if (bytesWritten === 0) throw new Error(`the disk took ${written} of ${bytes.length} bytes`)
    written += bytesWritten
  }
}

/** Some file systems cannot sync a folder. The new file is in place all the same. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().catch(() => {})
  await handle.close()
}

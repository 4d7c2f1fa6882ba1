/** Writes files atomically: a reader finds either the old content or the new one, also after a crash or a power cut. */
import type {Stats} from 'node:fs'
import {type FileHandle, lstat, mkdir, open, readdir, rename, rm} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {errorCode} from './text.ts'

/**
 * Replaces `file` by a new one with `content`. Owner and group stay as they are, as far as this user may set them: a bridge that
 * was run by root once leaves no file that its own user cannot read. Access control lists are lost, since Node.js cannot read
 * them. The folder must exist.
 * @param suffix hex digits that no concurrent write has: the new content is written to `<file>.<suffix>.tmp` first
 * @param mode permissions of the new file; by default only its owner may read it
 * @param check called when the new content is on the disk, right before it replaces the old one: when it throws, the old stays
 * @throws the file system's error, or what `check` throws; the old file is then unchanged
 */
export async function writeFileAtomically(
  file: string,
  content: string,
  suffix: string,
  mode = 0o600,
  check: () => Promise<void> = async () => {},
): Promise<void> {
  const temporary = `${file}.${suffix}.tmp`
  try {
    const before = await lstat(file).catch(() => undefined)
    await writeSynced(temporary, content, mode, before?.isFile() ? before : undefined)
    await check()
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, {force: true}).catch(() => {})
    throw error
  }
  // Makes the rename permanent. Some file systems cannot sync a folder: the new file is in place all the same.
  const folder = await open(dirname(file), 'r')
  await folder.sync().catch(() => {})
  await folder.close()
}

/** Removes the temporary files of a process that was killed in `writeFileAtomically`. @throws the file system's error */
export async function removeTemporaryFiles(file: string): Promise<void> {
  const prefix = `${basename(file)}.`
  const isTemporary = (name: string) =>
    name.startsWith(prefix) && /^[0-9a-f]{8}\.tmp$/.test(name.slice(prefix.length))
  const temporary = (await readdir(dirname(file))).filter(isTemporary)
  await Promise.all(temporary.map((name) => rm(join(dirname(file), name), {force: true})))
}

/**
 * Makes a folder and the folders above it, for its owner only. One by one, since `mkdir` with `recursive` never ends below
 * `/proc` (Node.js 20 and 24).
 * @throws the file system's error; not when the folder exists
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, {mode: 0o700})
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return
    if (errorCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await mkdir(folder, {mode: 0o700}).catch((again: unknown) => {
      if (errorCode(again) !== 'EEXIST') throw again
    })
  }
}

/** Until the content is complete only this user may read the file: it may hold tokens. */
async function writeSynced(
  file: string,
  content: string,
  mode: number,
  before: Stats | undefined,
): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await writeAll(handle, Buffer.from(content))
    const hasSameGroup = before === undefined || (await keepOwner(handle, before))
    // Another group gets the permissions of all other users.
    const allowed = hasSameGroup ? mode : (mode & 0o707) | ((mode & 0o007) << 3)
    if (allowed !== 0o600) await handle.chmod(allowed)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Sets owner and group as before. Only root may set another owner; other users may set any group of their own.
 * @returns whether the group is the same as before
 */
async function keepOwner(handle: FileHandle, {uid, gid}: Stats): Promise<boolean> {
  const now = await handle.stat()
  if (now.uid === uid && now.gid === gid) return true
  const set = (owner: number) =>
    handle.chown(owner, gid).then(
      () => true,
      () => false,
    )
  return (await set(uid)) || now.gid === gid || set(now.uid)
}

/** A disk that fills up takes a part and reports no error: only the next write fails. `FileHandle.writeFile` repeats a write of 0 bytes for ever. */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const {bytesWritten} = await handle.write(bytes, written)
    if (bytesWritten === 0) throw new Error(`the disk took ${written} of ${bytes.length} bytes`)
    written += bytesWritten
  }
}

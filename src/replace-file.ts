/** Files that are replaced whole: whoever reads one, after a crash or a power cut too, finds the old content or the new. */
import {type FileHandle, open, readdir, rename, rm} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

/**
 * Puts `content` in the place of `file`, readable by its owner only unless `mode` says otherwise. The folder must exist.
 * @param suffix hex digits that no other write under way has: the new content is written to `<file>.<suffix>.tmp` first
 * @throws the file system's error; the old file is then untouched
 */
export async function replaceFile(
  file: string,
  content: string,
  suffix: string,
  mode = 0o600,
): Promise<void> {
  const unfinished = `${file}.${suffix}.tmp`
  try {
    await writeThrough(unfinished, content, mode)
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, {force: true}).catch(() => {})
    throw error
  }
  await syncFolder(dirname(file))
}

/** Sweeps away what a process that was killed in the middle of `replaceFile` has left. */
export async function removeUnfinished(file: string): Promise<void> {
  const start = `${basename(file)}.`
  const isUnfinished = (name: string) =>
    name.startsWith(start) && /^[0-9a-f]+\.tmp$/.test(name.slice(start.length))
  const unfinished = (await readdir(dirname(file))).filter(isUnfinished)
  await Promise.all(unfinished.map((name) => rm(join(dirname(file), name), {force: true})))
}

async function writeThrough(file: string, content: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    if (mode !== 0o600) await handle.chmod(mode)
    await writeAll(handle, Buffer.from(content))
    await handle.sync()
  } finally {
    await handle.close()
  }
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

/** What to do about a file of the configuration that this user may not read: who may, and how to be that user. */
import {constants} from 'node:fs'
import {access, readFile, stat} from 'node:fs/promises'
import {dirname} from 'node:path'

interface Owned {
  uid: number
  gid: number
  mode: number
}

/** The first of `files` that is there and that this user may not read. Never rejects. */
export async function permissionHelp(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if ((await failureCode(access(file, constants.R_OK))) === 'EACCES') return file
  return undefined
}

/** One line about `file`, which this user may not read: whose it is, and the command that may. Never rejects. */
export async function whoMayRead(file: string): Promise<string> {
  const owned = await ownerOf(file)
  if (!owned) return 'Try `sudo miio2mqtt …`.'
  if (owned.uid === process.getuid?.()) return `It is yours: \`chmod u+rX ${owned.path}\`.`
  const reader = await readerOf(owned)
  return reader === 'root'
    ? 'It belongs to root: `sudo miio2mqtt …`.'
    : `It belongs to ${reader}: \`sudo --user ${reader} miio2mqtt …\`.`
}

/** A folder that cannot be passed hides whose the file in it is; whoever owns the folder may pass it. */
async function ownerOf(file: string): Promise<(Owned & {path: string}) | undefined> {
  for (let path = file; ; path = dirname(path)) {
    const stats = await stat(path).catch(() => undefined)
    if (stats) return {path, uid: stats.uid, gid: stats.gid, mode: stats.mode}
    if (path === dirname(path)) return undefined
  }
}

/** The owner; for a file of root's that a group may read, the user of that group, as a service has one. */
async function readerOf({uid, gid, mode}: Owned): Promise<string> {
  const users = await usersOfThisMachine()
  const ofGroup = uid === 0 && gid !== 0 && (mode & 0o040) !== 0
  const user = users.find((each) => (ofGroup ? each.uid !== 0 && each.gid === gid : each.uid === uid))
  return user?.name ?? (uid === 0 ? 'root' : `'#${uid}'`) // sudo takes a number so
}

/** Those of /etc/passwd (passwd(5)); none where it cannot be read. */
async function usersOfThisMachine(): Promise<{name: string; uid: number; gid: number}[]> {
  const lines = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return lines.split('\n').map((line) => {
    const [name = '', , uid, gid] = line.split(':')
    return {name, uid: Number(uid), gid: Number(gid)}
  })
}

/** The code with which a promise of the file system is rejected. */
export function failureCode(done: Promise<unknown>): Promise<string | undefined> {
  return done.then(
    () => undefined,
    ({code}: NodeJS.ErrnoException) => code,
  )
}

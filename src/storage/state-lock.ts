/**
 * One bridge for each state folder: two that write the same files undo each other's, and poll every plug twice.
 *
 * Every bridge listens on a Unix domain socket of its own in the folder, `bridge.lock.<8 hex digits>`. Whether one that lies there is
 * alive is found out by connecting: the kernel refuses (ECONNREFUSED) from the moment in which its process is gone, however it ended, so
 * that no stale lock needs to be recognised by a process id, which a restarted container uses again. A socket with a path belongs to
 * the file system and not to a network namespace, so that containers that share a volume see each other's; one in the abstract
 * namespace would not. No name is used twice, so that removing a dead one never takes away another that has just begun.
 */
import {type FileHandle, link, open, readdir, rm} from 'node:fs/promises'
import {createConnection, createServer, type Server} from 'node:net'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {removeTemporaryFiles} from '../common/atomic-write.ts'
import {type Clock, type Random, sleep, within} from '../common/clock.ts'
import type {Log} from '../log/logger.ts'
import {makeFolder, randomHex} from './json-file.ts'

const NAME = 'bridge.lock'
/** `sun_path` has 108 bytes on Linux and 104 elsewhere, with a zero at the end. */
const LONGEST_PATH_BYTES = 100
/** A bridge that is stopped by a signal, or stuck, holds its folder without a word. */
const REPLY_MS = 2_000
/** So long another bridge may take to find out whether the folder is free, and so often it is asked meanwhile. */
const STARTING_MS = 10_000
const ASK_AGAIN_MS = 20
/** Another bridge that starts may sweep away a socket before it has its name. */
const ATTEMPTS = 5

/** The message names the process that holds the lock, and says what to do. */
export class StateInUse extends Error {
  override readonly name = 'StateInUse'
}

export interface LockOptions {
  clock: Clock
  random: Random
  log: Log
}

/** Gives the folder free. Never rejects. */
type Release = () => Promise<void>

/**
 * Takes the folder for this process until the returned function is called. A folder in which nothing can be written, or no socket can
 * be made, is not locked: the bridge works without, and says that it cannot write.
 * @throws StateInUse when another bridge has it
 */
export async function lockStateFolder(folder: string, options: LockOptions): Promise<Release> {
  let handle: FileHandle | undefined
  try {
    await makeFolder(folder)
    handle = await open(folder, 'r')
    return await new Contender(folder, handle, options).run()
  } catch (error) {
    await handle?.close()
    if (error instanceof StateInUse) throw error
    options.log.debug('the state folder cannot be locked', {folder, error})
    return () => Promise.resolve()
  }
}

class Contender {
  readonly #folder: string
  readonly #handle: FileHandle
  readonly #options: LockOptions
  /** What whoever asks is told. */
  #state: 'starting' | 'holding' = 'starting'

  constructor(folder: string, handle: FileHandle, options: LockOptions) {
    this.#folder = folder
    this.#handle = handle
    this.#options = options
  }

  /** @throws StateInUse, or the file system's error */
  async run(): Promise<Release> {
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      const own = await this.#listen()
      if (own) return this.#contend(own)
    }
    throw inUse(this.#folder, '')
  }

  /**
   * The socket listens before it gets its name: one that is found dead is dead.
   * @returns `undefined` when it was swept away before it had its name, or the name was taken
   */
  async #listen(): Promise<Own | undefined> {
    const name = `${NAME}.${randomHex(this.#options.random)}`
    const unfinished = this.#path(`${name}.tmp`)
    const server = await listening(unfinished, () => `${this.#state} ${process.pid} ${hostname()}`)
    try {
      await link(unfinished, this.#path(name))
      return {name, server}
    } catch (error) {
      server.close()
      if (isCode(error, 'EEXIST', 'ENOENT')) return undefined
      throw error
    } finally {
      await rm(unfinished, {force: true}).catch(() => {})
    }
  }

  /**
   * Whoever comes second sees the first, since both were there before they looked. Of two that start at the same time the one with
   * the higher name gives way, and the other waits until it did, or until it turns out that it had looked before.
   */
  async #contend(own: Own): Promise<Release> {
    try {
      const names = (await readdir(this.#folder)).filter((name) => /^bridge\.lock\.[0-9a-f]{8}$/.test(name))
      await Promise.all(names.map((name) => (name === own.name ? undefined : this.#outlast(name, own))))
    } catch (error) {
      await this.#withdraw(own)
      throw error
    }
    this.#state = 'holding'
    await removeTemporaryFiles(join(this.#folder, NAME)).catch(() => {})
    return async () => {
      await this.#withdraw(own)
      await this.#handle.close()
    }
  }

  /** Resolves once nobody listens there. @throws StateInUse */
  async #outlast(name: string, own: Own): Promise<void> {
    const {clock} = this.#options
    const path = this.#path(name)
    const until = clock.now() + STARTING_MS
    for (;;) {
      const told = await toldBy(path, clock)
      if (told === undefined) return rm(path, {force: true}).catch(() => {})
      // One that hangs up without a word has just given way, or has no descriptor left to answer with.
      const givesWay = told === 'nothing' || (told.startsWith('starting') && name > own.name)
      if (!givesWay || clock.now() >= until) throw inUse(this.#folder, told)
      await sleep(clock, ASK_AGAIN_MS)
    }
  }

  async #withdraw({name, server}: Own): Promise<void> {
    await rm(this.#path(name), {force: true}).catch(() => {})
    await new Promise((resolve) => server.close(resolve))
  }

  /** A path that is too long would be cut off without a word (libuv before 1.46): the folder's descriptor stands for its path. */
  #path(name: string): string {
    const path = join(this.#folder, name)
    const isShort = Buffer.byteLength(path) <= LONGEST_PATH_BYTES
    return isShort ? path : `/proc/self/fd/${this.#handle.fd}/${name}`
  }
}

interface Own {
  name: string
  server: Server
}

/** A server that tells everybody what `tell` says. It keeps no process alive. */
async function listening(path: string, tell: () => string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {}) // whoever asked did not wait for the answer
    socket.end(tell())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // A bridge that another user starts must be able to ask, or it would take the lock for a stale one.
    server.listen({path, readableAll: true, writableAll: true}, resolve)
  })
  server.on('error', () => {}) // no descriptor is left for whoever asks
  return server.unref()
}

/** What the bridge that listens on `path` says of itself: empty when it says nothing in time. `undefined` when no process listens. */
async function toldBy(path: string, clock: Clock): Promise<string | undefined> {
  const socket = createConnection(path)
  let told: string | undefined
  socket.setEncoding('utf8')
  socket.on('connect', () => {
    told = ''
  })
  socket.on('data', (more: string) => {
    told = `${told}${more}`.slice(0, 200)
  })
  socket.on('error', (error) => {
    if (isCode(error, 'EAGAIN')) told = '' // somebody listens, and too many wait for an answer
  })
  const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)))
  const hasHungUp = await within(clock, clock.now() + REPLY_MS, closed)
  socket.destroy()
  return told === '' && hasHungUp ? 'nothing' : told
}

/** @param told as a bridge answers, or nothing */
function inUse(folder: string, told: string): StateInUse {
  const [, pid, host] = told.split(' ')
  const who = host === undefined ? 'a process that does not answer' : `process ${pid} on ${host}`
  return new StateInUse(
    `the state folder ${folder} is in use by another miio2mqtt: ${who}. Stop that one (\`systemctl status miio2mqtt\`, \`docker ps\`), or give this one a \`state_dir\` of its own`,
  )
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/**
 * Locks a state folder, so that one bridge at a time uses it: two bridges that write the same files undo each other's writes, and
 * poll every plug twice.
 *
 * Every bridge listens on a Unix domain socket of its own in the folder, `bridge.lock.<8 hex digits>`. Whether the owner of a
 * socket is alive is found out by connecting: the kernel refuses (ECONNREFUSED) as soon as its process has ended, however it
 * ended. A process id would not do, since a restarted container uses the same ones again. A socket with a path belongs to the
 * file system and not to a network namespace, so that containers that share a volume see each other's; a socket in the abstract
 * namespace would not. No name is used twice, so that removing a dead socket never removes one that was just made.
 */
import {type FileHandle, link, open, readdir, rm} from 'node:fs/promises'
import {createConnection, createServer, type Server} from 'node:net'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {makeFolder, removeTemporaryFiles} from '../common/atomic-write.ts'
import {type Clock, randomHex, sleep, within} from '../common/clock.ts'
import {errorCode} from '../common/text.ts'
import {type JsonFileDependencies, StateFolderError} from './json-file.ts'

const NAME = 'bridge.lock'
/** `sun_path` has 108 bytes on Linux and 104 elsewhere, with a zero at the end. */
const MAX_PATH_BYTES = 100
/** A bridge that was stopped by a signal, or hangs, accepts connections and sends no status. It still holds its folder. */
const STATUS_TIMEOUT_MS = 2_000
/** How long another bridge may take to find out whether the folder is free, and how often its status is read meanwhile. */
const STARTING_TIMEOUT_MS = 10_000
const READ_AGAIN_MS = 20
/** Another bridge that starts may remove our socket as a temporary file before it has its final name. */
const MAX_ATTEMPTS = 5

/** Unlocks the folder. Never rejects. */
type Unlock = () => Promise<void>

/**
 * Locks the folder for this process until the returned function is called. A folder in which no file or no socket can be made is
 * not locked: the bridge works without, and warns that it cannot write.
 * @throws StateFolderError when another bridge has it
 */
export async function lockStateFolder(folder: string, options: JsonFileDependencies): Promise<Unlock> {
  let handle: FileHandle | undefined
  try {
    await makeFolder(folder)
    handle = await open(folder, 'r')
    return await new LockAttempt(folder, handle, options).run()
  } catch (error) {
    await handle?.close()
    if (error instanceof StateFolderError) throw error
    options.log.debug('the state folder cannot be locked', {folder, error})
    return () => Promise.resolve()
  }
}

class LockAttempt {
  readonly #folder: string
  readonly #handle: FileHandle
  readonly #options: JsonFileDependencies
  /** Sent to other bridges that connect. */
  #state: 'starting' | 'holding' = 'starting'

  constructor(folder: string, handle: FileHandle, options: JsonFileDependencies) {
    this.#folder = folder
    this.#handle = handle
    this.#options = options
  }

  /** @throws StateFolderError, or the file system's error */
  async run(): Promise<Unlock> {
    for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
      const own = await this.#listen()
      if (own) return this.#compete(own)
    }
    throw stateInUse(this.#folder, '')
  }

  /**
   * Listens under a temporary name, and only then gives the socket its final one: a socket with a final name that refuses
   * connections is dead for certain.
   * @returns `undefined` when the temporary name was removed by another bridge, or the final name was taken
   */
  async #listen(): Promise<OwnSocket | undefined> {
    const name = `${NAME}.${randomHex(this.#options.random)}`
    const temporary = this.#path(`${name}.tmp`)
    const server = await listenOn(temporary, () => `${this.#state} ${process.pid} ${hostname()}`)
    try {
      await link(temporary, this.#path(name))
      return {name, server}
    } catch (error) {
      server.close()
      if (['EEXIST', 'ENOENT'].includes(errorCode(error) ?? '')) return undefined
      throw error
    } finally {
      await rm(temporary, {force: true}).catch(() => {})
    }
  }

  /**
   * Of two bridges that start, the second one sees the socket of the first, since each has its socket before it looks. When they
   * start at the same time, both see each other: the one with the higher name gives way, and the other one waits until it did, or
   * until it turns out that it had looked before and holds the lock.
   */
  async #compete(own: OwnSocket): Promise<Unlock> {
    try {
      const names = (await readdir(this.#folder)).filter((name) => /^bridge\.lock\.[0-9a-f]{8}$/.test(name))
      const others = names.filter((name) => name !== own.name)
      await Promise.all(others.map((name) => this.#waitForEnd(name, own)))
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

  /** Resolves once no process listens on the socket `name`, which is removed. @throws StateFolderError */
  async #waitForEnd(name: string, own: OwnSocket): Promise<void> {
    const {clock} = this.#options
    const path = this.#path(name)
    const deadline = clock.now() + STARTING_TIMEOUT_MS
    for (;;) {
      const status = await readStatus(path, clock)
      if (status === undefined) return rm(path, {force: true}).catch(() => {})
      // One that closes the connection without a status has just given way, or has no file descriptor left for it.
      const givesWay = status === 'closed' || (status.startsWith('starting') && name > own.name)
      if (!givesWay || clock.now() >= deadline) throw stateInUse(this.#folder, status)
      await sleep(clock, READ_AGAIN_MS)
    }
  }

  async #withdraw({name, server}: OwnSocket): Promise<void> {
    await rm(this.#path(name), {force: true}).catch(() => {})
    await new Promise((resolve) => server.close(resolve))
  }

  /** libuv before 1.46 cuts off a path that is too long, without an error: then the folder's descriptor replaces its path. */
  #path(name: string): string {
    const path = join(this.#folder, name)
    const isShort = Buffer.byteLength(path) <= MAX_PATH_BYTES
    return isShort ? path : `/proc/self/fd/${this.#handle.fd}/${name}`
  }
}

interface OwnSocket {
  name: string
  server: Server
}

/** A server that sends the result of `status` to every client. It keeps no process alive. */
async function listenOn(path: string, status: () => string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {}) // the client did not wait for the status
    socket.end(status())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // A bridge of another user must be able to connect: it would take the socket for a dead one otherwise.
    server.listen({path, readableAll: true, writableAll: true}, resolve)
  })
  server.on('error', () => {}) // no file descriptor is left for a client
  return server.unref()
}

/**
 * Connects to the socket of another bridge.
 * @returns its status; `closed` when it closes the connection without one; empty when it sends none in time; `undefined` when no process
 *   listens
 */
async function readStatus(path: string, clock: Clock): Promise<string | undefined> {
  const socket = createConnection(path)
  let status: string | undefined
  socket.setEncoding('utf8')
  socket.on('connect', () => {
    status = ''
  })
  socket.on('data', (more: string) => {
    status = `${status}${more}`.slice(0, 200)
  })
  socket.on('error', (error) => {
    if (errorCode(error) === 'EAGAIN') status = '' // a process listens, and too many clients wait for it
  })
  const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)))
  const isClosed = await within(clock, clock.now() + STATUS_TIMEOUT_MS, closed)
  socket.destroy()
  return status === '' && isClosed ? 'closed' : status
}

/** @param status of the bridge that holds the lock; may be empty */
function stateInUse(folder: string, status: string): StateFolderError {
  const [, pid, host] = status.split(' ')
  const owner = host === undefined ? 'a process that does not answer' : `process ${pid} on ${host}`
  return new StateFolderError(
    `the state folder ${folder} is in use by another miio2mqtt: ${owner}. Stop that one (\`systemctl status miio2mqtt\`, \`docker ps\`), or give this one a \`state_dir\` of its own`,
  )
}

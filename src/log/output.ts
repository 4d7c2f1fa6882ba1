/** Standard output that never blocks the bridge: when its reader stalls, lines are dropped, and plugs are still switched. */
import {Socket} from 'node:net'
import {type DestinationStream, destination} from 'pino'

/** Buffer for a slow reader. While it is full, new lines are dropped. */
const BUFFER_BYTES = 1024 * 1024
/** How often the last lines are written to a reader that takes nothing, 100 ms apart, before the process ends without them. */
const FLUSH_RETRIES = 5

/** A stream for pino that writes to standard output and drops lines when nothing reads them. */
export class Output implements DestinationStream {
  readonly #stream: ReturnType<typeof destination>
  #retries = Number.POSITIVE_INFINITY
  #isOpen = true

  /** @param fd 1 or 2 */
  constructor(fd: number) {
    stopBlocking(fd)
    const retryEAGAIN = () => this.#retries-- > 0
    this.#stream = destination({dest: fd, sync: false, maxLength: BUFFER_BYTES, retryEAGAIN})
    // The reader has ended, or the disk is full. The log cannot report it, and plugs must still be switched.
    this.#stream.on('error', () => {})
    this.#stream.on('close', () => {
      this.#isOpen = false
    })
    process.prependOnceListener('exit', () => this.flush())
  }

  write(line: string): void {
    if (this.#isOpen) this.#stream.write(line)
  }

  /** Writes out what is left, synchronously, for a process that is about to end. Gives up after half a second. */
  flush(): void {
    if (!this.#isOpen) return
    this.#retries = FLUSH_RETRIES
    try {
      this.#stream.flushSync()
    } catch {
      // Otherwise pino would try once more as the process exits, and wait for ever.
      this.#isOpen = false
      this.#stream.destroy()
    }
    this.#retries = Number.POSITIVE_INFINITY
  }
}

/**
 * Makes writes to a pipe or socket fail with EAGAIN instead of blocking a thread of the pool, which would also keep the process
 * from exiting. Node.js has no call for it. Opening the descriptor as a socket, which is not used, has this effect.
 */
function stopBlocking(fd: number): void {
  try {
    new Socket({fd, readable: false, writable: true}).on('error', () => {}).unref()
  } catch {
    // The descriptor is a file or a terminal.
  }
}

/** Standard output that never makes the bridge wait: a reader that stalls costs lines, not commands. */
import {Socket} from 'node:net'
import {type DestinationStream, destination} from 'pino'

/** What is kept for a reader that is slow. Beyond it, new lines are dropped until it caught up. */
const KEPT_BYTES = 1024 * 1024
/** How often the last lines are offered to a reader that takes nothing, 100 ms apart, before the process ends without them. */
const LAST_OFFERS = 5

export class Output implements DestinationStream {
  readonly #stream: ReturnType<typeof destination>
  #offers = Number.POSITIVE_INFINITY
  #open = true

  /** @param fd 1 or 2 */
  constructor(fd: number) {
    stopBlocking(fd)
    const retryEAGAIN = () => this.#offers-- > 0
    this.#stream = destination({dest: fd, sync: false, maxLength: KEPT_BYTES, retryEAGAIN})
    // A reader that went away, a full disk: the log is the wrong place to complain, and no reason to stop switching plugs.
    this.#stream.on('error', () => {})
    this.#stream.on('close', () => {
      this.#open = false
    })
    process.prependOnceListener('exit', () => this.flush())
  }

  write(line: string): void {
    if (this.#open) this.#stream.write(line)
  }

  /** Writes out what is left, now and synchronously, for a process that is about to end; gives up after half a second. */
  flush(): void {
    if (!this.#open) return
    this.#offers = LAST_OFFERS
    try {
      this.#stream.flushSync()
    } catch {
      // Else pino would try once more as the process exits, and wait for ever.
      this.#open = false
      this.#stream.destroy()
    }
    this.#offers = Number.POSITIVE_INFINITY
  }
}

/**
 * Makes writes to a pipe or socket answer "not now" instead of holding up a thread of the pool, which would also keep the
 * process from exiting. Node has no call for it; opening the descriptor as a socket, and leaving it alone, does it.
 */
function stopBlocking(fd: number): void {
  try {
    new Socket({fd, readable: false, writable: true}).on('error', () => {}).unref()
  } catch {
    // A file or a terminal.
  }
}

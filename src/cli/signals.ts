/** Signals that end or reload a process, and single keys that are typed in its terminal. */
import {readFileSync} from 'node:fs'
import {CLEAR_LINE, terminalFeatures} from '../common/terminal-text.ts'

const CTRL_C = '\u0003'

/**
 * Resolves at the first SIGINT, SIGTERM or one of `others`. A second signal is not caught, and so ends the process at once.
 * @param others SIGHUP, where it means that the terminal window was closed
 */
export function interrupted(...others: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', ...others]
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      for (const each of signals) process.off(each, stop)
      // The terminal has written `^C` for the key. The next output is to begin at the beginning of a line.
      const screen = signal === 'SIGINT' ? terminalFeatures(process.stderr, process.env) : undefined
      if (screen) process.stderr.write(screen.rewritable ? CLEAR_LINE : '\n')
      resolve(signal)
    }
    for (const each of signals) process.on(each, stop)
  })
}

/**
 * Catches SIGHUP, which reloads the configuration; from the start of the process, since without a handler it would end the process.
 * @returns sets the handler of later signals, and calls it at once if a signal has come before
 */
export function catchHangup(): (handle: () => void) => void {
  let isPending = false
  let current = () => {
    isPending = true
  }
  process.on('SIGHUP', () => current())
  return (handle) => {
    current = handle
    if (isPending) handle()
  }
}

/**
 * Passes every typed key to `handle`, without waiting for Enter. Ctrl-C still sends SIGINT.
 * @returns a function that ends it; `undefined` when no keys can be typed: without a terminal, or in a background process
 */
export function onKeys(handle: (key: string) => void): (() => void) | undefined {
  const {stdin} = process
  if (!stdin.isTTY || !isInForeground()) return undefined
  const onData = (keys: Buffer) => {
    for (const key of keys.toString()) {
      // In raw mode the terminal makes no signal of Ctrl-C.
      if (key === CTRL_C) process.kill(process.pid, 'SIGINT')
      else handle(key)
    }
  }
  stdin.setRawMode(true)
  stdin.on('data', onData)
  return () => {
    stdin.off('data', onData)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

/**
 * Whether this process is in the foreground of its terminal. The kernel stops a background process (`miio2mqtt demo &`) that reads from
 * its terminal. Without /proc, as on macOS, the process is assumed to be in the foreground.
 */
function isInForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return group === foreground
  } catch {
    return true
  }
}

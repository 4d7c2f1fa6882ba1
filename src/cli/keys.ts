/** Single keys, as they are typed. */
import {readFileSync} from 'node:fs'

const CTRL_C = '\u0003'

/**
 * Hands every key to `handle`, without waiting for Enter. Ctrl-C stays what it is: SIGINT.
 * @returns what ends it, or `undefined` when nobody can type here: no terminal, or a process in its background
 */
export function onKeys(handle: (key: string) => void): (() => void) | undefined {
  const {stdin} = process
  if (!stdin.isTTY || !isInForeground()) return undefined
  const typed = (keys: Buffer) => {
    for (const key of keys.toString()) {
      // A terminal that hands over single keys makes no signals of them.
      if (key === CTRL_C) process.kill(process.pid, 'SIGINT')
      else handle(key)
    }
  }
  stdin.setRawMode(true)
  stdin.on('data', typed)
  return () => {
    stdin.off('data', typed)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

/** The kernel stops a background process that reads from its terminal (`miio2mqtt demo &`). Where nobody tells, it is taken for none. */
function isInForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return group === foreground
  } catch {
    return true
  }
}

import {CLEAR_LINE, terminalFeatures} from '../common/terminal-text.ts'

/**
 * Resolves at the first SIGINT, SIGTERM or one of `others`. A second one ends the process at once, as if nobody had caught it.
 * @param others SIGHUP where it means that the window was closed
 */
export function interrupted(...others: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', ...others]
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      for (const each of signals) process.off(each, stop)
      if (signal === 'SIGINT') leaveLine()
      resolve(signal)
    }
    for (const each of signals) process.on(each, stop)
  })
}

/** The terminal has written `^C` for the key that was pressed: what comes next begins at the beginning of a line. */
function leaveLine(): void {
  const screen = terminalFeatures(process.stderr, process.env)
  if (screen) process.stderr.write(screen.rewritable ? CLEAR_LINE : '\n')
}

/** SIGHUP asks for the configuration to be read again. Caught from the first moment: without a handler it would end the process. */
export class HangupSignal {
  #isWaiting = false
  #handle = () => {
    this.#isWaiting = true
  }

  constructor() {
    process.on('SIGHUP', () => this.#handle())
  }

  /** From now on `handle` is called for each signal; at once, if one has come. */
  follow(handle: () => void): void {
    this.#handle = handle
    if (this.#isWaiting) handle()
  }
}

import type {Clock, Timer} from '../common/clock.ts'

/** Calls `run` every `ms` milliseconds until the timer is cancelled. */
export function repeat(clock: Clock, ms: number, run: () => void): Timer {
  const again = () => {
    timer = clock.after(ms, again)
    run()
  }
  let timer = clock.after(ms, again)
  return {cancel: () => timer.cancel()}
}

import {SteadyClock} from './steady-clock.ts'

/** Minutes of a real bridge, with real sockets, in seconds. */
export class FastClock extends SteadyClock {
  /** @param times how many times as fast as real time: one tick, of up to 10 ms of real time, must stay shorter than a try */
  constructor(times: number) {
    super(times)
  }
}

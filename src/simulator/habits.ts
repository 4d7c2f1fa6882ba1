/** What differs between generations of firmware rather than between models (docs/protocol.md §6). */
export interface Habits {
  /** What a hello reply has where an unprovisioned plug shows its token: hidden as FF or 00, or the token itself (§1.2). */
  helloShows: 'ff' | '00' | 'token'
  /** Some firmware leaks the token in `miIO.info` (§4). */
  infoShowsToken: boolean
  /** A request whose stamp is further off than this many seconds is dropped; `Infinity`: never (§1.4). */
  stampWindowS: number
  /** How a wrong checksum is answered: with a packet of 32 bytes, or not at all (§1.6). */
  wrongToken: 'nak' | 'silent'
  /**
   * What a request whose id was used a moment ago gets: the answer of then, no answer, or an "ok" without any action.
   * It is executed again in no case (§1.7).
   */
  repeats: 'cached' | 'dropped' | 'ok'
  /** `old` firmware of the v3 tells its relay as a JSON boolean, `new` as text (§3.1). */
  mood: 'old' | 'new'
  /** Newer firmware adds how many milliseconds a request took. */
  exeTime: boolean
}

/** The m1, the one plug whose firmware has been read, except that it hides its token as 00. */
export const usualHabits: Habits = {
  helloShows: 'ff',
  infoShowsToken: false,
  stampWindowS: 60,
  wrongToken: 'nak',
  repeats: 'cached',
  mood: 'new',
  exeTime: false,
}

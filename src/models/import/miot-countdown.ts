/**
 * Finds the countdown of a MIoT specification. A countdown time without a start property has no effect, and the start needs a time: both
 * are taken from one service, or neither. The time that is left is taken from the same service. A specification may have several
 * countdowns, each with parts of its own.
 */
import type {Model} from '../model.ts'
import type {CountdownPart, MiotMatch, MiotMeaning} from './miot-rules.ts'

/** A property that may be a part of the countdown. */
export interface CountdownPiece {
  name: CountdownPart
  found: MiotMatch
  /** The property, or the reason why there is none. */
  meaning: MiotMeaning
}

/** @returns the properties that are taken, and a note on each part that is left out */
export function countdownFrom(parts: readonly CountdownPiece[]): {
  properties: Model['properties']
  notes: string[]
} {
  const chosen = choose(parts)
  const properties = Object.assign({}, ...chosen.map(({meaning}) => meaning))
  const notes = parts.flatMap((part) => (chosen.includes(part) ? [] : [note(part, chosen)]))
  return {properties, notes}
}

function choose(all: readonly CountdownPiece[]): CountdownPiece[] {
  const usable = all.filter(({meaning}) => typeof meaning !== 'string')
  const partsNamed = (wanted: CountdownPart) => usable.filter(({name}) => name === wanted)
  const [pair] = partsNamed('countdown').flatMap((time) =>
    partsNamed('countdown_active').flatMap((start) => (isPair(time, start, all) ? [[time, start]] : [])),
  )
  if (!pair) return []
  const left = partsNamed('countdown_left').find(({found}) =>
    pair.some((part) => part.found.siid === found.siid),
  )
  return left ? [...pair, left] : pair
}

/** Whether both are of one service; or the time is in the service of the relay, and the start in a service without a time of its own. */
function isPair(
  {found: time}: CountdownPiece,
  {found: start}: CountdownPiece,
  all: readonly CountdownPiece[],
): boolean {
  if (time.siid === start.siid) return true
  const hasTime = all.some(({name, found}) => name === 'countdown' && found.siid === start.siid)
  return time.isSwitch && !hasTime
}

function note(
  {name, found: {at, originalName}, meaning}: CountdownPiece,
  chosen: readonly CountdownPiece[],
): string {
  const taken = chosen.find((part) => part.name === name)
  if (typeof meaning === 'string') return `${at} ${originalName} is left out: ${meaning}`
  if (taken) return `${at} ${originalName} is left out: ${name} is ${taken.found.at} already`
  return `${at} ${originalName} is left out: ${incomplete[name]}`
}

/** Why a part is of no use without the others. */
const incomplete: Record<CountdownPart, string> = {
  countdown: 'no other property starts or stops this countdown, so its effect must be tested',
  countdown_active: 'no time of this countdown is known',
  countdown_left: 'the countdown to which it may belong is unknown',
}

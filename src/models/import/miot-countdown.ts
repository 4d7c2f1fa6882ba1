/**
 * The countdown of a specification. Its time does nothing when nothing starts it, and its start needs a time: both are taken, from one
 * service, or neither; and what is left is that of the same. Several countdowns may be described, each with parts of its own.
 */
import type {Model} from '../model.ts'
import type {CountdownPart, MiotMatch, MiotMeaning} from './miot-rules.ts'

/** What is known of a property that may be a part of the countdown. */
export interface CountdownPiece {
  name: CountdownPart
  found: MiotMatch
  /** The property, or why there can be none. */
  meant: MiotMeaning
}

/** @returns the properties that are taken, and a sentence on each part that is not */
export function countdownFrom(parts: readonly CountdownPiece[]): {
  properties: Model['properties']
  notes: string[]
} {
  const chosen = complete(parts)
  const properties = Object.assign({}, ...chosen.map(({meant}) => meant))
  const notes = parts.flatMap((part) => (chosen.includes(part) ? [] : [note(part, chosen)]))
  return {properties, notes}
}

function complete(all: readonly CountdownPiece[]): CountdownPiece[] {
  const usable = all.filter(({meant}) => typeof meant !== 'string')
  const named = (wanted: CountdownPart) => usable.filter(({name}) => name === wanted)
  const [pair] = named('countdown').flatMap((time) =>
    named('countdown_active').flatMap((runs) => (isPair(time, runs, all) ? [[time, runs]] : [])),
  )
  if (!pair) return []
  const left = named('countdown_left').find(({found}) => pair.some((part) => part.found.siid === found.siid))
  return left ? [...pair, left] : pair
}

/** Of one service; or the time stands with the relay, and the start in a service that has no time of its own. */
function isPair(
  {found: time}: CountdownPiece,
  {found: runs}: CountdownPiece,
  all: readonly CountdownPiece[],
): boolean {
  if (time.siid === runs.siid) return true
  const hasTime = all.some(({name, found}) => name === 'countdown' && found.siid === runs.siid)
  return time.isSwitch && !hasTime
}

function note({name, found: {at, called}, meant}: CountdownPiece, chosen: readonly CountdownPiece[]): string {
  const taken = chosen.find((part) => part.name === name)
  if (typeof meant === 'string') return `${at} ${called} is left out: ${meant}`
  if (taken) return `${at} ${called} is left out: ${name} is ${taken.found.at} already`
  return `${at} ${called} is left out: ${alone[name]}`
}

const alone: Record<CountdownPart, string> = {
  countdown: 'nothing beside it starts or stops this countdown, so what it does by itself is to be tried',
  countdown_active: 'no time of this countdown is understood',
  countdown_left: 'the countdown that it may be of is not understood',
}

/** The message for a name that no plug or group has, and the check for one that is taken. */

import {didYouMean} from '../common/suggestion.ts'
import {excerpt} from '../device/codec/values.ts'
import {CommandError} from '../device/command-error.ts'
import {closestName} from './commands/nearest-name.ts'

/** So many of the existing names are listed. */
const MOST_NAMES = 10
/** Names are shorter. */
const LONGEST_NAME = 200

interface Named {
  plugs: ReadonlyMap<string, unknown>
  groups: {all: ReadonlyMap<string, unknown>}
  /** What a plug is called now that was renamed since the start. */
  nameNow?: (name: string) => string | undefined
}

/** The message for a command to a plug or group that does not exist. */
export function unknownName(name: string, {plugs, groups, nameNow}: Named): string {
  const known = [...plugs.keys(), ...groups.all.keys()]
  return `no plug or group is called ${name.slice(0, LONGEST_NAME)}${whichThereAre(name, known, nameNow)}`
}

/** The message for a request about a plug that does not exist. */
export function unknownPlug(name: string, {plugs, groups, nameNow}: Named): string {
  const isGroup = groups.all.has(name) ? '; it is a group' : ''
  return `no plug is called ${excerpt(name)}${whichThereAre(name, [...plugs.keys()], nameNow)}${isGroup}`
}

/**
 * @param kind what is to be called so
 * @throws CommandError for a name that a plug or group has: their topics would be the same
 */
export function assertFree(name: string, kind: 'plug' | 'group', {plugs, groups}: Named): void {
  const taken = plugs.has(name) ? 'plug' : groups.all.has(name) ? 'group' : undefined
  if (taken === undefined) return
  const problem = taken === kind ? `${name} is configured already` : `${excerpt(name)} is a ${taken} already`
  throw new CommandError('invalid_payload', problem)
}

/** The message for a request about a group that does not exist. */
export function unknownGroup(name: string, {plugs, groups}: Named): string {
  const isPlug = plugs.has(name) ? '; it is a plug' : ''
  return `no group is called ${excerpt(name)}${whichThereAre(name, [...groups.all.keys()])}${isPlug}`
}

function whichThereAre(name: string, known: readonly string[], nameNow?: Named['nameNow']): string {
  const told = `: known are ${known.slice(0, MOST_NAMES).join(', ') || 'none'}`
  const now = nameNow?.(name)
  return told + (now === undefined ? didYouMean(closestName(name, known)) : `; it was renamed to ${now}`)
}

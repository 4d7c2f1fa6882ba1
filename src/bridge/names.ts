/** What is said of a name that no plug or group has. */
import {didYouMean} from '../device/nearest.ts'
import {excerpt} from '../device/values.ts'
import {nearest} from './nearest.ts'

/** So many of those that exist are told. */
const MOST_NAMES = 10
/** Names are shorter. */
const LONGEST_NAME = 200

interface Named {
  plugs: ReadonlyMap<string, unknown>
  groups: {all: ReadonlyMap<string, unknown>}
  /** What a plug is called now that was renamed since the start. */
  nameNow?: (name: string) => string | undefined
}

/** What to say to whoever commands a plug or group that does not exist. */
export function nobodyCalled(name: string, {plugs, groups, nameNow}: Named): string {
  const known = [...plugs.keys(), ...groups.all.keys()]
  return `no plug or group is called ${name.slice(0, LONGEST_NAME)}${whichThereAre(name, known, nameNow)}`
}

/** What to say to whoever asks for something of a plug that does not exist. */
export function noPlugCalled(name: string, {plugs, groups, nameNow}: Named): string {
  const isGroup = groups.all.has(name) ? '; it is a group' : ''
  return `no plug is called ${excerpt(name)}${whichThereAre(name, [...plugs.keys()], nameNow)}${isGroup}`
}

/** What to say to whoever asks for something of a group that does not exist. */
export function noGroupCalled(name: string, {plugs, groups}: Named): string {
  const isPlug = plugs.has(name) ? '; it is a plug' : ''
  return `no group is called ${excerpt(name)}${whichThereAre(name, [...groups.all.keys()])}${isPlug}`
}

function whichThereAre(name: string, known: readonly string[], nameNow?: Named['nameNow']): string {
  const told = `: known are ${known.slice(0, MOST_NAMES).join(', ') || 'none'}`
  const now = nameNow?.(name)
  return told + (now === undefined ? didYouMean(nearest(name, known)) : `; it was renamed to ${now}`)
}

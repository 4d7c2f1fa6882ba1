/** What is said of a request that does not exist, and which was probably meant. */

import {joinWithOr} from '../../common/schema-errors.ts'
import {closestWord, didYouMean, editDistance, synonymTable} from '../../common/suggestion.ts'

const LONGEST_SHOWN = 200

/** What other programs call some requests. */
const ELSEWHERE = synonymTable({
  'device/rename': ['rename', 'renamedevice', 'device/setname', 'device/move'],
  'device/remove': ['remove', 'delete', 'device/delete', 'device/unpair'],
  'device/add': ['add', 'device/create', 'device/new', 'device/pair', 'device/interview'],
  'device/options': ['device/config', 'device/configure', 'device/settings', 'device/set', 'setoptions'],
  'device/poll': ['poll', 'device/get', 'device/read', 'device/refresh', 'refresh'],
  'device/call': ['call', 'raw', 'device/raw'],
  'group/add': ['group/create', 'group/new'],
  'group/remove': ['group/delete'],
  'group/members': ['group/members/add', 'group/members/remove', 'group/options', 'group/member'],
  discover: ['scan', 'search', 'find', 'device/discover', 'device/scan', 'permitjoin'],
  health_check: ['health', 'status', 'ping'],
  options: ['loglevel', 'setloglevel', 'config/loglevel', 'config', 'settings'],
})

/** What cannot be asked for at all, by verb in small letters, and what there is instead. */
const INSTEAD = new Map([
  ['group/rename', 'a group cannot be renamed: add one with the new name, then remove the other'],
  ['group/move', 'a group cannot be renamed: add one with the new name, then remove the other'],
  ['group/poll', 'a group is read with a message on its topic …/get'],
  ['group/get', 'a group is read with a message on its topic …/get'],
  ['group/set', 'a group is switched with a message on its topic …/set'],
  ['group/info', 'what the groups are is on the topic …/bridge/groups'],
  ['set', 'a plug or group is switched with a message on its topic …/set'],
  ['get', 'a plug or group is read with a message on its topic …/get'],
  ['stop', 'the bridge is stopped where it runs'],
])

/** The first level of requests about plugs or groups, as others write it. */
const SUBJECTS = synonymTable({
  device: ['device', 'devices', 'plug', 'plugs'],
  group: ['group', 'groups'],
})

/** @param known every verb there is */
export function unknownVerb(verb: string, known: readonly string[]): string {
  const expected = `expected one of ${known.join(', ')}`
  const levels = verb.split('/').filter((level) => level !== '')
  if (levels.length === 0) return `${expected} after …/bridge/request/ in the topic, got none`
  return `${expected}, got ${verb.slice(0, LONGEST_SHOWN)}${advice(levels, known)}`
}

function advice(levels: readonly string[], known: readonly string[]): string {
  const [first = '', ...rest] = levels
  const [subject] = SUBJECTS.get(first.toLowerCase()) ?? []
  const verb = subject === undefined ? levels.join('/') : [subject, ...rest].join('/')
  const instead = INSTEAD.get(verb.toLowerCase())
  if (instead !== undefined) return `: ${instead}`
  if (verb === subject) {
    return didYouMean(joinWithOr(known.filter((each) => each.startsWith(`${subject}/`))))
  }
  return didYouMean(closestWord(verb, known, ELSEWHERE, slipsInVerb))
}

/** Level by level, since `rename` is no slip in `remove`; as a whole where levels were forgotten. */
function slipsInVerb(a: string, b: string): number {
  const left = a.split('/')
  const right = b.split('/')
  if (left.length !== right.length) return editDistance(a, b)
  return left.reduce((sum, level, at) => sum + editDistance(level, right[at] ?? ''), 0)
}

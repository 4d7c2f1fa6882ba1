/** Error messages for wrong requests: unknown verbs, wrong and misspelled keys, with what was probably meant. */
import type * as z from 'zod'
import {joinWithOr, parseWithMessages} from '../../common/schema-errors.ts'
import {closestWord, didYouMean, editDistance, synonymTable} from '../../common/suggestion.ts'
import {CommandError} from '../../device/command-error.ts'

/** More problems or warnings than these have one cause. */
export const MAX_LISTED = 10

/** @throws CommandError `invalid_payload` that names each wrong key, what was expected and what came */
export function parseValues<S extends z.ZodObject>(
  schema: S,
  values: Record<string, unknown>,
  example: string | undefined,
): z.output<S> {
  if (holdsProto(values))
    throw new CommandError('invalid_payload', 'expected keys that are known here, got "__proto__"')
  const parsed = parseWithMessages(schema, values)
  if (parsed.success) return parsed.data
  const problems = problemsIn(parsed.error.issues, Object.keys(schema.shape), values)
  const more = problems.length - MAX_LISTED
  throw new CommandError(
    'invalid_payload',
    [
      ...problems.slice(0, MAX_LISTED).map((describe) => describe()),
      ...(more > 0 ? [`and ${more} more problems`] : []),
      ...(example === undefined ? [] : [`for example ${example}`]),
    ].join('; '),
  )
}

/** The problems are described only as far as they are listed: finding a suggestion takes time. */
function problemsIn(
  issues: readonly z.core.$ZodIssue[],
  known: readonly string[],
  values: Record<string, unknown>,
): (() => string)[] {
  const missing = known.filter((key) => !Object.hasOwn(values, key))
  const wrong = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => () => unknownKey(key, missing, known))
      : [
          () => {
            const path = issue.path.map((key) => shownKey(String(key))).join('.')
            return path === '' ? issue.message : `${path}: ${issue.message}`
          },
        ],
  )
  return [...wrong, ...misnamedKeys(issues, known, values)]
}

/** For a schema that takes any key: a key that looks like a missing one is probably that one with a wrong name. */
function misnamedKeys(
  issues: readonly z.core.$ZodIssue[],
  known: readonly string[],
  values: Record<string, unknown>,
): (() => string)[] {
  if (issues.some(({code}) => code === 'unrecognized_keys')) return []
  const missing = issues.flatMap(({path: [key, ...rest]}) =>
    typeof key === 'string' && rest.length === 0 && !Object.hasOwn(values, key) ? [key] : [],
  )
  if (missing.length === 0) return []
  const others = Object.keys(values).filter((key) => !known.includes(key))
  return others
    .slice(0, MAX_LISTED)
    .filter((key) => closestWord(key, missing, KEY_SYNONYMS) !== undefined)
    .map((key) => () => unknownKey(key, missing, known))
}

/** How other programs call one plug in a request about a group. */
const ONE_MEMBER = ['device', 'plug', 'member']
/**
 * Keys, and how other programs and other requests call them: in small letters, without "_". A word that stands for several keys means the
 * first of them that the request takes.
 */
const KEY_SYNONYMS = synonymTable({
  members: ['devices', 'plugs', 'names', ...ONE_MEMBER],
  add: ['added', 'members', 'devices', 'plugs', 'new', ...ONE_MEMBER],
  remove: ['removed', 'delete', 'drop', ...ONE_MEMBER],
  from: [
    'old',
    'oldname',
    'current',
    'source',
    'last',
    'name',
    'id',
    'friendlyname',
    'device',
    'plug',
    'did',
  ],
  to: ['new', 'newname', 'newid', 'target', 'into'],
  name: ['id', 'friendlyname', 'device', 'devicename', 'plug', 'group', 'groupname', 'ieeeaddress', 'did'],
  log_level: ['level', 'log', 'logging'],
  timeout: ['seconds', 'duration', 'time', 'wait'],
  options: ['settings', 'config', 'values', 'set'],
  method: ['command', 'cmd', 'call'],
  params: ['args', 'arguments', 'parameters', 'values'],
})

/** @param missing those of `known` that the request lacks: the wrong key may stand for one of them */
function unknownKey(key: string, missing: readonly string[], known: readonly string[]): string {
  const shown = `unknown key ${JSON.stringify(shownKey(key))}`
  const suggestion = closestWord(key, missing, KEY_SYNONYMS)
  const isEither =
    suggestion === 'add' && missing.includes('remove') && ONE_MEMBER.includes(key.toLowerCase())
  if (isEither) return `${shown}, did you mean "add" or "remove"?`
  if (suggestion !== undefined) return `${shown}, did you mean ${JSON.stringify(suggestion)}?`
  if (known.length === 0) return `${shown}: this request takes none`
  return `${shown}: expected ${known.length === 1 ? `${known[0]} alone` : `only ${known.join(', ')}`}`
}

const MAX_KEY_LENGTH = 40

/** Masks a token that was written in the place of a key. */
function shownKey(key: string): string {
  const shown = key.replace(/[0-9a-f]{16,}/gi, '***')
  return shown.length > MAX_KEY_LENGTH ? `${shown.slice(0, MAX_KEY_LENGTH - 1)}…` : shown
}

/** The schema does not see the key `__proto__`, and would drop it silently. */
function holdsProto(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsProto)
}

const MAX_VERB_LENGTH = 200

/** How other programs call some requests. */
const VERB_SYNONYMS = synonymTable({
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

/** Requests that do not exist here in any form, by verb in small letters, and what to do instead. */
const ALTERNATIVES = new Map([
  ['group/rename', 'a group cannot be renamed: add one with the new name, then remove the other'],
  ['group/move', 'a group cannot be renamed: add one with the new name, then remove the other'],
  ['group/poll', 'a group is read with a message on its topic …/get'],
  ['group/get', 'a group is read with a message on its topic …/get'],
  ['group/set', 'a group is switched with a message on its topic …/set'],
  ['group/info', 'what the groups are is on the topic …/bridge/groups'],
  ['set', 'a plug or group is switched with a message on its topic …/set'],
  ['get', 'a plug or group is read with a message on its topic …/get'],
  ['stop', 'stop the bridge on its machine, for example with `systemctl stop miio2mqtt`'],
])

/** How other programs write the first level of requests about plugs or groups. */
const SUBJECTS = synonymTable({
  device: ['device', 'devices', 'plug', 'plugs'],
  group: ['group', 'groups'],
})

/** The message for a request whose verb does not exist. @param known every verb that exists */
export function unknownVerb(verb: string, known: readonly string[]): string {
  const expected = `expected one of ${known.join(', ')}`
  const levels = verb.split('/').filter((level) => level !== '')
  if (levels.length === 0) return `${expected} after …/bridge/request/ in the topic, got none`
  return `${expected}, got ${verb.slice(0, MAX_VERB_LENGTH)}${advice(levels, known)}`
}

function advice(levels: readonly string[], known: readonly string[]): string {
  const [first = '', ...rest] = levels
  const [subject] = SUBJECTS.get(first.toLowerCase()) ?? []
  const verb = subject === undefined ? levels.join('/') : [subject, ...rest].join('/')
  const alternative = ALTERNATIVES.get(verb.toLowerCase())
  if (alternative !== undefined) return `: ${alternative}`
  if (verb === subject) {
    return didYouMean(joinWithOr(known.filter((each) => each.startsWith(`${subject}/`))))
  }
  return didYouMean(closestWord(verb, known, VERB_SYNONYMS, verbDistance))
}

/** In wrong letters: level by level, since `rename` is no typo of `remove`; of the whole verb when the number of levels differs. */
function verbDistance(a: string, b: string): number {
  const left = a.split('/')
  const right = b.split('/')
  if (left.length !== right.length) return editDistance(a, b)
  return left.reduce((sum, level, at) => sum + editDistance(level, right[at] ?? ''), 0)
}

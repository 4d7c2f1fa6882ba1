/** What another configuration changes, in one line for the log: names, not values, of which some are secret. */
import {isDeepStrictEqual} from 'node:util'
import type {Config} from '../config/config.ts'
import {type PlugChanges, withSecretsRevealed} from './plug-registry.ts'

/** Of more, their number and the first of them. */
const MOST_NAMES = 5

/** What of a configuration can change while the bridge runs. */
type Changing = Pick<Config, 'devices' | 'groups' | 'poll' | 'log' | 'allow_raw_calls'>

/** A plug that has another name now. */
export interface Rename {
  from: string
  to: string
}

/** `renamed desk to office/desk; added lamp; changed fan (area); removed heater; groups changed: evening`. */
export function configChangesText(
  before: Changing,
  after: Changing,
  {added, changed, removed}: PlugChanges,
  renames: readonly Rename[],
): string {
  const old = new Set(renames.map(({from}) => from))
  const now = new Set(renames.map(({to}) => to))
  const told = [
    listed(
      'renamed',
      renames.map(({from, to}) => `${from} to ${to}${differing(before.devices[from], after.devices[to])}`),
    ),
    listed(
      'added',
      added.filter((name) => !now.has(name)),
    ),
    listed(
      'changed',
      changed.map((name) => `${name}${differing(before.devices[name], after.devices[name])}`),
    ),
    listed(
      'removed',
      removed.filter((name) => !old.has(name)),
    ),
    listed('groups changed:', differingKeys(before.groups, after.groups), 'groups'),
    listed('settings changed:', differingKeys(settings(before), settings(after)), 'settings'),
  ]
  return told.filter((part) => part !== '').join('; ') || 'nothing changed'
}

/**
 * Which of the removed plugs are there under another name: the same device as far as it was heard, else the same id, or the same address
 * and token.
 */
export function findRenames(
  removed: readonly {name: string; did: number | undefined}[],
  added: readonly {name: string; did: number | undefined}[],
  before: Pick<Config, 'devices'>,
  after: Pick<Config, 'devices'>,
): Rename[] {
  const byDid = new Map(added.flatMap(({name, did}) => (did === undefined ? [] : [[did, name] as const])))
  const byPlace = new Map(added.map(({name}) => [placeOf(after.devices[name]), name] as const))
  return removed.flatMap(({name: from, did}) => {
    const to = (did === undefined ? undefined : byDid.get(did)) ?? byPlace.get(placeOf(before.devices[from]))
    return to === undefined ? [] : [{from, to}]
  })
}

/** The token stays in this process: it is compared, and nothing else. */
function placeOf(device: Config['devices'][string] | undefined): string {
  if (device === undefined) return ''
  const {id, host, port, token} = device
  return JSON.stringify(id === undefined ? [host, port, token.reveal()] : [id])
}

function settings({poll, log, allow_raw_calls}: Changing): Record<string, unknown> {
  return {poll, log, allow_raw_calls}
}

function listed(verb: string, names: readonly string[], things = 'plugs'): string {
  const first = names.slice(0, MOST_NAMES).join(', ')
  if (names.length <= MOST_NAMES) return names.length === 0 ? '' : `${verb} ${first}`
  return `${verb.replace(/:$/, '')} ${names.length} ${things}: ${first} and ${names.length - MOST_NAMES} more`
}

/** ` (area, icon)`: the settings that are others; nothing when none is. */
function differing(before: object | undefined, after: object | undefined): string {
  const keys = differingKeys(before ?? {}, after ?? {})
  return keys.length === 0
    ? ''
    : ` (${keys.slice(0, MOST_NAMES).join(', ')}${keys.length > MOST_NAMES ? ' …' : ''})`
}

function differingKeys(before: object, after: object): string[] {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  const keys = new Set([...old.keys(), ...now.keys()])
  return [...keys].filter(
    (key) => !isDeepStrictEqual(withSecretsRevealed(old.get(key)), withSecretsRevealed(now.get(key))),
  )
}

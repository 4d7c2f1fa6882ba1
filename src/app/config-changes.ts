/**
 * Compares two configurations: whether the difference needs a new bridge, which plugs were renamed, and one log line with the names of
 * what changed. Values are not shown: some are secret.
 */
import {isDeepStrictEqual} from 'node:util'
import {Secret} from '../common/secret.ts'
import {listFirst} from '../common/text.ts'
import type {Config} from '../config/config.ts'

/** Names of plugs, by how a new configuration changed them. */
export interface PlugChanges {
  added: readonly string[]
  changed: readonly string[]
  removed: readonly string[]
}

/** A plug that has another name now. */
export interface Rename {
  from: string
  to: string
}

/** The part of a configuration that can change while the bridge runs. */
type ReloadableConfig = Pick<Config, 'devices' | 'groups' | 'poll' | 'log' | 'allow_raw_calls'>

/** With more names than these, a line has their number and the first of them. */
const MOST_NAMES = 5

/** Whether the configurations differ in a part that a running bridge cannot take over: the broker, the network, the models. */
export function needsNewBridge(before: Config, after: Config): boolean {
  const fixedPart = ({mqtt, homeassistant, network, state_dir, catalogue}: Config) =>
    withSecretsRevealed({mqtt, homeassistant, network, state_dir, models: [...catalogue.models]})
  return !isDeepStrictEqual(fixedPart(before), fixedPart(after))
}

/** `renamed desk to office/desk; added lamp; changed fan (area); removed heater; groups changed: evening`. */
export function configChangesText(
  before: ReloadableConfig,
  after: ReloadableConfig,
  {added, changed, removed}: PlugChanges,
  renames: readonly Rename[],
): string {
  const oldNames = new Set(renames.map(({from}) => from))
  const newNames = new Set(renames.map(({to}) => to))
  const withSettings = (text: string, from: string, to: string) =>
    `${text}${changedSettings(before.devices[from], after.devices[to])}`
  const renamed = renames.map(({from, to}) => withSettings(`${from} to ${to}`, from, to))
  const edited = changed.map((name) => withSettings(name, name, name))
  const onlyAdded = added.filter((name) => !newNames.has(name))
  const onlyRemoved = removed.filter((name) => !oldNames.has(name))
  const settings = ({poll, log, allow_raw_calls}: ReloadableConfig) => ({poll, log, allow_raw_calls})
  const parts = [
    listed('renamed', renamed),
    listed('added', onlyAdded),
    listed('changed', edited),
    listed('removed', onlyRemoved),
    listed('groups changed:', changedKeys(before.groups, after.groups), 'groups'),
    listed('settings changed:', changedKeys(settings(before), settings(after)), 'settings'),
  ]
  return parts.filter((part) => part !== '').join('; ') || 'nothing changed'
}

/**
 * Finds the removed plugs that are configured under another name now: with the same device id as far as it is known, else with the same
 * configured `id`, or the same address and token.
 */
export function findRenames(
  removed: readonly {name: string; did: number | undefined}[],
  added: readonly {name: string; did: number | undefined}[],
  before: Pick<Config, 'devices'>,
  after: Pick<Config, 'devices'>,
): Rename[] {
  const byDid = new Map(added.flatMap(({name, did}) => (did === undefined ? [] : [[did, name] as const])))
  const byKey = new Map(added.map(({name}) => [identityKey(after.devices[name]), name] as const))
  return removed.flatMap(({name: from, did}) => {
    const to =
      (did === undefined ? undefined : byDid.get(did)) ?? byKey.get(identityKey(before.devices[from]))
    return to === undefined ? [] : [{from, to}]
  })
}

/** Contains the token: only for comparisons inside this process. */
function identityKey(device: Config['devices'][string] | undefined): string {
  if (device === undefined) return ''
  const {id, host, port, token} = device
  return JSON.stringify(id === undefined ? [host, port, token.reveal()] : [id])
}

function listed(verb: string, names: readonly string[], things = 'plugs'): string {
  if (names.length === 0) return ''
  const head = names.length > MOST_NAMES ? `${verb.replace(/:$/, '')} ${names.length} ${things}:` : verb
  return `${head} ${listFirst(names, MOST_NAMES)}`
}

/** ` (area, icon)`: the keys of the settings that differ; empty when none does. */
function changedSettings(before: object | undefined, after: object | undefined): string {
  const keys = changedKeys(before ?? {}, after ?? {})
  return keys.length === 0
    ? ''
    : ` (${keys.slice(0, MOST_NAMES).join(', ')}${keys.length > MOST_NAMES ? ' …' : ''})`
}

function changedKeys(before: object, after: object): string[] {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  const keys = new Set([...old.keys(), ...now.keys()])
  return [...keys].filter(
    (key) => !isDeepStrictEqual(withSecretsRevealed(old.get(key)), withSecretsRevealed(now.get(key))),
  )
}

/** A copy of the value in which secrets are plain text: only for comparisons inside this process. */
export function withSecretsRevealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (Array.isArray(value)) return value.map(withSecretsRevealed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withSecretsRevealed(member)]))
}

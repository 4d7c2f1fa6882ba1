/**
 * The names that plugs and groups have, and had before a rename: whether a name is taken, what it was renamed to, and the messages for
 * a name that does not exist, with the name that was probably meant.
 */
import {closestBy, didYouMean, editDistance, normalizedWord} from '../common/suggestion.ts'
import {excerpt} from '../device/codec/values.ts'
import {CommandError} from '../device/command-error.ts'
import type {Group} from './group.ts'
import type {Plug} from './plug.ts'

/** How many of the existing names a message lists. */
const MAX_NAMES = 10
/** Longer names are cut in messages. Configured names are shorter. */
const MAX_NAME_LENGTH = 200
/** How many renamed plugs are remembered: the latest ones. */
const MAX_RENAMED = 1000

/** The names of plugs and groups of one bridge, with the renames since its start. */
export class NameDirectory {
  readonly #plugs: ReadonlyMap<string, Plug>
  readonly #groups: ReadonlyMap<string, Group>
  /** The new name of every plug that was renamed since the start, by its old name. */
  readonly #renamed = new Map<string, string>()

  constructor(plugs: ReadonlyMap<string, Plug>, groups: ReadonlyMap<string, Group>) {
    this.#plugs = plugs
    this.#groups = groups
  }

  /** Whether a plug or a group has this name. */
  isTaken(name: string): boolean {
    return this.#plugs.has(name) || this.#groups.has(name)
  }

  /** Records that a plug has another name now, for the warning about commands that still use the old one. */
  recordRename(from: string, to: string): void {
    this.#renamed.delete(from)
    this.#renamed.set(from, to)
    const [oldest] = this.#renamed.keys()
    if (oldest !== undefined && this.#renamed.size > MAX_RENAMED) this.#renamed.delete(oldest)
  }

  /**
   * The present name of a plug that once had the name `name`. Follows several renames.
   * @returns `undefined` for a plug that was not renamed, or does not exist any more
   */
  currentName(name: string): string | undefined {
    const seen = new Set<string>()
    for (
      let next = this.#renamed.get(name);
      next !== undefined && !seen.has(next);
      next = this.#renamed.get(next)
    ) {
      if (this.#plugs.has(next)) return next
      seen.add(next)
    }
    return undefined
  }

  /** The message for a command to a plug or group that does not exist. */
  unknownName(name: string): string {
    const known = [...this.#plugs.keys(), ...this.#groups.keys()]
    return `no plug or group is called ${name.slice(0, MAX_NAME_LENGTH)}${alternatives(name, known, this.currentName(name))}`
  }

  /** @throws CommandError `invalid_payload` for a name that no plug has */
  plug(name: string): Plug {
    const plug = this.#plugs.get(name)
    if (plug) return plug
    const isGroup = this.#groups.has(name) ? '; it is a group' : ''
    const existing = alternatives(name, [...this.#plugs.keys()], this.currentName(name))
    throw new CommandError('invalid_payload', `no plug is called ${excerpt(name)}${existing}${isGroup}`)
  }

  /** @throws CommandError `invalid_payload` for a name that no group has */
  group(name: string): Group {
    const group = this.#groups.get(name)
    if (group) return group
    const isPlug = this.#plugs.has(name) ? '; it is a plug' : ''
    const existing = alternatives(name, [...this.#groups.keys()])
    throw new CommandError('invalid_payload', `no group is called ${excerpt(name)}${existing}${isPlug}`)
  }

  /**
   * @param kind what is to get the name
   * @throws CommandError `invalid_payload` for a name that a plug or group has: both would publish on the same topics
   */
  assertFree(name: string, kind: 'plug' | 'group'): void {
    const owner = this.#plugs.has(name) ? 'plug' : this.#groups.has(name) ? 'group' : undefined
    if (owner === undefined) return
    const problem =
      owner === kind ? `${name} is configured already` : `${excerpt(name)} is a ${owner} already`
    throw new CommandError('invalid_payload', problem)
  }
}

/** Which names exist, and the one that was probably meant. */
function alternatives(name: string, known: readonly string[], currentName?: string): string {
  const list = `: known are ${known.slice(0, MAX_NAMES).join(', ') || 'none'}`
  return (
    list +
    (currentName === undefined ? didYouMean(closestName(name, known)) : `; it was renamed to ${currentName}`)
  )
}

/** For a longer name nothing is suggested. */
const MAX_SUGGESTED_LENGTH = 64

/**
 * The one of `known` that is nearest to `name`: with other capitals, spaces, "-" or "_", without its room or with one (`desk`,
 * `office/desk`), or with one wrong letter for every three letters. For a room that has one plug only, that plug.
 * @returns `undefined` when none is near
 */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > MAX_SUGGESTED_LENGTH) return undefined
  const word = normalizedWord(name)
  const names = [...known]
  const closest = closestBy((candidate) => nameDistance(word, normalizedWord(candidate)), names)
  const inRoom = names.filter((each) => normalizedWord(each).startsWith(`${word}/`))
  return closest?.candidate ?? (inRoom.length === 1 ? inRoom[0] : undefined)
}

/** In wrong letters. A missing or additional room counts as one. */
function nameDistance(a: string, b: string): number {
  const hasOneRoom = a.includes('/') !== b.includes('/')
  const lastLevel = (name: string) => name.slice(name.lastIndexOf('/') + 1)
  const withoutRoom = hasOneRoom ? 1 + editDistance(lastLevel(a), lastLevel(b)) : Number.POSITIVE_INFINITY
  return Math.min(editDistance(a, b), withoutRoom)
}

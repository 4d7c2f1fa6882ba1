import {isDeepStrictEqual} from 'node:util'
import {parseDocument} from 'yaml'
import {withSecretsRevealed} from '../../src/app/config-changes.ts'
import {type Config, ConfigError, parseConfig} from '../../src/config/config.ts'

/** A mapping of the configuration as JSON. */
export type Settings = Readonly<Record<string, unknown>>

/** The expected content of config.yaml after a sequence of edits, kept in memory. The parser decides whether an edit is valid. */
export class ExpectedConfig {
  readonly #env: Readonly<Record<string, string>>
  readonly #rest: Settings
  #devices: ReadonlyMap<string, Settings>
  #groups: ReadonlyMap<string, readonly string[]>

  constructor(
    text: string,
    env: Readonly<Record<string, string>>,
    secrets: Readonly<Record<string, string>>,
  ) {
    const tag = (name: string, known: Readonly<Record<string, string>>) => ({
      tag: name,
      resolve: (written: string) => known[written] ?? written,
    })
    const customTags = [tag('!env', env), tag('!secret', secrets)]
    const {devices, groups, ...rest} = parseDocument(text, {schema: 'failsafe', customTags}).toJS()
    this.#env = env
    this.#rest = rest
    this.#devices = new Map(Object.entries<Settings>(devices))
    this.#groups = new Map(
      Object.entries<{members: string[]}>(groups).map(([name, group]) => [name, group.members]),
    )
  }

  get plugs(): string[] {
    return [...this.#devices.keys()]
  }

  get groups(): string[] {
    return [...this.#groups.keys()]
  }

  get hosts(): unknown[] {
    return Array.from(this.#devices.values(), ({host}) => host)
  }

  membersOf(group: string): readonly string[] {
    return this.#groups.get(group) ?? []
  }

  get config(): Config {
    return this.#parsed(this.#devices, this.#groups)
  }

  /** Whether `config` is equal, secrets included. */
  isSameAs(config: Config): boolean {
    return isDeepStrictEqual(
      withSecretsRevealed(comparable(this.config)),
      withSecretsRevealed(comparable(config)),
    )
  }

  addPlug(name: string, settings: Settings): boolean {
    return (
      !this.#devices.has(name) && this.#become(new Map([...this.#devices, [name, settings]]), this.#groups)
    )
  }

  removePlug(name: string): boolean {
    return this.#devices.has(name) && this.#become(without(this.#devices, name), this.#inGroups(name, []))
  }

  renamePlug(from: string, to: string): boolean {
    if (!this.#devices.has(from) || this.#devices.has(to)) return false
    const devices = Array.from(this.#devices, ([name, own]) => [name === from ? to : name, own] as const)
    return this.#become(new Map(devices), this.#inGroups(from, [to]))
  }

  changePlug(name: string, options: Settings): boolean {
    const before = this.#devices.get(name)
    if (!before) return false
    const all = [...Object.entries(before), ...Object.entries(options)]
    const kept = all.filter(([key]) => !Object.hasOwn(options, key) || options[key] !== null)
    return this.#become(new Map([...this.#devices, [name, Object.fromEntries(kept)]]), this.#groups)
  }

  addGroup(name: string, members: readonly string[]): boolean {
    return !this.#groups.has(name) && this.#become(this.#devices, new Map([...this.#groups, [name, members]]))
  }

  removeGroup(name: string): boolean {
    return this.#groups.has(name) && this.#become(this.#devices, without(this.#groups, name))
  }

  changeGroup(name: string, add: readonly string[], remove: readonly string[]): boolean {
    const before = this.#groups.get(name)?.filter((member) => !remove.includes(member))
    if (!before) return false
    const members = [...before, ...add.filter((member) => !before.includes(member))]
    return this.#become(this.#devices, new Map([...this.#groups, [name, members]]))
  }

  #inGroups(member: string, instead: readonly string[]): ReadonlyMap<string, readonly string[]> {
    const follow = (members: readonly string[]) =>
      members.flatMap((each) => (each === member ? instead : each))
    return new Map(Array.from(this.#groups, ([name, members]) => [name, follow(members)]))
  }

  #become(devices: ReadonlyMap<string, Settings>, groups: ReadonlyMap<string, readonly string[]>): boolean {
    try {
      this.#parsed(devices, groups)
    } catch (error) {
      if (error instanceof ConfigError) return false
      throw error
    }
    this.#devices = devices
    this.#groups = groups
    return true
  }

  #parsed(devices: ReadonlyMap<string, Settings>, groups: ReadonlyMap<string, readonly string[]>): Config {
    const named = Array.from(groups, ([name, members]) => [name, {members}] as const)
    const text = {...this.#rest, devices: Object.fromEntries(devices), groups: Object.fromEntries(named)}
    return parseConfig(JSON.stringify(text), {file: 'expected.yaml', env: this.#env})
  }
}

/** The catalogue is not written in the file. */
/** Warnings have positions in a file. */
function comparable({catalogue: _, warnings: __, ...config}: Config): Settings {
  return config
}

function without<T>(map: ReadonlyMap<string, T>, name: string): ReadonlyMap<string, T> {
  return new Map([...map].filter(([key]) => key !== name))
}

/** Rules about groups, and about groups and plugs together. As in plugs-and-groups.ts, they look at what was written. */
import {z} from 'zod'
import {type LazyText, quoted, suggestion} from '../config-error.ts'
import type {RawYaml} from '../read/yaml.ts'
import {nameProblem, normalizedName} from './names.ts'
import type {ValidationIssue} from './plugs-and-groups.ts'

/** What is not understood here, the schema complains of. */
const written = z
  .object({
    devices: z.record(z.string(), z.unknown()).catch({}),
    groups: z
      .record(z.string(), z.object({members: z.array(z.string().catch('')).catch([])}).catch({members: []}))
      .catch({}),
  })
  .catch({devices: {}, groups: {}})

export function validateGroups(read: RawYaml | undefined): ValidationIssue[] {
  const {devices, groups} = written.parse(read)
  const plugs = new Set(Object.keys(devices))
  const names = new Set(Object.keys(groups))
  return [
    ...[...names].flatMap(misnamed),
    ...namedTwice(plugs, names),
    ...Object.entries(groups).flatMap(([name, {members}]) => wrongMembers(name, members, plugs, names)),
  ]
}

function misnamed(name: string): ValidationIssue[] {
  const problem = nameProblem(name)
  return problem ? [{path: ['groups', name], message: `a group cannot have this name: ${problem}`}] : []
}

/** Plugs and groups share their topics, and Home Assistant does not tell names by their case. */
function namedTwice(plugs: ReadonlySet<string>, groups: ReadonlySet<string>): ValidationIssue[] {
  const taken = new Map([...plugs].map((name) => [normalizedName(name), `the plug "${name}"`]))
  return [...groups].flatMap((name) => {
    const holder = taken.get(normalizedName(name))
    if (holder === undefined) taken.set(normalizedName(name), `the group "${name}"`)
    const message = `expected a name of its own, got that of ${holder} (case does not count)`
    return holder === undefined ? [] : [{path: ['groups', name], message}]
  })
}

function wrongMembers(
  name: string,
  members: readonly string[],
  plugs: ReadonlySet<string>,
  groups: ReadonlySet<string>,
): ValidationIssue[] {
  const before = new Set<string>()
  return members.flatMap((member, index) => {
    const message = memberProblem(member, before.has(member), plugs, groups)
    before.add(member)
    return message === undefined ? [] : [{path: ['groups', name, 'members', index], message}]
  })
}

function memberProblem(
  member: string,
  isRepeated: boolean,
  plugs: ReadonlySet<string>,
  groups: ReadonlySet<string>,
): LazyText | undefined {
  if (isRepeated) return `expected each plug once, got ${quoted(member)} again`
  if (plugs.has(member)) return undefined
  if (groups.has(member)) return `expected a plug, got the group ${quoted(member)}: list its plugs instead`
  return () =>
    `expected the name of a plug under devices, got ${quoted(member)}${suggestion(member, [...plugs])}`
}

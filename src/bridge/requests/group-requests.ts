/** Requests about groups: `B/bridge/request/group/…` (contract §6). They change config.yaml, as those about plugs do. */
import {z} from 'zod'
import {CommandError} from '../../device/command-error.ts'
import {assertFree, unknownGroup} from '../name-directory.ts'
import type {ConfigEdit} from './bridge-actions.ts'
import {
  defineRequest,
  edit,
  listOf,
  nonEmptyText,
  type RequestContext,
  type RequestHandler,
} from './define-request.ts'

const name = nonEmptyText('the name of a group')
const newName = nonEmptyText('a new name')
const members = listOf("a list of plugs' names", 'the name of a plug')

export const groupRequests: Readonly<Record<string, RequestHandler>> = {
  'group/add': defineRequest(
    z.strictObject({name: newName, members}),
    async (context, {name, members}) => {
      const news = await edit(context, () => {
        assertFree(name, 'group', context)
        return [{path: ['groups', name], put: {members}}]
      })
      return {name, members, ...news}
    },
    {name: 'evening', members: ['desk', 'lamp']},
  ),
  'group/remove': defineRequest(
    z.strictObject({name}),
    async (context, {name}) => {
      const news = await edit(context, () => {
        membersOf(context, name)
        return [{path: ['groups', name], drop: true}]
      })
      return {name, ...news}
    },
    {name: 'evening'},
  ),
  'group/members': defineRequest(
    z
      .strictObject({name, add: members.optional(), remove: members.optional()})
      .refine(
        ({add, remove}) => add ?? remove,
        'expected "add" or "remove" with a list of plugs\' names, got neither',
      ),
    async (context, {name, add = [], remove = []}) => {
      let after: string[] = []
      const news = await edit(context, () => {
        const before = membersOf(context, name).filter((member) => !remove.includes(member))
        after = [...before, ...add.filter((member) => !before.includes(member))]
        return [{path: ['groups', name, 'members'], put: after}]
      })
      return {name, members: after, ...news}
    },
    {name: 'evening', add: ['fan'], remove: ['desk']},
  ),
}

/**
 * What becomes of groups when a plug is called something else, or is gone.
 * @param to `undefined` for gone
 */
export function groupEdits({groups}: RequestContext, from: string, to?: string): ConfigEdit[] {
  return [...groups.all]
    .filter(([, {settings}]) => settings.members.includes(from))
    .map(([group, {settings}]) => ({
      path: ['groups', group, 'members'],
      put: settings.members.flatMap((member) => (member === from ? (to ?? []) : member)),
    }))
}

/** @throws CommandError for a name that is none */
function membersOf(context: RequestContext, wanted: string): readonly string[] {
  const group = context.groups.all.get(wanted)
  if (group) return group.settings.members
  throw new CommandError('invalid_payload', unknownGroup(wanted, context))
}

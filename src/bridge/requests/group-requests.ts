/**
 * Requests about groups: `B/bridge/request/group/{add,remove,members}`. They change config.yaml (docs/topics.md, "Requests to the
 * bridge").
 */
import {z} from 'zod'
import {CommandError} from '../../device/command-error.ts'
import type {ConfigEdit} from './bridge-actions.ts'
import {
  changeConfig,
  defineRequest,
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
      const notes = await changeConfig(context, () => {
        context.names.assertFree(name, 'group')
        return [{path: ['groups', name], put: {members}}]
      })
      return {name, members, ...notes}
    },
    {name: 'evening', members: ['desk', 'lamp']},
  ),
  'group/remove': defineRequest(
    z.strictObject({name}),
    async (context, {name}) => {
      const notes = await changeConfig(context, () => {
        membersOf(context, name)
        return [{path: ['groups', name], drop: true}]
      })
      return {name, ...notes}
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
      const notes = await changeConfig(context, () => {
        const before = membersOf(context, name).filter((member) => !remove.includes(member))
        after = [...before, ...add.filter((member) => !before.includes(member))]
        return [{path: ['groups', name, 'members'], put: after}]
      })
      return {name, members: after, ...notes}
    },
    {name: 'evening', add: ['fan'], remove: ['desk']},
  ),
}

/**
 * The changes of all groups that have a plug as a member when the plug is renamed or removed.
 * @param to its new name; `undefined` when it is removed
 */
export function groupEdits({groups}: RequestContext, from: string, to?: string): ConfigEdit[] {
  return [...groups]
    .filter(([, {settings}]) => settings.members.includes(from))
    .map(([group, {settings}]) => ({
      path: ['groups', group, 'members'],
      put: settings.members.flatMap((member) => (member === from ? (to ?? []) : member)),
    }))
}

/** @throws CommandError `invalid_payload` for a name that no group has */
function membersOf(context: RequestContext, name: string): readonly string[] {
  const group = context.groups.get(name)
  if (group) return group.settings.members
  throw new CommandError('invalid_payload', context.names.unknownGroup(name))
}

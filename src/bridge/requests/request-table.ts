/**
 * The table of all requests: the payload, the action and an example of each verb (docs/topics.md, "Requests to the bridge"). A new request
 * is one more row. Requests that change plugs or groups change config.yaml.
 */
import * as z from 'zod'
import {CommandError} from '../../device/command-error.ts'
import {callProblem, withoutSecrets} from '../../device/raw-calls.ts'
import {LoggedRefusal} from '../commands/results.ts'
import {assertUsable, type Plug} from '../plug.ts'
import {displayedState} from '../status/states.ts'
import {type BridgeActions, type ConfigEdit, logLevels} from './bridge-actions.ts'
import {
  anyJson,
  changeConfig,
  configValue,
  defineRequest,
  expected,
  listOf,
  nonEmptyText,
  type RequestContext,
  type RequestHandler,
} from './define-request.ts'

const noValues = z.strictObject({})
const newName = nonEmptyText('a new name')
const plugName = nonEmptyText('the name of a plug')
const plugNameOnly = z.strictObject({name: plugName})
const groupName = nonEmptyText('the name of a group')
const groupNameOnly = z.strictObject({name: groupName})
const memberNames = listOf("a list of plugs' names", 'the name of a plug')
const settings = z.record(z.string(), configValue.nullable(), expected('a mapping from settings to values'))
const seconds = expected('a number of seconds from 0.1 to 60')
const EXAMPLE_PLUG = {name: 'lamp'}

const table: Readonly<Record<string, RequestHandler>> = {
  health_check: defineRequest(noValues, ({actions}) => ({healthy: true, ...actions.health()})),
  info: defineRequest(noValues, ({actions}) => actions.info()),
  options: defineRequest(
    z.strictObject({log_level: z.enum(logLevels)}),
    ({actions}, options) => {
      actions.setLogLevel(options.log_level)
      return options
    },
    {log_level: 'debug'},
  ),
  discover: defineRequest(
    z.strictObject({timeout: z.number(seconds).min(0.1, seconds).max(60, seconds).default(5)}),
    ({actions}, {timeout}) => actions.discover(timeout * 1000),
    {timeout: 5},
  ),
  reload: defineRequest(noValues, ({actions}) => reload(actions, 'reload')),
  restart: defineRequest(noValues, ({actions}) => reload(actions, 'restart')),
  'device/add': defineRequest(
    // `id` is a setting of a plug. It is listed because other programs call the name of a plug so: it is no wrong `name` here.
    z.object({name: newName, id: configValue.optional()}).catchall(configValue),
    (context, {name, ...settings}) =>
      changeConfig(context, {name}, () => {
        context.names.assertFree(name, 'plug')
        return [{path: ['devices', name], put: settings}]
      }),
    {name: 'lamp', host: '192.168.1.42', token: '…'},
  ),
  'device/remove': defineRequest(
    plugNameOnly,
    (context, {name}) =>
      changeConfig(context, {name}, () => {
        context.names.plug(name)
        return [{path: ['devices', name], drop: true}, ...groupEdits(context, name)]
      }),
    EXAMPLE_PLUG,
  ),
  'device/rename': defineRequest(
    z.strictObject({from: plugName, to: newName}),
    (context, {from, to}) =>
      changeConfig(context, {from, to}, () => {
        context.names.plug(from)
        context.names.assertFree(to, 'plug')
        return [{path: ['devices', from], rename: to}, ...groupEdits(context, from, to)]
      }),
    {from: 'lamp', to: 'office/lamp'},
  ),
  'device/options': defineRequest(
    z.strictObject({name: plugName, options: settings}),
    (context, {name, options}) =>
      changeConfig(context, {name, options: Object.keys(options)}, () => {
        context.names.plug(name)
        return Object.entries(options).map(([key, value]): ConfigEdit => {
          const path = ['devices', name, key]
          return value === null ? {path, drop: true} : {path, put: value}
        })
      }),
    {name: 'lamp', options: {area: 'Office', icon: null}},
  ),
  'device/poll': defineRequest(
    plugNameOnly,
    async (context, {name}) => {
      const plug = context.names.plug(name)
      await plug.device.read(deadlineFor(context, plug))
      return displayedState(plug)
    },
    EXAMPLE_PLUG,
  ),
  'device/info': defineRequest(
    plugNameOnly,
    async (context, {name}) => {
      const plug = context.names.plug(name)
      const identity = await plug.device.identify({deadline: deadlineFor(context, plug)})
      return {name, did: plug.did ?? null, address: plug.address ?? null, ...identity}
    },
    EXAMPLE_PLUG,
  ),
  'device/call': defineRequest(
    z.strictObject({
      name: plugName,
      method: nonEmptyText('the name of a method'),
      params: anyJson.default([]),
    }),
    async (context, {name, method, params}) => {
      const plug = context.names.plug(name)
      if (!context.actions.allowsRawCalls())
        throw new CommandError(
          'refused',
          'raw calls are off: the configuration needs `allow_raw_calls: true`',
        )
      const problem = callProblem(method)
      if (problem) throw new CommandError('refused', problem)
      return {result: withoutSecrets(await plug.device.rawCall(method, params, deadlineFor(context, plug)))}
    },
    {name: 'lamp', method: 'get_prop', params: ['power']},
  ),
  'group/add': defineRequest(
    z.strictObject({name: newName, members: memberNames}),
    (context, {name, members}) =>
      changeConfig(context, {name, members}, () => {
        context.names.assertFree(name, 'group')
        return [{path: ['groups', name], put: {members}}]
      }),
    {name: 'evening', members: ['desk', 'lamp']},
  ),
  'group/remove': defineRequest(
    groupNameOnly,
    (context, {name}) =>
      changeConfig(context, {name}, () => {
        context.names.group(name)
        return [{path: ['groups', name], drop: true}]
      }),
    {name: 'evening'},
  ),
  'group/members': defineRequest(
    z
      .strictObject({name: groupName, add: memberNames.optional(), remove: memberNames.optional()})
      .refine(
        ({add, remove}) => add ?? remove,
        'expected "add" or "remove" with a list of plugs\' names, got neither',
      ),
    (context, {name, add = [], remove = []}) => {
      const response: {name: string; members: readonly string[]} = {name, members: []}
      return changeConfig(context, response, () => {
        const rest = context.names.group(name).settings.members.filter((member) => !remove.includes(member))
        response.members = [...rest, ...add.filter((member) => !rest.includes(member))]
        return [{path: ['groups', name, 'members'], put: response.members}]
      })
    },
    {name: 'evening', add: ['fan'], remove: ['desk']},
  ),
}

/** The handler of each request, by verb, in the order in which error messages list them. */
export const requestTable: ReadonlyMap<string, RequestHandler> = new Map(Object.entries(table))

/** @throws CommandError `refused` with every problem of an invalid configuration */
async function reload(actions: BridgeActions, how: 'restart' | 'reload'): Promise<Record<string, never>> {
  const problems = await actions.reload(how)
  if (problems === undefined) return {}
  throw new LoggedRefusal('refused', `the configuration is invalid, the old one stays:\n${problems}`)
}

/** On the clock. @throws CommandError for a plug that is disabled or a duplicate */
function deadlineFor({clock}: RequestContext, plug: Plug): number {
  assertUsable(plug)
  return clock.now() + plug.commandTimeout
}

/**
 * The changes of all groups that have a plug as a member when the plug is renamed or removed.
 * @param to its new name; `undefined` when it is removed
 */
function groupEdits({groups}: RequestContext, from: string, to?: string): ConfigEdit[] {
  return [...groups]
    .filter(([, {settings}]) => settings.members.includes(from))
    .map(([group, {settings}]) => ({
      path: ['groups', group, 'members'],
      put: settings.members.flatMap((member) => (member === from ? (to ?? []) : member)),
    }))
}

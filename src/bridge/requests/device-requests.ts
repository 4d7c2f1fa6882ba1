/**
 * Requests about single plugs: `B/bridge/request/device/{add,remove,rename,options,poll,info,call}` (docs/topics.md, "Requests to the
 * bridge"). The first four change config.yaml.
 */
import {z} from 'zod'
import {describeValue} from '../../common/schema-errors.ts'
import {CommandError} from '../../device/command-error.ts'
import {callProblem, withoutSecrets} from '../../device/raw-calls.ts'
import {assertUsable, type Plug} from '../plug.ts'
import {displayedState} from '../status/plug-states.ts'
import type {ConfigEdit} from './bridge-actions.ts'
import {
  anyJson,
  changeConfig,
  configValue,
  defineRequest,
  nonEmptyText,
  type RequestContext,
  type RequestHandler,
} from './define-request.ts'
import {groupEdits} from './group-requests.ts'

const name = nonEmptyText('the name of a plug')
const newName = nonEmptyText('a new name')
const nameOnly = z.strictObject({name})
const EXAMPLE_NAME = {name: 'lamp'}
const settings = z.record(z.string(), configValue.nullable(), {
  error: ({input}) => `expected a mapping from settings to values, got ${describeValue(input)}`,
})

export const deviceRequests: Readonly<Record<string, RequestHandler>> = {
  'device/add': defineRequest(
    // The setting `id` is known here, although other programs call the name of a plug `id`.
    z.object({name: newName, id: configValue.optional()}).catchall(configValue),
    async (context, {name, ...settings}) => {
      const notes = await changeConfig(context, () => {
        context.names.assertFree(name, 'plug')
        return [{path: ['devices', name], put: settings}]
      })
      return {name, ...notes}
    },
    {name: 'lamp', host: '192.168.1.42', token: '…'},
  ),
  'device/remove': defineRequest(
    nameOnly,
    async (context, {name}) => {
      const notes = await changeConfig(context, () => {
        findPlug(context, name)
        return [{path: ['devices', name], drop: true}, ...groupEdits(context, name)]
      })
      return {name, ...notes}
    },
    EXAMPLE_NAME,
  ),
  'device/rename': defineRequest(
    z.strictObject({from: name, to: newName}),
    async (context, {from, to}) => {
      const notes = await changeConfig(context, () => {
        findPlug(context, from)
        context.names.assertFree(to, 'plug')
        return [{path: ['devices', from], rename: to}, ...groupEdits(context, from, to)]
      })
      return {from, to, ...notes}
    },
    {from: 'lamp', to: 'office/lamp'},
  ),
  'device/options': defineRequest(
    z.strictObject({name, options: settings}),
    async (context, {name, options}) => {
      const notes = await changeConfig(context, () => {
        findPlug(context, name)
        return Object.entries(options).map(([key, value]): ConfigEdit => {
          const path = ['devices', name, key]
          return value === null ? {path, drop: true} : {path, put: value}
        })
      })
      return {name, options: Object.keys(options), ...notes}
    },
    {name: 'lamp', options: {area: 'Office', icon: null}},
  ),
  'device/poll': defineRequest(
    nameOnly,
    async (context, {name}) => {
      const plug = findPlug(context, name)
      await plug.device.read(deadlineFor(context, plug))
      return displayedState(plug)
    },
    EXAMPLE_NAME,
  ),
  'device/info': defineRequest(
    nameOnly,
    async (context, {name}) => {
      const plug = findPlug(context, name)
      const identity = await plug.device.identify({deadline: deadlineFor(context, plug)})
      return {name, did: plug.did ?? null, address: plug.address ?? null, ...identity}
    },
    EXAMPLE_NAME,
  ),
  'device/call': defineRequest(
    z.strictObject({name, method: nonEmptyText('the name of a method'), params: anyJson.default([])}),
    async (context, {name, method, params}) => {
      const plug = findPlug(context, name)
      if (!context.actions.allowsRawCalls())
        throw new CommandError(
          'refused',
          'raw calls are off: the configuration needs `allow_raw_calls: true`',
        )
      const problem = callProblem(method)
      if (problem) throw new CommandError('refused', problem)
      return {result: withoutSecrets(await plug.device.call(method, params, deadlineFor(context, plug)))}
    },
    {name: 'lamp', method: 'get_prop', params: ['power']},
  ),
}

/** @throws CommandError `invalid_payload` for a name that no plug has */
function findPlug({plugs, names}: RequestContext, name: string): Plug {
  const plug = plugs.get(name)
  if (plug) return plug
  throw new CommandError('invalid_payload', names.unknownPlug(name))
}

/** On the clock. @throws CommandError for a plug that is disabled or a duplicate */
function deadlineFor({clock}: RequestContext, plug: Plug): number {
  assertUsable(plug)
  return clock.now() + plug.commandTimeout
}

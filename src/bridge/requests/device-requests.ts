/** Requests about single plugs: `B/bridge/request/device/…` (contract §6). Those that change something change config.yaml. */
import {z} from 'zod'
import {describeValue} from '../../common/schema-errors.ts'
import {CommandError} from '../../device/command-error.ts'
import {callProblem, withoutSecrets} from '../../device/raw-calls.ts'
import {assertFree, unknownPlug} from '../name-directory.ts'
import {assertUsable, type Plug} from '../plug.ts'
import {displayedState} from '../status/plug-states.ts'
import type {ConfigEdit} from './bridge-actions.ts'
import {
  anyJson,
  configValue,
  defineRequest,
  edit,
  nonEmptyText,
  type RequestContext,
  type RequestHandler,
} from './define-request.ts'
import {groupEdits} from './group-requests.ts'

const name = nonEmptyText('the name of a plug')
const newName = nonEmptyText('a new name')
const justName = z.strictObject({name})
const LAMP = {name: 'lamp'}
const settings = z.record(z.string(), configValue.nullable(), {
  error: ({input}) => `expected a mapping from settings to values, got ${describeValue(input)}`,
})

export const deviceRequests: Readonly<Record<string, RequestHandler>> = {
  'device/add': defineRequest(
    // `id` is the one setting that is the name of a plug elsewhere.
    z.object({name: newName, id: configValue.optional()}).catchall(configValue),
    async (context, {name, ...settings}) => {
      const news = await edit(context, () => {
        assertFree(name, 'plug', context)
        return [{path: ['devices', name], put: settings}]
      })
      return {name, ...news}
    },
    {name: 'lamp', host: '192.168.1.42', token: '…'},
  ),
  'device/remove': defineRequest(
    justName,
    async (context, {name}) => {
      const news = await edit(context, () => {
        find(context, name)
        return [{path: ['devices', name], drop: true}, ...groupEdits(context, name)]
      })
      return {name, ...news}
    },
    LAMP,
  ),
  'device/rename': defineRequest(
    z.strictObject({from: name, to: newName}),
    async (context, {from, to}) => {
      const news = await edit(context, () => {
        find(context, from)
        assertFree(to, 'plug', context)
        return [{path: ['devices', from], rename: to}, ...groupEdits(context, from, to)]
      })
      return {from, to, ...news}
    },
    {from: 'lamp', to: 'office/lamp'},
  ),
  'device/options': defineRequest(
    z.strictObject({name, options: settings}),
    async (context, {name, options}) => {
      const news = await edit(context, () => {
        find(context, name)
        return Object.entries(options).map(([key, value]): ConfigEdit => {
          const path = ['devices', name, key]
          return value === null ? {path, drop: true} : {path, put: value}
        })
      })
      return {name, options: Object.keys(options), ...news}
    },
    {name: 'lamp', options: {area: 'Office', icon: null}},
  ),
  'device/poll': defineRequest(
    justName,
    async (context, {name}) => {
      const plug = find(context, name)
      await plug.device.read(deadline(context, plug))
      return displayedState(plug)
    },
    LAMP,
  ),
  'device/info': defineRequest(
    justName,
    async (context, {name}) => {
      const plug = find(context, name)
      const identity = await plug.device.identify({deadline: deadline(context, plug)})
      return {name, did: plug.did ?? null, address: plug.address ?? null, ...identity}
    },
    LAMP,
  ),
  'device/call': defineRequest(
    z.strictObject({name, method: nonEmptyText('the name of a method'), params: anyJson.default([])}),
    async (context, {name, method, params}) => {
      const plug = find(context, name)
      if (!context.controls.allowsRawCalls())
        throw new CommandError(
          'refused',
          'raw calls are off: the configuration needs `allow_raw_calls: true`',
        )
      const problem = callProblem(method)
      if (problem) throw new CommandError('refused', problem)
      return {result: withoutSecrets(await plug.device.call(method, params, deadline(context, plug)))}
    },
    {name: 'lamp', method: 'get_prop', params: ['power']},
  ),
}

/** @throws CommandError for a name that is none, or of a plug that is left alone */
function find(context: RequestContext, wanted: string): Plug {
  const plug = context.plugs.get(wanted)
  if (plug) return plug
  throw new CommandError('invalid_payload', unknownPlug(wanted, context))
}

function deadline({clock}: RequestContext, plug: Plug): number {
  assertUsable(plug)
  return clock.now() + plug.commandTimeout
}

/** Requests about single plugs: `B/bridge/request/device/…` (contract §6). Those that change something change config.yaml. */
import {z} from 'zod'
import {CommandError} from '../device/errors.ts'
import {callProblem, withoutSecrets} from '../device/raw-calls.ts'
import {excerpt} from '../device/values.ts'
import type {Edit, Written} from './controls.ts'
import {followingEdits} from './group-requests.ts'
import {mustBeInUse, type Plug} from './plug.ts'
import {shownOf} from './states.ts'
import {type Answering, edit, type RequestContext, verb} from './verbs.ts'

const name = z.string().min(1)
const written: z.ZodType<Written> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.array(written), z.record(z.string(), written)]),
)

export const deviceVerbs: Readonly<Record<string, Answering>> = {
  'device/add': verb(z.object({name}).catchall(written), async (context, {name, ...settings}) => {
    await edit(context, () => {
      mustBeFree(context, name)
      return [{path: ['devices', name], put: settings}]
    })
    return {name}
  }),
  'device/remove': verb(z.strictObject({name}), async (context, {name}) => {
    await edit(context, () => {
      find(context, name)
      return [{path: ['devices', name], drop: true}, ...followingEdits(context, name)]
    })
    return {name}
  }),
  'device/rename': verb(z.strictObject({from: name, to: name}), async (context, {from, to}) => {
    await edit(context, () => {
      find(context, from)
      mustBeFree(context, to)
      return [{path: ['devices', from], rename: to}, ...followingEdits(context, from, to)]
    })
    return {from, to}
  }),
  'device/options': verb(
    z.strictObject({name, options: z.record(z.string(), written.nullable())}),
    async (context, {name, options}) => {
      await edit(context, () => {
        find(context, name)
        return Object.entries(options).map(([key, value]): Edit => {
          const path = ['devices', name, key]
          return value === null ? {path, drop: true} : {path, put: value}
        })
      })
      return {name, options: Object.keys(options)}
    },
  ),
  'device/poll': verb(z.strictObject({name}), async (context, {name}) => {
    const plug = find(context, name)
    await plug.device.read(deadline(context, plug))
    return shownOf(plug)
  }),
  'device/info': verb(z.strictObject({name}), async (context, {name}) => {
    const plug = find(context, name)
    const identity = await plug.device.identify({deadline: deadline(context, plug)})
    return {name, did: plug.did ?? null, address: plug.address ?? null, ...identity}
  }),
  'device/call': verb(
    z.strictObject({name, method: z.string().min(1), params: z.json().default([])}),
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
  ),
}

/** @throws CommandError for a name that is none, or of a plug that is left alone */
function find({plugs}: RequestContext, wanted: string): Plug {
  const plug = plugs.get(wanted)
  if (plug) return plug
  const known = [...plugs.keys()].slice(0, 10).join(', ') || 'none'
  throw new CommandError('invalid_payload', `no plug is called ${excerpt(wanted)}: known are ${known}`)
}

/** @throws CommandError for a name that a plug has */
function mustBeFree({plugs}: RequestContext, name: string): void {
  if (plugs.has(name)) throw new CommandError('invalid_payload', `${name} is configured already`)
}

function deadline({clock}: RequestContext, plug: Plug): number {
  mustBeInUse(plug)
  return clock.now() + plug.commandTimeout
}

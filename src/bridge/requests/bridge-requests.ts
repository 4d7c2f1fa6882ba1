/**
 * Requests about the bridge itself: `B/bridge/request/{health_check,info,options,discover,reload,restart}` (docs/topics.md, "Requests to
 * the bridge").
 */
import {z} from 'zod'
import {describeValue} from '../../common/schema-errors.ts'
import {type BridgeActions, logLevels} from './bridge-actions.ts'
import {defineRequest, LoggedRefusal, type RequestHandler} from './define-request.ts'

const noValues = z.strictObject({})

export const bridgeRequests: Readonly<Record<string, RequestHandler>> = {
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
    z.strictObject({timeout: seconds(0.1, 60).default(5)}),
    ({actions}, {timeout}) => actions.discover(timeout * 1000),
    {timeout: 5},
  ),
  reload: defineRequest(noValues, ({actions}) => reload(actions, 'reload')),
  restart: defineRequest(noValues, ({actions}) => reload(actions, 'restart')),
}

function seconds(least: number, most: number) {
  const error = ({input}: {input?: unknown}) =>
    `expected a number of seconds from ${least} to ${most}, got ${describeValue(input)}`
  return z.number({error}).min(least, {error}).max(most, {error})
}

/** @throws CommandError `refused` with every problem of an invalid configuration */
async function reload(actions: BridgeActions, how: 'restart' | 'reload'): Promise<Record<string, never>> {
  const problems = await actions.reload(how)
  if (problems === undefined) return {}
  throw new LoggedRefusal('refused', `the configuration is invalid, the old one stays:\n${problems}`)
}

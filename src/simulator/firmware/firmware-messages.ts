/** JSON messages of the simulated firmware: reads a request, and writes a response as that firmware writes it. Pure. */
import type {FirmwareError, FirmwareProfile, FirmwareQuirks} from './firmware-profile.ts'

/** A request as a client sends it. An id of 0, or a missing id, means: execute, but do not respond. */
export interface FirmwareRequest {
  id: number
  method: string
  /** A list, except for `action`. */
  params: unknown
}

export type FirmwareResponse = {result: unknown} | {error: FirmwareError}

const TAILS = {none: '', nuls: '\0\0\0', text: '\0k'} as const

/**
 * Reads the request in a decrypted payload, up to its first NUL.
 * @returns `undefined` for a payload that the plug would drop (docs/protocol.md §1.6 step 8)
 */
export function parseFirmwareRequest(payload: Buffer): FirmwareRequest | undefined {
  const end = payload.indexOf(0)
  const json = parseJson(payload.toString('utf8', 0, end < 0 ? payload.length : end))
  if (typeof json !== 'object' || json === null || !('method' in json)) return undefined
  if (typeof json.method !== 'string') return undefined
  const id = 'id' in json && typeof json.id === 'number' ? json.id >>> 0 : 0
  return {id, method: json.method, params: 'params' in json ? json.params : []}
}

/**
 * Writes the response to the request `id` as JSON text, with the mistakes of this firmware (docs/protocol.md §1.7).
 * @param elapsedMs milliseconds the request took, for `exe_time`
 */
export function formatResponse(
  id: number,
  response: FirmwareResponse,
  profile: FirmwareProfile,
  elapsedMs: number,
): string {
  const body =
    'result' in response
      ? `"result":${formatResult(response.result, profile)}`
      : `"error":${JSON.stringify(response.error)}`
  const exeTime = profile.exeTime ? `,"exe_time":${Math.round(elapsedMs)}` : ''
  const text = `{"id":${id},${body}${exeTime}}`
  return 'result' in response && Array.isArray(response.result) ? cut(text, profile) : text
}

/** The bytes that this firmware sends after the JSON text: one NUL by default. */
export function tailOf({tail}: FirmwareQuirks): string {
  return tail ? TAILS[tail] : '\0'
}

function formatResult(result: unknown, {missingComma, emptySlots}: FirmwareQuirks): string {
  if (!Array.isArray(result)) return JSON.stringify(result)
  const items = result.map((item) => (emptySlots && item === null ? '' : JSON.stringify(item)))
  const omitsCommas = missingComma && items.every((item) => item.startsWith('{'))
  return `[${items.join(omitsCommas ? '' : ',')}]`
}

/**
 * The firmware's buffer for lists is too small, and the closing `}` is written in any case. An object is not cut: such a plug
 * still sent `miIO.info` in full.
 */
function cut(text: string, {cutAt}: FirmwareQuirks): string {
  return cutAt === undefined || text.length <= cutAt ? text : `${text.slice(0, cutAt - 1)}}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

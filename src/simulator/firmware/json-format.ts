/** How an answer is written down, with the mistakes some firmware makes at that (docs/protocol.md §1.7). Pure. */

import type {FirmwareResponse} from './firmware-messages.ts'
import type {FirmwareProfile, FirmwareQuirks} from './firmware-profile.ts'

const tails = {none: '', nuls: '\0\0\0', text: '\0k'} as const

/** The text of the answer to the request `id`, which took `ms` milliseconds. */
export function formatResponse(
  id: number,
  answer: FirmwareResponse,
  habits: FirmwareProfile,
  ms: number,
): string {
  const body =
    'result' in answer
      ? `"result":${printed(answer.result, habits)}`
      : `"error":${JSON.stringify(answer.error)}`
  const exeTime = habits.exeTime ? `,"exe_time":${Math.round(ms)}` : ''
  const text = `{"id":${id},${body}${exeTime}}`
  return 'result' in answer && Array.isArray(answer.result) ? cut(text, habits) : text
}

/** What comes after the text, to its end. */
export function tailOf({tail}: FirmwareQuirks): string {
  return tail ? tails[tail] : '\0'
}

function printed(result: unknown, {missingComma, emptySlots}: FirmwareQuirks): string {
  if (!Array.isArray(result)) return JSON.stringify(result)
  const items = result.map((item) => (emptySlots && item === null ? '' : JSON.stringify(item)))
  const separated = missingComma && items.every((item) => item.startsWith('{'))
  return `[${items.join(separated ? '' : ',')}]`
}

/** The buffer for lists is too small, and its last character is written in any case; such a plug still told who it is. */
function cut(text: string, {cutAt}: FirmwareQuirks): string {
  return cutAt === undefined || text.length <= cutAt ? text : `${text.slice(0, cutAt - 1)}}`
}

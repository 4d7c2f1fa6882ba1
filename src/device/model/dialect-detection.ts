/** How a plug nobody has described is talked to: asked once, with as few questions as possible (contract §5). */
import {type DialectName, dialects} from '../../models/dialects.ts'
import {buildRead, decodeResponse} from '../codec/property-codec.ts'
import {isAboutTheQuestion, isRefusal} from '../command-error.ts'

export type {DialectName} from '../../models/dialects.ts'

/** Makes of which all plugs known so far speak the older dialect, whatever they are asked (docs/protocol.md §3.1). */
const LEGACY_FIRST = /^(chuangmi\.plug|qmi\.powerstrip|zimi\.powerstrip)\./

/**
 * The first dialect in which the plug tells whether it is on. Each is tried with one request, sent once: firmware that is asked
 * what it does not know answers -30001 for a while to everybody (syssi/xiaomiplug#11).
 * @param id the model, as far as it is told @param call sends a request once
 * @returns `undefined` when the plug answers to all of them, and tells in none
 * @throws the transport's error when one of them was not answered, and so may be the right one
 */
export async function detectDialect(
  id: string,
  call: (method: string, params: unknown) => Promise<unknown>,
): Promise<DialectName | undefined> {
  const names: DialectName[] = LEGACY_FIRST.test(id) ? ['power', 'on', 'miot'] : ['miot', 'power', 'on']
  let silence: unknown
  for (const name of names) {
    const read = buildRead(dialects[name], 'state')
    try {
      const {values} = decodeResponse(await call(read.method, read.params), read, dialects[name])
      if (values['state'] !== null) return name
    } catch (error) {
      if (!isAboutTheQuestion(error)) throw error
      if (!isRefusal(error)) silence = error
    }
  }
  if (silence !== undefined) throw silence
  return undefined
}

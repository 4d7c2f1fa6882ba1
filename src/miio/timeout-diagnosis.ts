/** Why nobody answered, as far as can be told from what did and did not come. */
import {MiioError} from './miio-error.ts'
import {LONGEST_CIPHERTEXT} from './packet.ts'

/** What happened while a question was asked. */
export class RequestLog {
  hellos = 0
  /** Hellos that were answered. */
  greetings = 0
  requests = 0
  /** How long the longest request's encrypted payload was. */
  bytes = 0
  /** Datagrams that came and did not count, and what the last of them was. */
  dropped = 0
  lastDropped = ''
  /** An answer came that our token does not explain. */
  mismatched = false
  /** An answer came under our token that is no JSON, even repaired. */
  unreadable = false
  /** What an unproven packet said in this try. It is the try's failure when nothing better comes. */
  doubt: MiioError | undefined
}

/** The failure of a question that ran out of tries or of time. `provenBefore`: the token has worked since the start. */
export function timeoutError(
  where: string,
  method: string,
  course: RequestLog,
  provenBefore: boolean,
): MiioError {
  const {hellos, greetings, requests} = course
  if (requests === 0 && (hellos === 0 || greetings > 0))
    return new MiioError('timeout', 'send', `${where} was not asked ${method}: there was no time left to`)
  if (hellos > 0 && greetings === 0) {
    const text = `${where} did not answer ${count(hellos, 'hello')}: ${NO_HELLO}${ignored(course)}`
    return new MiioError('timeout', 'hello', text)
  }
  const greeted = greetings > 0 ? ' answered the hello but' : ''
  const asked = `${where}${greeted} did not answer ${method} (${count(requests, 'request')})`
  const text = `${asked}: ${cause(course, provenBefore)}${ignored(course)}`
  return new MiioError('timeout', 'request', text)
}

const NO_HELLO =
  'it has no power, is in another subnet (plugs answer only their own), or its address has changed'

function cause({unreadable, mismatched, bytes}: RequestLog, provenBefore: boolean): string {
  if (unreadable) return 'it sent what cannot be read; please report it together with the plug’s model'
  if (bytes > LONGEST_CIPHERTEXT)
    return `the request has ${bytes} bytes, and plugs drop more than ${LONGEST_CIPHERTEXT} without a word; ask for less at a time`
  if (provenBefore && !mismatched)
    return 'it did before: it is busy, the network loses packets, or it was set up again and has a new token'
  return 'most often the token is wrong, since it changes whenever the plug is set up again; look it up anew'
}

function ignored({dropped, lastDropped}: RequestLog): string {
  return dropped === 0 ? '' : ` [${count(dropped, 'datagram')} did not count, the last: ${lastDropped}]`
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

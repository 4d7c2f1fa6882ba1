/** Addresses of brokers. What they carry of a login is taken out at once: an address is shown in logs, a password is not. */
import {Secret} from '../../common/secret.ts'
import {mqttSecretProblem, mqttTextProblem} from '../validate/names.ts'

export interface BrokerUrl {
  /** Without credentials. */
  url: string
  username?: string
  password?: Secret
}

/** RFC 1035 §2.3.4 */
const LONGEST_HOST = 253
const PROTOCOLS = new Set(['mqtt:', 'mqtts:', 'ws:', 'wss:'])

/** The parts of a broker's address, or `undefined` for anything that is none. */
export function readBrokerUrl(written: string): BrokerUrl | undefined {
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (!url || brokerUrlProblem(written) !== undefined) return undefined
  const {username, password} = url
  url.username = ''
  url.password = ''
  const login = {username: decoded(username), password: decoded(password)}
  return {
    url: url.href,
    ...(login.username ? {username: login.username} : {}),
    ...(login.password ? {password: new Secret(login.password)} : {}),
  }
}

/** Why `written` is not the address of a broker. Nothing of it but its protocol is ever repeated. */
export function brokerUrlProblem(written: string): string | undefined {
  if (!written.includes('://')) return 'one without "mqtt://" before it'
  // The parser leaves these out without a word, also within a password.
  if (/[\t\n\r]|^\s|\s$/.test(written)) return 'one with a space, tab or line break'
  if (hasLoginInSight(written)) return `one with an "@" after "/", "?" or "#", ${IN_SIGHT}`
  if (!URL.canParse(written)) return portProblem(written) ?? 'one that is not a URL'
  const url = new URL(written)
  const {protocol, hostname, port, pathname, search, hash} = url
  const [username, password] = [decoded(url.username), decoded(url.password)]
  if (!PROTOCOLS.has(protocol)) return `one that starts with "${protocol.slice(0, 12)}//"`
  if (!hostname) return 'one without a host'
  if (search || hash) return `one with "?" or "#", ${IN_SIGHT}`
  if (hostname.length > LONGEST_HOST) return `one whose host is longer than ${LONGEST_HOST} characters`
  if (hostname.includes('%')) return 'one whose host is no ASCII name (others are written "xn--…")'
  if (port === '0') return 'one with the port 0'
  if (!protocol.startsWith('ws') && !['', '/'].includes(pathname))
    return 'one with a path after the host, which only ws:// and wss:// have'
  if (username === undefined || password === undefined)
    return 'one with a "%" that is not followed by two hex digits'
  const wrong = mqttTextProblem(username) ?? mqttSecretProblem(password)
  return wrong && `one whose login is ${wrong}`
}

const IN_SIGHT =
  'where a login would be shown: use username and password, or write "/" as %2F, "?" as %3F, "#" as %23 and "@" as %40 in it'

/** Whether a part of a login would be taken for a path or the like, because a character in it ends the host (RFC 3986 §3.2). */
function hasLoginInSight(written: string): boolean {
  const [protocol = '', ...rest] = written.split('://')
  const ends = /^ws/i.test(protocol.trim()) ? /[/?#\\]/ : /[/?#]/
  const after = rest.join('://')
  const end = after.search(ends)
  return end !== -1 && after.includes('@', end)
}

/** What is wrong with what stands behind the login of something that is no URL. */
function portProblem(written: string): string | undefined {
  const [, authority = ''] = /:\/\/([^/?#]*)/.exec(written) ?? []
  const [, host, port] =
    /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority.slice(authority.lastIndexOf('@') + 1)) ?? []
  if (host === '') return 'one without a host'
  if (/\s/.test(authority)) return 'one with a space in it'
  if (port === undefined) return undefined
  return /^\d+$/.test(port) ? 'one whose port is above 65535' : 'one whose port is no number'
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

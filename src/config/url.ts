/** Addresses of brokers. What they carry of a login is taken out at once: an address is shown in logs, a password is not. */
import {Secret} from '../secret.ts'
import {mqttSecretProblem, mqttTextProblem} from './names.ts'

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
  if (!URL.canParse(written)) return 'one that is not a URL'
  const url = new URL(written)
  const {protocol, hostname, port, pathname, search, hash} = url
  const [username, password] = [decoded(url.username), decoded(url.password)]
  if (!PROTOCOLS.has(protocol)) return `one that starts with "${protocol.slice(0, 12)}//"`
  if (!hostname) return 'one without a host'
  if (search || hash) return 'one with "?" or "#", where a login would be shown: use username and password'
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

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

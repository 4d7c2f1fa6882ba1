/** Addresses of brokers. What they carry of a login is taken out at once: an address is shown in logs, a password is not. */
import {Secret} from '../secret.ts'

export interface BrokerUrl {
  /** Without credentials. */
  url: string
  username?: string
  password?: Secret
}

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
  const {protocol, hostname, search, hash, username, password} = new URL(written)
  if (!PROTOCOLS.has(protocol)) return `one that starts with "${protocol.slice(0, 12)}//"`
  if (!hostname) return 'one without a host'
  if (search || hash) return 'one with "?" or "#", where a login would be shown: use username and password'
  if (decoded(username) === undefined || decoded(password) === undefined)
    return 'one with a "%" that is not followed by two hex digits'
  return undefined
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

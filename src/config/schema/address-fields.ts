/** Schemas for addresses: IPv4 addresses, host names, MQTT topics, and the URL of a broker, whose login is taken out of it at once. */
import {BlockList, isIP, isIPv4} from 'node:net'
import {interfaceAddresses, isPrivate, isUnicast} from '../../common/ipv4.ts'
import {quoted} from '../../common/schema-errors.ts'
import {Secret} from '../../common/secret.ts'
import {configTopicProblem, mqttSecretProblem, mqttTextProblem} from '../validate/names.ts'
import {ANY_LENGTH, checkedText, LONGEST_WORD, scalar, word} from './fields.ts'

/** An IPv4 address, also one of broadcast. */
export function ipv4() {
  return word('an IPv4 address', isIPv4, {format: 'ipv4'})
}

/** An address of this machine. `0.0.0.0` is all of its addresses. */
export function ownAddress() {
  const isOwn = (text: string) => text === '0.0.0.0' || isUnicast(text)
  return word('an IPv4 address of this machine', isOwn, {format: 'ipv4'})
}

/** The host names of plugs have a "_", as in `chuangmi-plug-v3_miio12345678`: unlike elsewhere it is allowed. */
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/

/** `1.2.3`, `0x7f.1`: meant as an address, and an address to some resolvers (URL Standard, "ends in a number"). */
const ENDS_IN_A_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/

/** Topics and logs show the host: a token in its place must not get there. */
const LIKE_A_TOKEN = /^[0-9a-f]{32,}$/

/** The IPv4 address or host name of a plug, in small letters. */
export function host() {
  const read = (text: string) => {
    const name = text.toLowerCase()
    if (isIPv4(name)) return isUnicast(name) ? name : undefined
    return ENDS_IN_A_NUMBER.test(name) || LIKE_A_TOKEN.test(name) || !HOST_NAME.test(name) ? undefined : name
  }
  const got = (text: string) => {
    if (LIKE_A_TOKEN.test(text.toLowerCase())) return 'what looks like a token'
    const [, port] = /^[^:]+:(\d{1,9})$/.exec(text) ?? []
    if (port !== undefined)
      return `${quoted(text)}: write the port as \`port: ${Number(port) > 65_535 ? '…`, at most 65535' : `${port}\``}`
    return isIPv4(text) ? `${quoted(text)}, which no single device has` : quoted(text)
  }
  return scalar({expected: 'an IPv4 address or a host name', read, got, keywords: {type: 'string'}})
}

/** The addresses that providers give to customers (RFC 4291 §2.4). */
const GLOBAL_IPV6 = new BlockList()
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6')

/**
 * Whether an IPv4 or IPv6 address is on the internet: outside of private networks, and of the networks of this machine. A host name is
 * not looked up, and is not public.
 */
export function isPublicAddress(address: string, interfaces = interfaceAddresses): boolean {
  const isGlobal = isIPv4(address)
    ? isUnicast(address) && !isPrivate(address)
    : isIP(address) === 6 && GLOBAL_IPV6.check(address, 'ipv6')
  return isGlobal && !isInOwnNetwork(address, interfaces)
}

function isInOwnNetwork(address: string, interfaces: typeof interfaceAddresses): boolean {
  const own = new BlockList()
  try {
    for (const {address: first, cidr, family} of interfaces())
      if (cidr) own.addSubnet(first, Number(cidr.split('/')[1]), family === 'IPv4' ? 'ipv4' : 'ipv6')
  } catch {
    return false // the system does not list its networks
  }
  return own.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** The beginning of MQTT topics, or a whole one. */
export function topic() {
  const problem = (text: string) => {
    const reason = configTopicProblem(text)
    return reason && `one that cannot be: ${reason}`
  }
  return checkedText('an MQTT topic', problem, {most: LONGEST_WORD})
}

/** The address of a broker. Its login is split off. */
export function brokerUrl() {
  const expected = 'an address mqtt://, mqtts://, ws:// or wss://'
  const got = (text: string) => brokerUrlProblem(text) ?? 'another'
  const keywords = {type: 'string', pattern: '^(mqtts?|wss?)://'}
  return scalar({most: ANY_LENGTH, expected, read: readBrokerUrl, got, keywords})
}

/** The address of a broker and its login, apart: an address is shown in logs, a password never. */
interface BrokerUrl {
  /** Without the login. */
  url: string
  username?: string
  password?: Secret
}

/** Characters (RFC 1035 §2.3.4). */
const LONGEST_HOST = 253
const PROTOCOLS = new Set(['mqtt:', 'mqtts:', 'ws:', 'wss:'])

/** The address and the login, or `undefined` for an invalid address. */
function readBrokerUrl(text: string): BrokerUrl | undefined {
  if (brokerUrlProblem(text) !== undefined) return undefined
  const url = new URL(text)
  const [username, password] = [decoded(url.username), decoded(url.password)]
  url.username = ''
  url.password = ''
  return {
    url: url.href,
    ...(username ? {username} : {}),
    ...(password ? {password: new Secret(password)} : {}),
  }
}

/** Why `text` is not the address of a broker. The reason repeats nothing of it but the protocol. */
function brokerUrlProblem(text: string): string | undefined {
  if (!text.includes('://')) return 'one without "mqtt://" before it'
  // The parser of URLs silently removes these, also within a password.
  if (/[\t\n\r]|^\s|\s$/.test(text)) return 'one with a space, tab or line break'
  if (hasVisibleLogin(text)) return `one with an "@" after "/", "?" or "#", ${WHERE_A_LOGIN_SHOWS}`
  if (!URL.canParse(text)) return portProblem(text) ?? 'one that is not a URL'
  const url = new URL(text)
  const {protocol, hostname, port, pathname, search, hash} = url
  const [username, password] = [decoded(url.username), decoded(url.password)]
  if (!PROTOCOLS.has(protocol)) return `one that starts with "${protocol.slice(0, 12)}//"`
  if (!hostname) return 'one without a host'
  if (search || hash) return `one with "?" or "#", ${WHERE_A_LOGIN_SHOWS}`
  if (hostname.length > LONGEST_HOST) return `one whose host is longer than ${LONGEST_HOST} characters`
  if (hostname.includes('%')) return 'one whose host is no ASCII name (others are written "xn--…")'
  if (port === '0') return 'one with the port 0'
  if (!protocol.startsWith('ws') && !['', '/'].includes(pathname))
    return 'one with a path after the host, which only ws:// and wss:// have'
  if (username === undefined || password === undefined)
    return 'one with a "%" that is not followed by two hex digits'
  const problem = mqttTextProblem(username) ?? mqttSecretProblem(password)
  return problem && `one whose login is ${problem}`
}

const WHERE_A_LOGIN_SHOWS =
  'where a login would be shown: use username and password, or write "/" as %2F, "?" as %3F, "#" as %23 and "@" as %40 in it'

/** Whether a part of the login would count as path, query or fragment, because a character in it ends the host (RFC 3986 §3.2). */
function hasVisibleLogin(text: string): boolean {
  const [protocol = '', ...rest] = text.split('://')
  const ends = /^ws/i.test(protocol.trim()) ? /[/?#\\]/ : /[/?#]/
  const after = rest.join('://')
  const end = after.search(ends)
  return end !== -1 && after.includes('@', end)
}

/** What is wrong with the host and port of a text that is no URL. */
function portProblem(text: string): string | undefined {
  const [, authority = ''] = /:\/\/([^/?#]*)/.exec(text) ?? []
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

/**
 * Warnings for a valid configuration that cannot work or is dangerous. Each rule is silent where all is well: a warning that is always
 * there hides the one that matters. Texts that YAML changed have their warnings in read/text-warnings.ts.
 */
import {quoted} from '../../common/schema-errors.ts'
import {suggestion} from '../../common/suggestion.ts'
import {applyOverrides} from '../../device/codec/model-overrides.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import type {WarningIssue} from '../config-error.ts'
import type {YamlPath} from '../read/yaml.ts'
import {isPublicAddress} from '../schema/address-fields.ts'
import type {Config, DeviceConfig} from '../schema/schema.ts'
import {duplicatesBy} from './rules.ts'

/** All warnings about `config`. */
export function configWarnings(config: Config): WarningIssue[] {
  const aboutPlugs = Object.entries(config.devices).flatMap(([name, plug]) =>
    plugWarnings(plug, config).map((each) => ({...each, path: ['devices', name, ...each.path]})),
  )
  return [
    ...noPlugs(config),
    ...aboutPlugs,
    ...sharedTokens(config),
    ...sharedBaseTopic(config),
    ...brokerAddresses(config),
    ...unusedTls(config),
  ]
}

/** The warning for a file that `exposedFiles` found. */
export function exposedFileWarning(file: string): WarningIssue {
  const message = `every user of this machine can read the tokens or passwords in it: \`chmod 640 ${file}\``
  return {code: 'readable_by_all', path: [], place: {file}, message}
}

function noPlugs({devices}: Config): WarningIssue[] {
  if (Object.keys(devices).length > 0) return []
  const message = 'no plugs are configured yet: `miio2mqtt discover` lists those on this network'
  return [{code: 'no_plugs', path: ['devices'], message}]
}

/** Addresses that are seldom those of a plug. */
const ODD_HOSTS: readonly [pattern: RegExp, message: string][] = [
  [
    /^192\.168\.\d+\.(?:0|255)$/,
    'expected the address of one plug, got what is that of the whole network in most homes',
  ],
  [
    /^169\.254\./,
    'expected the address that the router gave the plug, got one that devices give themselves while they have none',
  ],
  [/^(?:\d{1,3}\.){3}\d{1,3}\.[a-z]/i, 'expected an address or a name, got an address with a name after it'],
]

/** The warnings about one plug, each with its path below the name of the plug. */
function plugWarnings(plug: DeviceConfig, {network, catalogue}: Config): WarningIssue[] {
  const {token, host, disabled, model} = plug
  const found: WarningIssue[] = []
  const warn = (code: string, path: YamlPath, message: string) => found.push({code, path, message})
  if (isMadeUp(token.reveal()))
    warn(
      'example_token',
      ['token'],
      'expected the token of the plug, got that of an example: see docs/troubleshooting.md, "Where do I get the token"',
    )
  if (host !== undefined && isPublicAddress(host))
    warn(
      'public_plug',
      ['host'],
      `expected an address of a private network such as 192.168.1.40, got ${host}, which is on the internet`,
    )
  for (const [pattern, message] of ODD_HOSTS)
    if (host !== undefined && pattern.test(host)) warn('odd_host', ['host'], message)
  if (network.broadcast?.length === 0 && host === undefined && !disabled)
    warn(
      'not_searched',
      [],
      'expected a host: a plug without a host is found by a search for its id, and network.broadcast is empty',
    )
  // Only for plugs with a `model`: the others report theirs, and the bridge then logs the same warnings.
  return model === undefined ? found : [...found, ...modelWarnings(plug, model, catalogue)]
}

/** Digits after which a made-up token repeats itself, at most: half of its length. */
const LONGEST_PERIOD = 16

/**
 * Whether a person made the token up: its digits repeat (`0123456789abcdef` twice), or all bytes have the same distance (00 11 22 …, as
 * in config.example.yaml). Plugs draw from 2^128 tokens, and fewer than one in 2^63 of them is so.
 */
function isMadeUp(token: string): boolean {
  for (let period = 1; period <= LONGEST_PERIOD; period++)
    if (token.slice(period) === token.slice(0, -period)) return true
  const bytes = [...Buffer.from(token, 'hex')]
  const step = (index: number) => ((bytes[index] ?? 0) - (bytes[index - 1] ?? 0)) & 0xff
  return bytes.every((_, index) => index < 2 || step(index) === step(1))
}

/** Disabled plugs are left out: they may be a note of an earlier setup. */
function sharedTokens({devices}: Config): WarningIssue[] {
  const plugs = Object.entries(devices).filter(
    ([, {token, disabled}]) => !disabled && !isMadeUp(token.reveal()),
  )
  return duplicatesBy(plugs, ([, {token}]) => token.reveal()).map(([[first], [name]]) => ({
    code: 'same_token',
    path: ['devices', name, 'token'],
    message: `the same token as "${first}", but each plug has one of its own: was it copied?`,
  }))
}

/** The base topics of other programs. */
const BASE_TOPICS_OF_OTHERS = new Set([
  'zigbee2mqtt',
  'tasmota',
  'shellies',
  'esphome',
  'frigate',
  'zwave',
  'valetudo',
])

function sharedBaseTopic({
  mqtt: {base_topic},
  homeassistant: {enabled, discovery_prefix},
}: Config): WarningIssue[] {
  const isShared = enabled && base_topic === discovery_prefix
  if (!isShared && !BASE_TOPICS_OF_OTHERS.has(base_topic)) return []
  const owner = isShared ? 'the topic of the announcements to Home Assistant' : 'that of another program'
  const isPrefix = isShared && base_topic === 'miio2mqtt'
  const path = isPrefix ? ['homeassistant', 'discovery_prefix'] : ['mqtt', 'base_topic']
  const message = isPrefix
    ? 'expected that of Home Assistant, such as homeassistant, got the topic of the bridge (mqtt.base_topic)'
    : `expected a topic of its own, such as miio2mqtt, got ${quoted(base_topic)}, which is ${owner}`
  return [{code: 'shared_topic', path, message}]
}

/** An unknown model, settings of properties that the model does not have, and settings that a property cannot have. */
function modelWarnings(
  {filtered = [], properties = {}, homeassistant}: DeviceConfig,
  id: string,
  catalogue: Catalogue,
): WarningIssue[] {
  const model = catalogue.find(id)
  if (!model) {
    const message = () =>
      `expected a model that \`miio2mqtt models\` lists, got ${quoted(id)}${suggestion(id, catalogue.ids)}`
    return [{code: 'unknown_model', path: ['model'], message}]
  }
  const {entities = {}} = homeassistant ?? {}
  const known = Object.keys(model.properties)
  const named: [string, YamlPath][] = [
    ...filtered.map((name, index): [string, YamlPath] => [name, ['filtered', index]]),
    ...Object.keys(properties).map((name): [string, YamlPath] => [name, ['properties', name]]),
    ...Object.keys(entities).map((name): [string, YamlPath] => [name, ['homeassistant', 'entities', name]]),
  ]
  const unknown = named
    .filter(([name]) => !known.includes(name))
    .map(([name, path]) => ({
      code: 'unknown_property',
      path,
      message: () =>
        `without effect: expected a property of ${model.name}, got ${quoted(name)}${suggestion(name, known) || `; it has ${known.join(', ')}`}`,
    }))
  const impossible = Object.entries(properties)
    .filter(([name]) => known.includes(name))
    .flatMap(([name, override]) =>
      applyOverrides(model, {[name]: override}).problems.map((problem) => ({
        code: 'unused_property',
        path: ['properties', name],
        message: `without effect: ${problem.slice(name.length + 2)}`,
      })),
    )
  return [...unknown, ...impossible]
}

/** Public test brokers without a login: everyone on the internet can read and publish there. */
const OPEN_BROKERS = new Set([
  'broker.emqx.io',
  'broker.hivemq.com',
  'broker.mqttdashboard.com',
  'iot.eclipse.org',
  'mqtt.eclipse.org',
  'mqtt.eclipseprojects.io',
  'public.mqtthq.com',
  'test.mosquitto.org',
])

const ENCRYPTED = new Set(['mqtts:', 'wss:'])

/** The usual ports of brokers (IANA), and their protocols. */
const PORTS = new Map([
  ['1883', ['mqtt:']],
  ['8883', ['mqtts:']],
  ['9001', ['ws:', 'wss:']],
])
/** The port of the web pages of Home Assistant. */
const HOME_ASSISTANT_PORT = '8123'

function brokerAddresses({mqtt}: Config): WarningIssue[] {
  return mqtt.url.flatMap((written, index): WarningIssue | [] => {
    const path = ['mqtt', 'url', index]
    const {protocol, hostname, port} = new URL(written)
    const address = hostname.toLowerCase().replace(/^\[|\]$/g, '')
    const protocols = PORTS.get(port)
    if (OPEN_BROKERS.has(address)) {
      const message = `every program on the internet can read and switch the plugs at ${address}, which is a public broker: use your own broker`
      return {code: 'open_broker', path, message}
    }
    if (port === HOME_ASSISTANT_PORT) {
      const message = `the pages of Home Assistant are at the port ${port}: brokers listen at 1883 (mqtt://) or 8883 (mqtts://)`
      return {code: 'other_port', path, message}
    }
    if (protocols !== undefined && !protocols.includes(protocol)) {
      const message = `expected ${protocols[0]}// for the port ${port}, got ${protocol}//, which brokers speak at another port`
      return {code: 'other_port', path, message}
    }
    if (ENCRYPTED.has(protocol) || !isPublicAddress(address)) return []
    const message = `${address} is on the internet, and ${protocol}// is not encrypted: anyone on the way can read the password and switch the plugs; use ${protocol === 'ws:' ? 'wss' : 'mqtts'}://`
    return {code: 'not_encrypted', path, message}
  })
}

/** Settings of an encrypted connection, where no address is encrypted. */
function unusedTls({mqtt}: Config): WarningIssue[] {
  const protocols = mqtt.url.map((url) => new URL(url).protocol)
  if (protocols.some((protocol) => ENCRYPTED.has(protocol))) return []
  const {ca, cert, key, servername, verify} = mqtt
  const settings = Object.entries({ca, cert, key, servername, verify: verify ? undefined : verify})
  const message = `without effect: ${protocols[0]}// is not encrypted; with TLS the address in mqtt.url begins with mqtts:// or wss://`
  return settings
    .filter(([, value]) => value !== undefined)
    .map(([key]) => ({code: 'unused_tls', path: ['mqtt', key], message}))
}

/**
 * The schema of config.yaml: every setting with its kind, default and description. The type `Config`, the checks, the tables of
 * docs/configuration.md and config.schema.json all follow from it. Rules about several settings at once are in config/validate.
 */
import * as z from 'zod'
import type {Secret} from '../../common/secret.ts'
import {LOG_LEVELS} from '../../log/log-levels.ts'
import {MIIO_PORT} from '../../miio/packet.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import {type ConfigWarning, kindOf} from '../config-error.ts'
import {checkTls} from '../validate/tls.ts'
import {brokerUrl, host, ipv4, ownAddress, topic} from './address-fields.ts'
import * as field from './fields.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** The error for a value that is no mapping or list. @param what the name of what was expected */
export function wrongKind(what: string) {
  const error = ({code, input}: z.core.$ZodRawIssue) =>
    code === 'invalid_type' ? `expected ${what}, got ${kindOf(input)}` : undefined
  return {error}
}

/** A mapping with these keys and no others. @param what its name in the error about another kind of value */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape, what = 'a mapping') {
  return z.strictObject(shape, wrongKind(what))
}

function optional<T extends z.ZodType>(schema: T, description: string) {
  return schema.exactOptional().describe(description)
}

/** A setting with a default. */
function setting<T>(schema: z.ZodType<T, string>, value: string | number | boolean, description: string) {
  return field.withDefault(schema, value).describe(description)
}

const mqtt = mapping({
  url: field
    .oneOrMore(brokerUrl(), {
      type: ['string', 'array'],
      items: {type: 'string'},
      title: 'an address mqtt://, mqtts://, ws:// or wss://, or a list of them',
    })
    .prefault('mqtt://localhost:1883')
    .describe(
      'The broker, or the nodes of a cluster, tried in turn. A login in it is moved to `username` and `password`.',
    ),
  username: optional(field.mqttText(), 'The user name at the broker.'),
  password: optional(
    field.mqttSecret(),
    'The password at the broker; best as `!secret name`, `!file path` or `!env NAME`.',
  ),
  base_topic: setting(topic(), 'miio2mqtt', 'The first part of all topics of this bridge.'),
  version: setting(
    field.mqttVersion(),
    5,
    'The MQTT version to try first. If the broker refuses 5, the bridge uses 3.1.1.',
  ),
  client_id: optional(
    field.mqttText(1),
    'The MQTT client id. Default: random, and kept in the state folder.',
  ),
  keepalive: setting(
    field.duration(SECOND, 65_535 * SECOND),
    '15s',
    'How soon a broken connection is detected.',
  ),
  ca: optional(field.pem(), 'The trusted certificate authorities, instead of those of the system.'),
  cert: optional(field.pem(), 'The client certificate, for a broker that requires one.'),
  key: optional(field.secretPem(), 'The private key of `cert`.'),
  servername: optional(
    field.mqttText(1),
    "The name in the broker's certificate, if it is not the host of `url`.",
  ),
  verify: setting(
    field.flag(),
    true,
    "Whether the broker's certificate is checked. `false` accepts any server that pretends to be the broker.",
  ),
  qos: setting(field.oneOf(0, 1), 1, 'The quality of service of states.'),
  retain: setting(
    field.flag(),
    true,
    'Whether the broker keeps the last state, for clients that subscribe later.',
  ),
  output: setting(
    field.oneOf('json', 'attribute_and_json'),
    'json',
    'The state of a plug as one JSON object, or also each value on its own topic: `miio2mqtt/desk/power`.',
  ),
})

const homeassistant = mapping({
  enabled: setting(field.flag(), true, 'Whether plugs are announced to Home Assistant.'),
  discovery_prefix: setting(
    topic(),
    'homeassistant',
    'The first level of the discovery topics of Home Assistant.',
  ),
  status_topic: setting(topic(), 'homeassistant/status', "The topic of Home Assistant's birth message."),
})

const network = mapping({
  broadcast: optional(
    z.array(ipv4(), wrongKind('a list of IPv4 addresses')),
    'Broadcast addresses for the search for plugs. Default: the broadcast address of every interface; `[]` turns the search off.',
  ),
  bind: optional(ownAddress(), 'The address of this machine from which packets are sent. Default: any.'),
})

/** At least a second, so that polls of one plug do not overlap: a try takes up to two seconds, and plugs need 50 ms between requests. */
const interval = () => field.duration(SECOND, field.LONGEST_MS)
const offlineAfter = () => field.integer(1, 100)
const commandTimeout = () => field.duration(SECOND, 10 * MINUTE)

const poll = mapping({
  interval: setting(interval(), '15s', 'How often relay and power are read.'),
  slow_interval: setting(interval(), '60s', 'How often temperature, LED, lock, counters … are read.'),
  offline_after: setting(offlineAfter(), 3, 'After how many failed polls in a row a plug is offline.'),
  command_timeout: setting(
    commandTimeout(),
    '10s',
    'How long a command is valid; after that it fails and is never executed.',
  ),
})

const plugPoll = mapping({
  interval: optional(interval(), 'Overrides `poll.interval` for this plug.'),
  slow_interval: optional(interval(), 'Overrides `poll.slow_interval` for this plug.'),
  offline_after: optional(offlineAfter(), 'Overrides `poll.offline_after` for this plug.'),
  command_timeout: optional(commandTimeout(), 'Overrides `poll.command_timeout` for this plug.'),
})

const propertyOverride = mapping({
  scale: optional(
    field.number().refine((scale) => scale > 0, 'expected a number above 0'),
    "Factor for the number of the firmware, instead of the model's.",
  ),
  offset: optional(field.number(), 'Added to the number after that.'),
  source: optional(
    field.oneOf('plug', 'integrated'),
    'For `energy` only: the counter of the plug, or its power added up by the bridge. Default: the counter, if the plug has one that works.',
  ),
})

const propertyOverrides = z
  .record(z.string(), propertyOverride, wrongKind('a mapping from properties to what is different'))
  .superRefine((properties, context) => {
    for (const [name, {source}] of Object.entries(properties))
      if (source !== undefined && name !== 'energy')
        context.addIssue({
          code: 'custom',
          path: [name, 'source'],
          message: 'expected for `energy` only',
        })
  })

const entitySettings = mapping({
  name: optional(field.textField(), 'Name of the entity in Home Assistant, after the name of the plug.'),
  icon: optional(field.icon(), 'Icon of the entity.'),
  enabled: optional(
    field.flag(),
    'Enable the entity by default. Only applied when Home Assistant first sees it.',
  ),
  device_class: optional(
    field.oneOf('switch', 'outlet'),
    'For a switch: its device class in Home Assistant.',
  ),
})

const plugHomeAssistant = mapping({
  enabled: setting(field.flag(), true, 'Whether this plug is announced to Home Assistant.'),
  name: optional(field.textField(), 'Name of the plug in Home Assistant. Default: its name in this file.'),
  entities: optional(
    z.record(field.propertyName(), entitySettings, wrongKind('a mapping from properties to how they look')),
    'Settings of single entities, by the names of their properties.',
  ),
})

const log = mapping({
  level: setting(field.oneOf(...LOG_LEVELS), 'info', 'The lowest level that is logged.'),
  format: setting(field.oneOf('text', 'json'), 'text', 'Lines for people, or JSON.'),
})

const device = mapping(
  {
    host: optional(
      host(),
      'Address of the plug. Required unless `id` is given; a plug with a new address is found by its device id.',
    ),
    port: setting(field.integer(1, 65_535), MIIO_PORT, 'UDP port of the plug.'),
    id: optional(
      field.did(),
      'Device id (did) of the plug. Default: read from the plug at `host`, then kept.',
    ),
    token: field
      .token()
      .describe('Token of the plug: 32 hex digits, or the 96 of an iOS backup; best as `!secret name`.'),
    model: optional(field.modelId(), 'Model of the plug. Default: read from the plug, then kept.'),
    disabled: setting(field.flag(), false, 'Do not contact this plug.'),
    description: optional(field.textField(), 'A note for people.'),
    area: optional(field.textField(), 'The area that Home Assistant suggests for the plug.'),
    icon: optional(field.icon(), 'Icon of the plug in Home Assistant.'),
    poll: optional(plugPoll, 'How often this plug is read, if that differs.'),
    properties: optional(propertyOverrides, 'Corrections for this plug, by the names of its properties.'),
    filtered: optional(
      z.array(field.propertyName(), wrongKind('a list of names of properties')),
      'Properties that are not published. They can still be set, and read by name.',
    ),
    homeassistant: optional(plugHomeAssistant, 'Settings of this plug for Home Assistant.'),
    qos: optional(field.oneOf(0, 1), 'Overrides `mqtt.qos` for the state of this plug.'),
    retain: optional(field.flag(), 'Overrides `mqtt.retain` for the state of this plug.'),
  },
  'the settings of a plug, indented below its name',
)

const group = mapping(
  {
    members: z
      .array(field.textField('the name of a plug'), wrongKind("a list of plugs' names"))
      .min(1, 'expected at least one plug, got none')
      .describe('The plugs of the group, by their names under `devices`.'),
    description: optional(field.textField(), 'A note for people.'),
    area: optional(field.textField(), 'The area that Home Assistant suggests for the switch of the group.'),
    icon: optional(field.icon(), 'Icon of the switch of the group in Home Assistant.'),
  },
  'a mapping with `members` in it',
)

/** config.yaml as a whole. */
export const configSchema = mapping({
  mqtt: mqtt.transform(splitLogin).prefault({}).describe('The broker.'),
  homeassistant: homeassistant.prefault({}).describe('The announcements to Home Assistant.'),
  network: network.prefault({}).describe('The network of the plugs.'),
  poll: poll.prefault({}).describe('How often plugs are read.'),
  log: log.prefault({}).describe('The log.'),
  state_dir: optional(
    field.path(),
    'The state folder. Default: the one of systemd, else `/var/lib/miio2mqtt` for root, else `~/.local/state/miio2mqtt`.',
  ),
  models: optional(
    field.path(),
    'A folder of own model definitions, `*.yaml` and `*.json` (docs/adding-a-plug.md). Default: none.',
  ),
  allow_raw_calls: setting(
    field.flag(),
    false,
    'Whether `device/call` may send any method. Every client that may publish could then do anything to a plug.',
  ),
  devices: z
    .record(z.string(), device, wrongKind('a mapping from names to plugs'))
    .prefault({})
    .describe('The plugs, by their names on MQTT.'),
  groups: z
    .record(z.string(), group, wrongKind('a mapping from names to groups'))
    .prefault({})
    .describe('Groups of plugs that are switched together, by their names on MQTT.'),
})

/**
 * A valid configuration. Durations are milliseconds. `state_dir` is always set; its default depends on the user who runs the bridge.
 * `catalogue` has the definitions of the folder `models` beside the built-in ones. `warnings` are about valid settings.
 */
export type Config = z.output<typeof configSchema> & {
  state_dir: string
  catalogue: Catalogue
  warnings: readonly ConfigWarning[]
}
export type DeviceConfig = z.output<typeof device>

/** Moves the login from the addresses to `username` and `password`, which win when they are set. Two empty texts are no login. */
function splitLogin(settings: z.output<typeof mqtt>, context: z.RefinementCtx) {
  const report = (path: string[], message: string, params?: Record<string, string>) =>
    context.addIssue({code: 'custom', path, message, ...(params ? {params} : {})})
  const logins = settings.url.map(({username, password}) => `${username ?? ''}\0${password?.reveal() ?? ''}`)
  if (new Set(logins).size > 1) report(['url'], 'expected the same login in all addresses of one cluster')
  const isOneMissing = (settings.cert === undefined) !== (settings.key === undefined)
  if (isOneMissing) report([], 'expected cert and key together, got one of them')
  const pems = isOneMissing ? {} : checkTls(settings, (key, message) => report([key], message))
  const inUrl: {username?: string; password?: Secret} = settings.url[0] ?? {}
  const {username, password, ...others} = {...inUrl, ...settings}
  const hasLogin = Boolean(username || password?.reveal())
  if (hasLogin && !username)
    report(
      [settings.password ? 'password' : 'url'],
      'expected `username` beside the password, got none: brokers take no password without it',
      {missing: 'username'},
    )
  return {
    ...others,
    ...(hasLogin && username !== undefined ? {username} : {}),
    ...(hasLogin && password !== undefined ? {password} : {}),
    ...pems,
    url: settings.url.map(({url}) => url),
  }
}

/**
 * The schema of config.yaml: every setting with its kind, default and description. The type `Config`, the checks, the tables of
 * docs/configuration.md and config.schema.json all follow from it. Rules about several settings at once are in config/validate.
 */
import {z} from 'zod'
import type {Secret} from '../../common/secret.ts'
import {LOG_LEVELS} from '../../log/logger.ts'
import {MIIO_PORT} from '../../miio/packet.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import {type ConfigWarning, kindOf} from '../config-error.ts'
import {normalizedPems, tlsProblems} from '../validate/tls.ts'
import {brokerUrl, host, ipv4, ownAddress, topic} from './address-fields.ts'
import * as field from './fields.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** A mapping with these keys and no others. @param what its name in the error about another kind of value */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape, what = 'a mapping') {
  return z.strictObject(shape, {
    error: ({code, input}) =>
      code === 'invalid_type' ? `expected ${what}, got ${kindOf(input)}` : undefined,
  })
}

/** A list. @param what its name in the error about another kind of value */
function listField<T extends z.ZodType>(item: T, what: string) {
  return z.array(item, {error: ({input}) => `expected ${what}, got ${kindOf(input)}`})
}

/** A mapping with names of the user's own as keys. @param what its name in the error about another kind of value */
export function recordField<K extends z.ZodType<string, string>, T extends z.ZodType>(
  key: K,
  value: T,
  what: string,
) {
  return z.record(key, value, {error: ({input}) => `expected ${what}, got ${kindOf(input)}`})
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
  username: optional(field.mqttText(), 'The login at the broker.'),
  password: optional(
    field.mqttSecret(),
    'Its password; best as `!secret name`, `!file path` or `!env NAME`.',
  ),
  base_topic: setting(topic(), 'miio2mqtt', 'What all topics of this bridge start with.'),
  version: setting(
    field.mqttVersion(),
    5,
    'The MQTT version asked for first; a broker that refuses 5 is asked for 3.1.1.',
  ),
  client_id: optional(field.mqttText(1), 'The name at the broker. Default: random, and remembered.'),
  keepalive: setting(
    field.duration(SECOND, 65_535 * SECOND),
    '15s',
    'How soon a broken connection is noticed.',
  ),
  ca: optional(field.pem(), 'The certificate authorities that are trusted, instead of those of the system.'),
  cert: optional(field.pem(), 'The certificate to log in with.'),
  key: optional(field.secretPem(), 'The private key of `cert`.'),
  servername: optional(
    field.mqttText(1),
    "The name the broker's certificate is for, when it is not the host of `url`.",
  ),
  verify: setting(
    field.flag(),
    true,
    "Whether the broker's certificate is checked. `false` lets anybody pose as the broker.",
  ),
  qos: setting(field.oneOf(0, 1), 1, 'The quality of service of states.'),
  retain: setting(field.flag(), true, 'Whether the broker keeps the last state for those who ask later.'),
  output: setting(
    field.oneOf('json', 'attribute_and_json'),
    'json',
    'The state of a plug as one JSON object, or also each value by itself on a topic below: `miio2mqtt/desk/power`.',
  ),
})

const homeassistant = mapping({
  enabled: setting(field.flag(), true, 'Whether plugs announce themselves to Home Assistant.'),
  discovery_prefix: setting(topic(), 'homeassistant', 'Where Home Assistant looks for announcements.'),
  status_topic: setting(topic(), 'homeassistant/status', 'Where Home Assistant says that it has started.'),
})

const network = mapping({
  broadcast: optional(
    listField(ipv4(), 'a list of IPv4 addresses'),
    'Where plugs are searched for. Default: the broadcast address of every interface; `[]` is never.',
  ),
  bind: optional(ownAddress(), 'The own address from which plugs are asked. Default: any.'),
})

/** At least a second, so that polls of one plug do not overlap: a try takes up to two seconds, and plugs need 50 ms between requests. */
const interval = () => field.duration(SECOND, field.LONGEST_MS)
const offlineAfter = () => field.integer(1, 100)
const commandTimeout = () => field.duration(SECOND, 10 * MINUTE)

const poll = mapping({
  interval: setting(interval(), '15s', 'How often relay and watts are read.'),
  slow_interval: setting(interval(), '60s', 'How often temperature, LED, lock, counters … are read.'),
  offline_after: setting(offlineAfter(), 3, 'After how many failed polls in a row a plug is offline.'),
  command_timeout: setting(
    commandTimeout(),
    '10s',
    'How long a command may take; then it is answered with an error and never carried out.',
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
    "What the firmware's number of the property is multiplied with, in place of the model's own scale.",
  ),
  offset: optional(field.number(), 'What is added to it then.'),
  source: optional(
    field.oneOf('plug', 'integrated'),
    "Of `energy` alone: the plug's own counter, or its watts added up. Default: the counter, where there is one that counts.",
  ),
})

const propertyOverrides = recordField(
  z.string(),
  propertyOverride,
  'a mapping from properties to what is different',
).superRefine((properties, context) => {
  for (const [name, {source}] of Object.entries(properties))
    if (source !== undefined && name !== 'energy')
      context.addIssue({
        code: 'custom',
        path: [name, 'source'],
        message: 'expected this of energy alone, which can be counted in two ways',
      })
})

const entitySettings = mapping({
  name: optional(field.textField(), 'What Home Assistant calls the entity, after the name of the plug.'),
  icon: optional(field.icon(), 'Its icon.'),
  enabled: optional(
    field.flag(),
    'Whether it is there without being enabled by hand. Counts when Home Assistant first sees it.',
  ),
  device_class: optional(field.oneOf('switch', 'outlet'), 'Of a switch: what Home Assistant takes it for.'),
})

const plugHomeAssistant = mapping({
  enabled: setting(field.flag(), true, 'Whether this plug announces itself to Home Assistant.'),
  name: optional(field.textField(), 'What Home Assistant calls it. Default: its name here.'),
  entities: optional(
    recordField(field.propertyName(), entitySettings, 'a mapping from properties to how they look'),
    'How single entities look, by the names of their properties.',
  ),
})

const log = mapping({
  level: setting(field.oneOf(...LOG_LEVELS), 'info', 'The least important lines that are written.'),
  format: setting(field.oneOf('text', 'json'), 'text', 'Lines for people, or for machines.'),
})

const device = mapping(
  {
    host: optional(
      host(),
      'Where the plug is. Needed unless `id` is given; a plug that moved is found again by its id.',
    ),
    port: setting(field.integer(1, 65_535), MIIO_PORT, 'Its UDP port.'),
    id: optional(
      field.did(),
      'Its miIO device id (did). Default: asked from the plug at `host`, then remembered.',
    ),
    token: field
      .token()
      .describe('Its token, 32 hex digits, or the 96 of an iOS backup; best as `!secret name`.'),
    model: optional(field.modelId(), 'Default: asked from the plug, then remembered.'),
    disabled: setting(field.flag(), false, 'Whether the plug is left alone.'),
    description: optional(field.textField(), 'A note for people.'),
    area: optional(field.textField(), 'The area that Home Assistant suggests for it.'),
    icon: optional(field.icon(), 'Its icon in Home Assistant.'),
    poll: optional(plugPoll, 'How often this plug is asked, where that differs.'),
    properties: optional(propertyOverrides, 'What its model gets wrong, by the names of its properties.'),
    filtered: optional(
      listField(field.propertyName(), 'a list of names of properties'),
      'Properties that are shown nowhere. They can still be set, and read by name.',
    ),
    homeassistant: optional(plugHomeAssistant, 'How it appears in Home Assistant.'),
    qos: optional(field.oneOf(0, 1), 'Overrides `mqtt.qos` for its state.'),
    retain: optional(field.flag(), 'Overrides `mqtt.retain` for its state.'),
  },
  'the settings of a plug, indented below its name',
)

const group = mapping(
  {
    members: listField(field.textField('the name of a plug'), "a list of plugs' names")
      .min(1, 'expected at least one plug, got none')
      .describe('The plugs in it, by their names under `devices`.'),
    description: optional(field.textField(), 'A note for people.'),
    area: optional(field.textField(), 'The area that Home Assistant suggests for its switch.'),
    icon: optional(field.icon(), 'The icon of its switch in Home Assistant.'),
  },
  'a mapping with `members` in it',
)

/** config.yaml as a whole. */
export const configSchema = mapping({
  mqtt: mqtt.transform(splitLogin).prefault({}).describe('The broker.'),
  homeassistant: homeassistant.prefault({}).describe('How plugs get into Home Assistant by themselves.'),
  network: network.prefault({}).describe('The way to the plugs.'),
  poll: poll.prefault({}).describe('How often plugs are asked.'),
  log: log.prefault({}).describe('What the bridge says about itself.'),
  state_dir: optional(
    field.path(),
    'Where the bridge keeps what it learnt. Default: what systemd gives it, else `/var/lib/miio2mqtt` for root, else `~/.local/state/miio2mqtt`.',
  ),
  models: optional(
    field.path(),
    'A folder of own model definitions, `*.yaml` and `*.json` (docs/adding-a-plug.md). Default: none.',
  ),
  allow_raw_calls: setting(
    field.flag(),
    false,
    'Whether `device/call` may send a plug anything. Whoever may publish could then do anything to it.',
  ),
  devices: recordField(z.string(), device, 'a mapping from names to plugs')
    .prefault({})
    .describe('The plugs, by the names they have on MQTT.'),
  groups: recordField(z.string(), group, 'a mapping from names to groups')
    .prefault({})
    .describe('Plugs that are switched together, by the names the groups have on MQTT.'),
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
type PollConfig = Config['poll']
export type DeviceConfig = z.output<typeof device>

/** How a plug is polled: its own settings where it has some, else those of all plugs. Milliseconds. */
export function pollOf(config: Config, own: DeviceConfig): PollConfig {
  return {...config.poll, ...own.poll}
}

/** Moves the login from the addresses to `username` and `password`, which win when they are set. Two empty texts are no login. */
function splitLogin(settings: z.output<typeof mqtt>, context: z.RefinementCtx) {
  const report = (path: string[], message: string, params?: Record<string, string>) =>
    context.addIssue({code: 'custom', path, message, ...(params ? {params} : {})})
  const logins = settings.url.map(({username, password}) => `${username ?? ''}\0${password?.reveal() ?? ''}`)
  if (new Set(logins).size > 1) report(['url'], 'expected the same login in all addresses of one cluster')
  const isOneMissing = (settings.cert === undefined) !== (settings.key === undefined)
  if (isOneMissing) report([], 'expected cert and key together, got one of them')
  const problems = isOneMissing ? [] : tlsProblems(settings)
  for (const {setting, message} of problems) report([setting], message)
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
    ...(problems.length > 0 ? {} : normalizedPems(settings)),
    url: settings.url.map(({url}) => url),
  }
}

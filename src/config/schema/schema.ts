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
  username: field.mqttText().exactOptional().describe('The login at the broker.'),
  password: field
    .mqttSecret()
    .exactOptional()
    .describe('Its password; best as `!secret name`, `!file path` or `!env NAME`.'),
  base_topic: field.withDefault(topic(), 'miio2mqtt').describe('What all topics of this bridge start with.'),
  version: field
    .withDefault(field.mqttVersion(), 5)
    .describe('The MQTT version asked for first; a broker that refuses 5 is asked for 3.1.1.'),
  client_id: field
    .mqttText(1)
    .exactOptional()
    .describe('The name at the broker. Default: random, and remembered.'),
  keepalive: field
    .withDefault(field.duration(SECOND, 65_535 * SECOND), '15s')
    .describe('How soon a broken connection is noticed.'),
  ca: field
    .pem()
    .exactOptional()
    .describe('The certificate authorities that are trusted, instead of those of the system.'),
  cert: field.pem().exactOptional().describe('The certificate to log in with.'),
  key: field.secretPem().exactOptional().describe('The private key of `cert`.'),
  servername: field
    .mqttText(1)
    .exactOptional()
    .describe("The name the broker's certificate is for, when it is not the host of `url`."),
  verify: field
    .withDefault(field.flag(), true)
    .describe("Whether the broker's certificate is checked. `false` lets anybody pose as the broker."),
  qos: field.withDefault(field.oneOf(0, 1), 1).describe('The quality of service of states.'),
  retain: field
    .withDefault(field.flag(), true)
    .describe('Whether the broker keeps the last state for those who ask later.'),
  output: field
    .withDefault(field.oneOf('json', 'attribute_and_json'), 'json')
    .describe(
      'The state of a plug as one JSON object, or also each value by itself on a topic below: `miio2mqtt/desk/power`.',
    ),
})

const homeassistant = mapping({
  enabled: field
    .withDefault(field.flag(), true)
    .describe('Whether plugs announce themselves to Home Assistant.'),
  discovery_prefix: field
    .withDefault(topic(), 'homeassistant')
    .describe('Where Home Assistant looks for announcements.'),
  status_topic: field
    .withDefault(topic(), 'homeassistant/status')
    .describe('Where Home Assistant says that it has started.'),
})

const network = mapping({
  broadcast: z
    .array(ipv4(), {error: ({input}) => `expected a list of IPv4 addresses, got ${kindOf(input)}`})
    .exactOptional()
    .describe(
      'Where plugs are searched for. Default: the broadcast address of every interface; `[]` is never.',
    ),
  bind: ownAddress().exactOptional().describe('The own address from which plugs are asked. Default: any.'),
})

/** At least a second, so that polls of one plug do not overlap: a try takes up to two seconds, and plugs need 50 ms between requests. */
const interval = () => field.duration(SECOND, field.LONGEST_MS)
const offlineAfter = () => field.integer(1, 100)
const commandTimeout = () => field.duration(SECOND, 10 * MINUTE)

const poll = mapping({
  interval: field.withDefault(interval(), '15s').describe('How often relay and watts are read.'),
  slow_interval: field
    .withDefault(interval(), '60s')
    .describe('How often temperature, LED, lock, counters … are read.'),
  offline_after: field
    .withDefault(offlineAfter(), 3)
    .describe('After how many failed polls in a row a plug is offline.'),
  command_timeout: field
    .withDefault(commandTimeout(), '10s')
    .describe('How long a command may take; then it is answered with an error and never carried out.'),
})

const plugPoll = mapping({
  interval: interval().exactOptional().describe('Overrides `poll.interval` for this plug.'),
  slow_interval: interval().exactOptional().describe('Overrides `poll.slow_interval` for this plug.'),
  offline_after: offlineAfter().exactOptional().describe('Overrides `poll.offline_after` for this plug.'),
  command_timeout: commandTimeout()
    .exactOptional()
    .describe('Overrides `poll.command_timeout` for this plug.'),
})

const propertyOverride = mapping({
  scale: field
    .number()
    .refine((scale) => scale > 0, 'expected a number above 0')
    .exactOptional()
    .describe(
      "What the firmware's number of the property is multiplied with, in place of the model's own scale.",
    ),
  offset: field.number().exactOptional().describe('What is added to it then.'),
  source: field
    .oneOf('plug', 'integrated')
    .exactOptional()
    .describe(
      "Of `energy` alone: the plug's own counter, or its watts added up. Default: the counter, where there is one that counts.",
    ),
})

const propertyOverrides = z
  .record(z.string(), propertyOverride, {
    error: ({input}) => `expected a mapping from properties to what is different, got ${kindOf(input)}`,
  })
  .superRefine((properties, context) => {
    for (const [name, {source}] of Object.entries(properties))
      if (source !== undefined && name !== 'energy')
        context.addIssue({
          code: 'custom',
          path: [name, 'source'],
          message: 'expected this of energy alone, which can be counted in two ways',
        })
  })

const entitySettings = mapping({
  name: field
    .textField()
    .exactOptional()
    .describe('What Home Assistant calls the entity, after the name of the plug.'),
  icon: field.icon().exactOptional().describe('Its icon.'),
  enabled: field
    .flag()
    .exactOptional()
    .describe('Whether it is there without being enabled by hand. Counts when Home Assistant first sees it.'),
  device_class: field
    .oneOf('switch', 'outlet')
    .exactOptional()
    .describe('Of a switch: what Home Assistant takes it for.'),
})

const plugHomeAssistant = mapping({
  enabled: field
    .withDefault(field.flag(), true)
    .describe('Whether this plug announces itself to Home Assistant.'),
  name: field.textField().exactOptional().describe('What Home Assistant calls it. Default: its name here.'),
  entities: z
    .record(field.propertyName(), entitySettings, {
      error: ({input}) => `expected a mapping from properties to how they look, got ${kindOf(input)}`,
    })
    .exactOptional()
    .describe('How single entities look, by the names of their properties.'),
})

const log = mapping({
  level: field
    .withDefault(field.oneOf(...LOG_LEVELS), 'info')
    .describe('The least important lines that are written.'),
  format: field
    .withDefault(field.oneOf('text', 'json'), 'text')
    .describe('Lines for people, or for machines.'),
})

const device = mapping(
  {
    host: host()
      .exactOptional()
      .describe(
        'Where the plug is. Needed unless `id` is given; a plug that moved is found again by its id.',
      ),
    port: field.withDefault(field.integer(1, 65_535), MIIO_PORT).describe('Its UDP port.'),
    id: field
      .did()
      .exactOptional()
      .describe('Its miIO device id (did). Default: asked from the plug at `host`, then remembered.'),
    token: field
      .token()
      .describe('Its token, 32 hex digits, or the 96 of an iOS backup; best as `!secret name`.'),
    model: field.modelId().exactOptional().describe('Default: asked from the plug, then remembered.'),
    disabled: field.withDefault(field.flag(), false).describe('Whether the plug is left alone.'),
    description: field.textField().exactOptional().describe('A note for people.'),
    area: field.textField().exactOptional().describe('The area that Home Assistant suggests for it.'),
    icon: field.icon().exactOptional().describe('Its icon in Home Assistant.'),
    poll: plugPoll.exactOptional().describe('How often this plug is asked, where that differs.'),
    properties: propertyOverrides
      .exactOptional()
      .describe('What its model gets wrong, by the names of its properties.'),
    filtered: z
      .array(field.propertyName(), {
        error: ({input}) => `expected a list of names of properties, got ${kindOf(input)}`,
      })
      .exactOptional()
      .describe('Properties that are shown nowhere. They can still be set, and read by name.'),
    homeassistant: plugHomeAssistant.exactOptional().describe('How it appears in Home Assistant.'),
    qos: field.oneOf(0, 1).exactOptional().describe('Overrides `mqtt.qos` for its state.'),
    retain: field.flag().exactOptional().describe('Overrides `mqtt.retain` for its state.'),
  },
  'the settings of a plug, indented below its name',
)

const devices = z.record(z.string(), device, {
  error: ({input}) => `expected a mapping from names to plugs, got ${kindOf(input)}`,
})

const group = mapping(
  {
    members: z
      .array(field.textField('the name of a plug'), {
        error: ({input}) => `expected a list of plugs' names, got ${kindOf(input)}`,
      })
      .min(1, 'expected at least one plug, got none')
      .describe('The plugs in it, by their names under `devices`.'),
    description: field.textField().exactOptional().describe('A note for people.'),
    area: field.textField().exactOptional().describe('The area that Home Assistant suggests for its switch.'),
    icon: field.icon().exactOptional().describe('The icon of its switch in Home Assistant.'),
  },
  'a mapping with `members` in it',
)

const groups = z.record(z.string(), group, {
  error: ({input}) => `expected a mapping from names to groups, got ${kindOf(input)}`,
})

export const configSchema = mapping({
  mqtt: mqtt.transform(splitLogin).prefault({}).describe('The broker.'),
  homeassistant: homeassistant.prefault({}).describe('How plugs get into Home Assistant by themselves.'),
  network: network.prefault({}).describe('The way to the plugs.'),
  poll: poll.prefault({}).describe('How often plugs are asked.'),
  log: log.prefault({}).describe('What the bridge says about itself.'),
  state_dir: field
    .path()
    .exactOptional()
    .describe(
      'Where the bridge keeps what it learnt. Default: what systemd gives it, else `/var/lib/miio2mqtt` for root, else `~/.local/state/miio2mqtt`.',
    ),
  models: field
    .path()
    .exactOptional()
    .describe(
      'A folder of own model definitions, `*.yaml` and `*.json` (docs/adding-a-plug.md). Default: none.',
    ),
  allow_raw_calls: field
    .withDefault(field.flag(), false)
    .describe(
      'Whether `device/call` may send a plug anything. Whoever may publish could then do anything to it.',
    ),
  devices: devices.prefault({}).describe('The plugs, by the names they have on MQTT.'),
  groups: groups
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
export type MqttConfig = Config['mqtt']
export type PollConfig = Config['poll']
export type DeviceConfig = z.output<typeof device>
export type GroupConfig = z.output<typeof group>

/** How a plug is polled: its own settings where it has some, else those of all plugs. Milliseconds. */
export function pollOf(config: Config, own: DeviceConfig): PollConfig {
  return {...config.poll, ...own.poll}
}

/** Moves the login from the addresses to `username` and `password`, which win when they are set. Two empty texts are no login. */
function splitLogin(written: z.output<typeof mqtt>, context: z.RefinementCtx) {
  const logins = written.url.map(({username, password}) => `${username ?? ''}\0${password?.reveal() ?? ''}`)
  if (new Set(logins).size > 1)
    context.addIssue({
      code: 'custom',
      path: ['url'],
      message: 'expected the same login in all addresses of one cluster',
    })
  const isAlone = (written.cert === undefined) !== (written.key === undefined)
  if (isAlone) context.addIssue({code: 'custom', message: 'expected cert and key together, got one of them'})
  const wrong = isAlone ? [] : tlsProblems(written)
  for (const {setting, message} of wrong) context.addIssue({code: 'custom', path: [setting], message})
  const inUrl: {username?: string; password?: Secret} = written.url[0] ?? {}
  const {username: user, password: secret, ...rest} = {...inUrl, ...written}
  const hasNone = !user && !secret?.reveal()
  if (!user && !hasNone)
    context.addIssue({
      code: 'custom',
      path: [written.password ? 'password' : 'url'],
      params: {missing: 'username'},
      message: 'expected `username` beside the password, got none: brokers take no password without it',
    })
  const login = {
    ...(user === undefined ? {} : {username: user}),
    ...(secret === undefined ? {} : {password: secret}),
  }
  const pems = wrong.length > 0 ? {} : normalizedPems(written)
  return {...rest, ...(hasNone ? {} : login), ...pems, url: written.url.map(({url}) => url)}
}

/**
 * Checks the messages of a bridge as Home Assistant would: the discovery messages themselves, and whether the topics that they name have
 * messages. Home Assistant reports few of these problems, and loses an entity or a device.
 */
import {
  AVAILABILITY,
  DEVICE,
  type Keys,
  ORIGIN,
  PLATFORMS,
  ROOT,
  SENSOR_CLASSES,
  SHARED,
  WORDY_CLASSES,
} from './discovery-schema.ts'

/** A message as it was published. */
export interface PublishedDiscovery {
  topic: string
  payload: string
  retain: boolean
  /** When it was sent, milliseconds; left out where only its arrival is known, since a busy machine delays that. */
  at?: number
}

type Fields = Readonly<Record<string, unknown>>
/** A component with its inherited keys. */
interface Entity {
  /** For messages: topic and key. */
  where: string
  fields: Fields
}

/** Home Assistant drops parts of the second of two messages for one device within this time. */
const APART_MS = 2000
const LONGEST_STATE = 255

/** Every problem of a whole run, from the first message to the last. @param prefix of discovery topics */
export function discoveryProblems(run: readonly PublishedDiscovery[], prefix = 'homeassistant'): string[] {
  const configs = run.filter(({topic}) => topic.startsWith(`${prefix}/`) && topic.endsWith('/config'))
  const latest = [...new Map(configs.map((config) => [config.topic, config])).values()].filter(
    ({payload}) => payload !== '',
  )
  const devices = latest.map((config) => ({config, root: objectIn(config.payload)}))
  const entities = devices.flatMap(({config, root}) => entitiesIn(config.topic, root))
  return [
    ...configs.flatMap((config) => messageProblems(config, prefix)),
    ...rushed(configs),
    ...doubles(entities),
    ...orphans(devices.map(({root}) => objectOf(root?.['device']))),
    ...entities.flatMap((entity) => publishedProblems(entity, run)),
  ]
}

/** The problems of one discovery message. */
export function messageProblems(
  {topic, payload, retain}: Omit<PublishedDiscovery, 'at'>,
  prefix: string,
): string[] {
  const found: string[] = []
  if (!/^device\/([a-zA-Z0-9_-]+\/)?[a-zA-Z0-9_-]+\/config$/.test(topic.slice(prefix.length + 1)))
    found.push(`${topic}: not a topic for device discovery`)
  if (!retain) found.push(`${topic}: is not retained`)
  if (payload === '') return found
  const root = objectIn(payload)
  return [...found, ...(root ? rootProblems(topic, root) : [`${topic}: expected a JSON object`])]
}

function rootProblems(topic: string, root: Fields): string[] {
  const device = objectOf(root['device'])
  return [
    ...keyProblems(topic, root, ROOT),
    ...keyProblems(`${topic} device`, device, DEVICE),
    ...keyProblems(`${topic} origin`, objectOf(root['origin']), ORIGIN),
    ...(device['identifiers'] || device['connections']
      ? []
      : [`${topic} device: has neither identifiers nor connections`]),
    ...availabilityProblems(topic, root),
    ...nameProblems(topic, root),
    ...entitiesIn(topic, root).flatMap(entityProblems),
  ]
}

function keyProblems(where: string, fields: Fields, keys: Keys): string[] {
  const missing = Object.entries(keys).filter(([key, {required}]) => required && !(key in fields))
  return [
    ...missing.map(([key]) => `${where}: ${key} is missing`),
    ...Object.entries(fields).flatMap(([key, value]) => {
      const rule = Object.hasOwn(keys, key) ? keys[key] : undefined
      if (!rule) return [`${where}: unknown key ${key}`]
      return rule.fits(value)
        ? []
        : [`${where}: ${key}: expected ${rule.expected}, got ${JSON.stringify(value)}`]
    }),
  ]
}

function availabilityProblems(where: string, fields: Fields): string[] {
  const {availability, availability_topic: single} = fields
  if (availability === undefined) return []
  if (!Array.isArray(availability)) return [`${where}: availability: expected a list`]
  return [
    ...(single === undefined ? [] : [`${where}: has both availability and availability_topic`]),
    ...availability.flatMap((each) => keyProblems(`${where} availability`, objectOf(each), AVAILABILITY)),
  ]
}

function nameProblems(topic: string, root: Fields): string[] {
  const device = String(objectOf(root['device'])['name']).toLowerCase()
  const components = Object.entries(objectOf(root['components'])).map(
    ([key, value]) => [key, objectOf(value)] as const,
  )
  const main = components.filter(([, {name}]) => name === null).map(([key]) => key)
  const repeating = components.filter(([, {name}]) => String(name).toLowerCase().startsWith(device))
  return [
    ...(main.length > 1
      ? [`${topic}: more than one component is called like the device: ${main.join(', ')}`]
      : []),
    ...repeating.map(([key]) => `${topic} ${key}: name repeats the name of the device`),
  ]
}

/** The components of a message, without those that it removes, which have their platform only. */
function entitiesIn(topic: string, root: Fields | undefined): Entity[] {
  const shared = Object.entries(root ?? {}).filter(([key]) => SHARED.includes(key))
  return Object.entries(objectOf(root?.['components'])).flatMap(([key, component]) => {
    const own = objectOf(component)
    if (Object.keys(own).join() === 'platform') return []
    return [{where: `${topic} ${key}`, fields: {...inheritable(shared, own['platform']), ...own}}]
  })
}

/** The schema drops inherited keys that a platform does not have. */
function inheritable(shared: readonly (readonly [string, unknown])[], platform: unknown): Fields {
  const keys = platformKeys(platform)
  return Object.fromEntries(shared.filter(([key]) => keys && key in keys))
}

function platformKeys(platform: unknown): Keys | undefined {
  return Object.hasOwn(PLATFORMS, String(platform)) ? PLATFORMS[String(platform)] : undefined
}

function entityProblems({where, fields}: Entity): string[] {
  const keys = platformKeys(fields['platform'])
  if (!keys) return [`${where}: not every release knows the platform ${JSON.stringify(fields['platform'])}`]
  return [
    ...(/^[a-zA-Z0-9_-]+$/.test(where.slice(where.indexOf(' ') + 1))
      ? []
      : [`${where}: not a key for a component`]),
    ...keyProblems(where, fields, keys),
    ...availabilityProblems(where, fields),
    ...RULES.filter(({breaks}) => breaks(fields)).map(({says}) => `${where}: ${says}`),
  ]
}

/** Problems that concern several keys. */
const RULES: readonly {says: string; breaks: (fields: Fields) => boolean}[] = [
  {
    says: 'default_entity_id: expected the platform, a dot, and a-z, 0-9 and _',
    breaks: ({platform, default_entity_id: id}) => !new RegExp(`^${platform}\\.[a-z0-9_]+$`).test(String(id)),
  },
  {
    says: 'has no name, and no class that would give it one',
    breaks: ({platform, name, device_class: kind}) =>
      name === undefined && (kind === undefined || kind === 'enum' || platform === 'switch'),
  },
  {
    says: 'a reading cannot be configuration',
    breaks: ({platform, entity_category: category}) =>
      /sensor$/.test(String(platform)) && category === 'config',
  },
  {says: 'min must be below max', breaks: ({min, max}) => Number(min) >= Number(max)},
  {
    says: 'its commands would be retained, and repeated at every start',
    breaks: ({retain}) => retain === true,
  },
  {
    says: 'the unit is none of its class',
    breaks: ({platform, device_class: kind, unit_of_measurement: unit}) =>
      (platform === 'sensor' || platform === 'number') && isNone(SENSOR_CLASSES[String(kind)]?.units, unit),
  },
  {
    says: 'the state class is none of its class',
    breaks: ({platform, device_class: kind, state_class: state}) =>
      platform === 'sensor' && isNone(SENSOR_CLASSES[String(kind)]?.states, state),
  },
  {
    says: 'options are for sensors of the class enum',
    breaks: ({platform, device_class: kind, options}) =>
      platform === 'sensor' && (options !== undefined) !== (kind === 'enum'),
  },
  {
    says: 'last_reset_value_template is for the state class total',
    breaks: ({last_reset_value_template: reset, state_class: state}) =>
      reset !== undefined && state !== 'total',
  },
  {
    says: 'measurement_angle is in °',
    breaks: ({state_class: state, unit_of_measurement: unit}) =>
      state === 'measurement_angle' && unit !== '°',
  },
]

function isNone(allowed: readonly unknown[] | undefined, value: unknown): boolean {
  return allowed !== undefined && !allowed.includes(value)
}

/** Different messages for one device within too short a time. */
function rushed(configs: readonly PublishedDiscovery[]): string[] {
  const before = new Map<string, PublishedDiscovery>()
  return configs.flatMap((config) => {
    const last = before.get(config.topic)
    before.set(config.topic, config)
    if (!last || last.payload === config.payload) return []
    const apart = (config.at ?? Number.NaN) - (last.at ?? Number.NaN)
    return apart < APART_MS ? [`${config.topic}: two different messages within ${Math.round(apart)} ms`] : []
  })
}

function doubles(entities: readonly Entity[]): string[] {
  const seen = new Set<string>()
  return entities.flatMap(({where, fields}) => {
    const id = `${fields['platform']} ${fields['unique_id']}`
    const isDouble = seen.has(id)
    seen.add(id)
    return isDouble
      ? [`${where}: another ${fields['platform']} has the unique_id ${fields['unique_id']}`]
      : []
  })
}

/** A parent that is not announced becomes an empty device of its own. */
function orphans(devices: readonly Fields[]): string[] {
  const identifiers = devices.flatMap((device) => device['identifiers'])
  return devices.flatMap(({name, via_device: via}) =>
    via === undefined || identifiers.includes(via) ? [] : [`${name}: no device has the identifier ${via}`],
  )
}

/** Whether the topics of a component have messages, with values that Home Assistant expects there. */
function publishedProblems({where, fields}: Entity, run: readonly PublishedDiscovery[]): string[] {
  const sources = availabilityOf(fields)
  const isAvailable = sources.every(
    (source) => shown(source, on(run, source.topic).at(-1)) === source.available,
  )
  const states = on(run, fields['state_topic'])
  const commands = on(run, fields['command_topic'])
  return [
    ...sources.flatMap((source) =>
      on(run, source.topic).flatMap((message) => presenceProblems(where, source, message)),
    ),
    ...(isAvailable && states.length === 0 && fields['state_topic'] !== undefined
      ? [`${where}: is available, and nothing was published on ${fields['state_topic']}`]
      : []),
    ...states.flatMap((message) => stateProblems(where, fields, message)),
    ...falls(where, fields, states),
    ...(commands.some(({retain}) => retain)
      ? [`${where}: a command on ${fields['command_topic']} was retained`]
      : []),
  ]
}

interface Source {
  topic: string
  template: string
  available: string
  unavailable: string
}

function availabilityOf({
  availability,
  availability_topic: topic,
  availability_template: template,
  ...own
}: Fields): Source[] {
  const listed = Array.isArray(availability) ? availability.map(objectOf) : []
  const single = topic === undefined ? [] : [{...own, topic, value_template: template}]
  return [...listed, ...single].map((each: Fields) => ({
    topic: String(each['topic']),
    template: String(each['value_template'] ?? '{{ value }}'),
    available: String(each['payload_available'] ?? 'online'),
    unavailable: String(each['payload_not_available'] ?? 'offline'),
  }))
}

function presenceProblems(where: string, source: Source, message: PublishedDiscovery): string[] {
  const value = shown(source, message)
  if (value === undefined)
    return [`${where}: ${source.template} finds nothing in ${message.topic} ${message.payload}`]
  return [
    ...(message.retain ? [] : [`${where}: ${message.topic} is not retained`]),
    ...(value === source.available || value === source.unavailable
      ? []
      : [`${where}: ${value} is no availability`]),
  ]
}

function stateProblems(where: string, fields: Fields, message: PublishedDiscovery): string[] {
  const template = String(fields['value_template'] ?? '{{ value }}')
  const value = shown({template}, message)
  if (value === undefined)
    return [`${where}: ${template} finds nothing in ${message.topic} ${message.payload}`]
  return [
    ...(message.retain ? [] : [`${where}: ${message.topic} is not retained`]),
    ...(value === 'None' || isState(fields, value) ? [] : [`${where}: ${value} is no state`]),
  ]
}

/** Whether Home Assistant accepts `value`, which is not `None`, its unknown. */
function isState(fields: Fields, value: string): boolean {
  const {platform, payload_on: on = 'ON', payload_off: off = 'OFF', options, min, max} = fields
  if (value.length > LONGEST_STATE) return false
  if (platform === 'switch' || platform === 'binary_sensor') return value === on || value === off
  if (Array.isArray(options)) return options.includes(value)
  if (fields['device_class'] === 'timestamp')
    return /T.*(Z|[+-]\d\d:?\d\d)$/.test(value) && !Number.isNaN(Date.parse(value))
  if (platform === 'number')
    return isNumber(value) && Number(value) >= Number(min) && Number(value) <= Number(max)
  return !isNumeric(fields) || isNumber(value)
}

/** Whether Home Assistant expects a number. */
function isNumeric(fields: Fields): boolean {
  if (WORDY_CLASSES.has(fields['device_class'])) return false
  const signs = ['device_class', 'state_class', 'unit_of_measurement', 'suggested_display_precision']
  return fields['platform'] === 'sensor' && signs.some((key) => fields[key] !== undefined)
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text))
}

/** A counter that decreases is a new meter: its whole value is added to the total again. */
function falls(where: string, fields: Fields, states: readonly PublishedDiscovery[]): string[] {
  if (fields['state_class'] !== 'total_increasing') return []
  const template = String(fields['value_template'] ?? '{{ value }}')
  const values = states.map((message) => Number(shown({template}, message))).filter(Number.isFinite)
  return values.some((value, index) => value < (values[index - 1] ?? value))
    ? [`${where}: the counter falls`]
    : []
}

function on(run: readonly PublishedDiscovery[], topic: unknown): PublishedDiscovery[] {
  return run.filter((message) => message.topic === topic && message.payload !== '')
}

/** A template's text for a message, or `undefined` where Home Assistant would warn about a missing key. */
function shown({template}: {template: string}, message: PublishedDiscovery | undefined): string | undefined {
  if (!message) return undefined
  const values = [...template.matchAll(/\{\{ value(?:_json\.([\w.]+)(?: \| default\(none\))?)? \}\}/g)].map(
    ([whole, path]) => ({
      whole,
      value: path === undefined ? message.payload : asText(member(message.payload, path.split('.'))),
    }),
  )
  if (values.some(({value}) => value === undefined)) return undefined
  return values.reduce((text, {whole, value}) => text.replace(whole, () => value ?? ''), template).trim()
}

function member(payload: string, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const fields = objectOf(value)
    return Object.hasOwn(fields, key) ? fields[key] : undefined
  }, objectIn(payload))
}

/** In Python's spelling. */
function asText(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function objectIn(payload: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(payload)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Fields {
  return isObject(value) ? value : {}
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What to do about a setting in a wrong place or form: how it is written, and where. */

import {closestKey, intendedKey, keyFromOtherTools, quoted, redactedKey, suggestion} from '../config-error.ts'
import type {RawYaml, YamlPath} from '../read/yaml.ts'
import {readDuration} from '../schema/fields.ts'
import {ANY_NAME, isDuration, type JsonSchema, keysAt, listPaths, schemaAt} from '../schema/settings.ts'

/** Keys of other programs that mean a setting here, wherever they stand. */
const FOREIGN = new Map<string, readonly string[]>(
  Object.entries({
    broker: ['mqtt', 'url'],
    server: ['mqtt', 'url'],
    mqtt_server: ['mqtt', 'url'],
    mqtt_host: ['mqtt', 'url'],
    mqtt_broker: ['mqtt', 'url'],
    mqtt_port: ['mqtt', 'url'],
    mqtt_user: ['mqtt', 'username'],
    user: ['mqtt', 'username'],
    mqtt_pass: ['mqtt', 'password'],
    pass: ['mqtt', 'password'],
    topic: ['mqtt', 'base_topic'],
    prefix: ['mqtt', 'base_topic'],
    topic_prefix: ['mqtt', 'base_topic'],
    mqtt_topic: ['mqtt', 'base_topic'],
    mqtt_prefix: ['mqtt', 'base_topic'],
    discovery: ['homeassistant', 'enabled'],
    homeassistant_discovery: ['homeassistant', 'enabled'],
    discovery_topic: ['homeassistant', 'discovery_prefix'],
    homeassistant_discovery_topic: ['homeassistant', 'discovery_prefix'],
    homeassistant_status_topic: ['homeassistant', 'status_topic'],
    debug: ['log', 'level'],
    verbose: ['log', 'level'],
    loglevel: ['log', 'level'],
    log_output: ['log', 'format'],
    scan_interval: ['poll', 'interval'],
    update_interval: ['poll', 'interval'],
    polling_interval: ['poll', 'interval'],
    refresh_interval: ['poll', 'interval'],
    timeout: ['poll', 'command_timeout'],
    data_dir: ['state_dir'],
    data_path: ['state_dir'],
    ip: ['devices', ANY_NAME, 'host'],
    localip: ['devices', ANY_NAME, 'host'],
    local_ip: ['devices', ANY_NAME, 'host'],
    friendly_name: ['devices', ANY_NAME, 'homeassistant', 'name'],
  }),
)

const MAC: [string, string] = [
  'mac',
  ': a MAC address cannot be used; `id:` is the number that `miio2mqtt discover` shows',
]
const TLS =
  ': whether it is encrypted is in the address: `url: mqtts://…`, and `ca: !file …` where the broker has an own authority'
const ENCRYPTION = ['tls', 'ssl', 'use_tls', 'use_ssl', 'mqtt_tls', 'secure', 'encryption'].map(
  (key): [string, string] => [key, TLS],
)

/** Keys that people expect in a mapping, and that mean nothing here. */
const SPECIAL = new Map([
  ['', new Map([MAC, ...ENCRYPTION])],
  ['mqtt', new Map(ENCRYPTION)],
  [
    `devices.${ANY_NAME}`,
    new Map([
      MAC,
      [
        'name',
        ': the name of a plug is the key above its settings; another one for Home Assistant is `homeassistant: {name: …}`',
      ],
    ]),
  ],
  [`groups.${ANY_NAME}`, new Map([['name', ': the name of a group is the key above its settings']])],
])

/** The setting that `key`, unknown in the mapping at `path`, was meant for there: that it is missing need not be said as well. */
export function intendedKeyAt(key: string, path: YamlPath): string | undefined {
  if (OTHER_NAMES.get(word(key)) === 'mac' || word(key) === 'mac') return 'id'
  return intendedKey(key, keysAt(path))
}

/** What to do about `key`, which is unknown in the mapping at `path`. */
export function keyHint(key: string, path: YamlPath, value: RawYaml | undefined): string {
  if (key.startsWith('//')) return ': "//" begins no comment: use "#"'
  const known = keysAt(path)
  if (known.includes(word(key))) return `, did you mean "${word(key)}"?`
  if (keyFromOtherTools(key, known) !== undefined) return suggestion(key, known)
  if (path.length > 0 && keysAt([]).includes(key)) return ' here: it belongs at the very beginning of a line'
  const place = PLACES_OF_PLUGS.find(({depth}) => depth === path.length)
  if (place && (path[0] ?? 'devices') === 'devices' && hasIdentity(value, 'devices'))
    return `: it looks like a plug: ${place.advice(path)}`
  const here = path.map((step, index) => (index === 1 && isOfMany(path) ? ANY_NAME : String(step)))
  const special = SPECIAL.get(here.join('.'))?.get(OTHER_NAMES.get(word(key)) ?? word(key))
  if (special !== undefined) return special
  const exact = closest(pathsCalled(word(key)), here)
  if (exact) return placed(exact, here, value)
  const near = suggestion(key, known)
  if (near !== '') return near
  const similar = settingLike(word(key), here)
  return similar ? placed(similar, here, value) : ''
}

/** Where plugs are written by mistake, by how many keys are around them. */
const PLACES_OF_PLUGS: readonly {depth: number; advice: (path: YamlPath) => string}[] = [
  {depth: 0, advice: () => 'indent it below `devices:`'},
  {depth: 2, advice: ([, name = '']) => `begin it in the same column as "${redactedKey(name)}"`},
]

/** What a plug or group has, and no other section, so that it is told from one. */
const IDENTITY = new Map([
  ['devices', {one: 'a plug', keys: ['host', 'id', 'token']}],
  ['groups', {one: 'a group', keys: ['members']}],
])

function hasIdentity(value: RawYaml | undefined, section: string): boolean {
  const {keys = []} = IDENTITY.get(section) ?? {}
  if (typeof value !== 'object' || Array.isArray(value)) return false
  return Object.keys(value).some((key) => keys.includes(intendedKeyAt(key, [section, ANY_NAME]) ?? ''))
}

/** Takes sections and settings of the bridge out of `devices` and `groups`, so that no rule takes them for a plug or group. */
export function removeMisplacedSections(read: RawYaml): {path: YamlPath; message: string}[] {
  if (typeof read !== 'object' || Array.isArray(read)) return []
  return [...IDENTITY].flatMap(([section, {one}]) => {
    const named = read[section]
    if (typeof named !== 'object' || Array.isArray(named)) return []
    const strays = keysAt([]).filter((key) => isStray(key, named[key], section))
    for (const key of strays) delete named[key]
    return strays.map((key) => ({
      path: [section, key],
      message: `expected the name of ${one}, got \`${key}\`, which belongs at the very beginning of a line`,
    }))
  })
}

function isStray(key: string, value: RawYaml | undefined, section: string): boolean {
  if (typeof value === 'string') return keysAt([key]).length === 0
  return value !== undefined && !Array.isArray(value) && !hasIdentity(value, section)
}

/** Whether the path is of one of many plugs or groups. */
function isOfMany(path: YamlPath): boolean {
  return keysAt(path.slice(0, 1)).includes(ANY_NAME)
}

const OTHER_NAMES = new Map([
  ['friendly_name', 'name'],
  ['label', 'name'],
  ['mac_address', 'mac'],
])

/** `pollInterval`, `poll-interval` and `poll.interval` are `poll_interval`. */
function word(key: string): string {
  return key
    .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
    .toLowerCase()
    .replace(/[-. ]+/g, '_')
}

/** The setting that was meant by `name`, in the mapping at `path` or, at the top, wherever it is. */
export function intendedSetting(name: string, path: readonly string[]): string[] | undefined {
  const here = intendedKey(name, keysAt(path))
  if (here !== undefined) return [...path, here]
  if (path.length > 0) return undefined
  return closest(pathsCalled(name), []) ?? settingLike(name, [])
}

/** Where the setting at `found` is written, as seen from `here`. */
function placed(found: readonly string[], here: readonly string[], value: RawYaml | undefined): string {
  const isInside = here.length > 0 && here.every((step, index) => found[index] === step)
  if (isInside) return `, did you mean \`${written(found, here.length, value)}\`?`
  if (here.length > 2 && found.length === 3 && found[0] === here[0])
    return `: it belongs to the plug itself, beside its token: \`${written(found, 2, value)}\``
  if (found[1] === ANY_NAME) {
    const kind = found[0] === 'groups' ? 'a group' : 'a plug'
    return `: it belongs to ${kind}, below \`${found[0]}\` and its name: \`${written(found, 2, value)}\``
  }
  return `, did you mean \`${written(found, 0, value)}\` at the very beginning of a line?`
}

/** The settings that are called so, with or without the sections they are in: `interval`, `poll_interval`. */
function pathsCalled(name: string): string[][] {
  return listPaths().filter((path) => namesOf(path).includes(name))
}

/** The setting that other programs call so, or whose name is spelled nearly so. */
function settingLike(name: string, here: readonly string[]): string[] | undefined {
  const foreign = FOREIGN.get(name)
  if (foreign)
    return closest(
      listPaths().filter((path) => endsWith(path, foreign)),
      here,
    )
  const joined = listPaths().flatMap((path) => namesOf(path).filter((each) => each.includes('_')))
  const similar = closestKey(name, joined)
  return similar === undefined ? undefined : closest(pathsCalled(similar), here)
}

function endsWith(path: readonly string[], end: readonly string[]): boolean {
  return end.every((step, index) => path[path.length - end.length + index] === step)
}

/** `interval`, `poll_interval` … */
function namesOf(path: readonly string[]): string[] {
  const steps = path.filter((step) => step !== ANY_NAME)
  return steps.map((_, index) => steps.slice(index).join('_'))
}

/** The one that is the fewest levels away from where the key stands; one of the bridge before one of plugs. */
function closest(paths: readonly string[][], here: readonly string[]): string[] | undefined {
  const distance = (path: readonly string[]) => {
    const different = here.findIndex((step, index) => path[index] !== step)
    const common = different === -1 ? here.length : different
    return here.length + path.length - 2 * common + (path[1] === ANY_NAME ? 0.5 : 0)
  }
  return paths.toSorted((a, b) => distance(a) - distance(b))[0]
}

/** `poll: {interval: 5s}`: the setting from the `depth`th key on. */
function written(path: readonly string[], depth: number, value: RawYaml | undefined): string {
  const [last = '', ...around] = path.slice(depth).toReversed()
  const schema = schemaAt(path)
  const form = keysAt(path).length > 0 ? '{…}' : '…'
  const shown = typeof value === 'string' && schema && fits(schema, value) ? plain(value) : form
  return around.reduce(
    (inside, key) => `${key === ANY_NAME ? 'power' : key}: {${inside}}`,
    `${last}: ${shown}`,
  )
}

/** How what stands at `path` is written, where something of another kind was. @param expected by the schema */
export function formHint(expected: string, path: YamlPath, value: RawYaml | undefined): string {
  const name = redactedKey(path.at(-1) ?? '')
  if (expected === 'array') return listAdvice(name, value)
  if (expected === 'string' && name === 'password') return ': text that starts with "[" or "{" needs quotes'
  if (expected === 'string') return Array.isArray(value) ? ': write it without "- " and brackets' : ''
  const [, glued] = (typeof value === 'string' && /^([a-z_]+):\S/.exec(value)) || []
  if (glued !== undefined && keysAt(path).includes(glued)) return `: a space is missing after \`${glued}:\``
  const fixed = FORMS.get(
    path.map((step, index) => (index === 1 && isOfMany(path) ? ANY_NAME : step)).join('.'),
  )
  if (fixed !== undefined) return `: ${fixed(name, value)}`
  const keys = keysAt(path).filter((key) => key !== ANY_NAME)
  if (path.length === 0 || keys.length === 0) return ''
  if (Array.isArray(value)) return `: write its settings without "- ": \`${name}: {${keys[0]}: …}\``
  const [key = '', shown] = memberFor(value, path, keys)
  return `: write it as \`${name}: {${key}: ${shown}}\``
}

const DASH = (value: RawYaml | undefined) => (Array.isArray(value) ? ' in place of "- "' : '')

const FORMS = new Map<string, (name: string, value: RawYaml | undefined) => string>([
  ['devices', (_, value) => `name each plug${DASH(value)}: \`desk: {host: …, token: …}\``],
  ['groups', (_, value) => `name each group${DASH(value)}: \`evening: {members: […]}\``],
  [
    `devices.${ANY_NAME}`,
    (name) =>
      keysAt(['devices', ANY_NAME]).includes(name)
        ? 'indent it further than the name of its plug'
        : `write it as \`${name}: {host: …, token: …}\``,
  ],
  [`groups.${ANY_NAME}`, (name, value) => `write it as \`${name}: {members: [${shownMembers(value)}]}\``],
  [`devices.${ANY_NAME}.properties`, () => 'write it as `properties: {power: {scale: …}}`'],
  [`devices.${ANY_NAME}.homeassistant.entities`, () => 'write it as `entities: {led: {name: …}}`'],
])

/** The setting of a mapping that a single value in its place was meant for, and the value as it may be shown. */
function memberFor(
  value: RawYaml | undefined,
  path: YamlPath,
  keys: readonly string[],
): [key: string | undefined, shown: string] {
  const text = typeof value === 'string' ? value : ''
  const found = keys.find((key) => {
    const schema = schemaAt([...path, key])
    return schema !== undefined && (schema.type !== 'boolean' || key === 'enabled') && fits(schema, text)
  })
  if (found !== undefined) return [found, plain(text)]
  return [keys.includes('name') ? 'name' : keys[0], '…']
}

const FLAGS = new Map([
  ['true', 'true'],
  ['yes', 'true'],
  ['on', 'true'],
  ['false', 'false'],
  ['no', 'false'],
  ['off', 'false'],
])

function plain(text: string): string {
  return FLAGS.get(text.toLowerCase()) ?? text
}

/** Whether the text is a value of the setting, and of a kind that is never secret. */
function fits(schema: JsonSchema, text: string): boolean {
  if (isDuration({path: [], schema})) return readDuration(text) > 0
  if (schema.type === 'boolean') return FLAGS.has(text.toLowerCase())
  return schema.enum?.some((value) => value === text) ?? false
}

function listAdvice(name: string, value: RawYaml | undefined): string {
  return `: write it as \`${name}: [${shownMembers(value)}]\``
}

/** What a list has in it that was written in another form. */
function shownMembers(value: RawYaml | undefined): string {
  const members =
    typeof value === 'string' ? [value] : Array.isArray(value) ? value : Object.keys(value ?? {})
  const shown = members.map((member) => (typeof member === 'string' && isPlain(member) ? member : '…'))
  return shown.join(', ') || '…'
}

function isPlain(text: string): boolean {
  return text !== '' && quoted(text) === `"${text}"`
}

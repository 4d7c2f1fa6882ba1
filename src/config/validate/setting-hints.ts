/**
 * Hints for an unknown key and for a value of the wrong form: the setting that was probably meant, where it belongs, and how it is
 * written.
 */
import {quoted} from '../../common/schema-errors.ts'
import {
  closestKey,
  intendedKey,
  keyFromOtherTools,
  suggestion,
  synonymTable,
} from '../../common/suggestion.ts'
import {redactedKey, type ValidationIssue} from '../config-error.ts'
import {isRawMapping, type RawYaml, type YamlPath} from '../read/yaml.ts'
import {readDuration} from '../schema/fields.ts'
import {ANY_NAME, isDuration, type JsonSchema, keysAt, listPaths, schemaAt} from '../schema/settings.ts'

/** Keys of other programs, by the setting that they mean wherever they stand. */
const OTHER_PROGRAMS = synonymTable({
  'mqtt.url': ['broker', 'server', 'mqtt_server', 'mqtt_host', 'mqtt_broker', 'mqtt_port'],
  'mqtt.username': ['mqtt_user', 'user'],
  'mqtt.password': ['mqtt_pass', 'pass'],
  'mqtt.base_topic': ['topic', 'prefix', 'topic_prefix', 'mqtt_topic', 'mqtt_prefix'],
  'homeassistant.enabled': ['discovery', 'homeassistant_discovery'],
  'homeassistant.discovery_prefix': ['discovery_topic', 'homeassistant_discovery_topic'],
  'homeassistant.status_topic': ['homeassistant_status_topic'],
  'log.level': ['debug', 'verbose', 'loglevel'],
  'log.format': ['log_output'],
  'poll.interval': ['scan_interval', 'update_interval', 'polling_interval', 'refresh_interval'],
  'poll.command_timeout': ['timeout'],
  state_dir: ['data_dir', 'data_path'],
  [`devices.${ANY_NAME}.host`]: ['ip', 'localip', 'local_ip'],
  [`devices.${ANY_NAME}.homeassistant.name`]: ['friendly_name'],
})

/** Other names for a key of `EXPLAINED`. */
const SYNONYMS = new Map([
  ['friendly_name', 'name'],
  ['label', 'name'],
  ['mac_address', 'mac'],
])

const MAC = ': a MAC address cannot be used; `id:` is the number that `miio2mqtt discover` shows'
const TLS =
  ': whether it is encrypted is in the address: `url: mqtts://…`, and `ca: !file …` where the broker has an own authority'
const TLS_KEYS = ['tls', 'ssl', 'use_tls', 'use_ssl', 'mqtt_tls', 'secure', 'encryption']

/** Hints for keys that people expect, and that stand for no setting, by their path. */
const EXPLAINED: ReadonlyMap<string, string> = new Map([
  ...TLS_KEYS.flatMap((key): [string, string][] => [
    [key, TLS],
    [`mqtt.${key}`, TLS],
  ]),
  ['mac', MAC],
  [`devices.${ANY_NAME}.mac`, MAC],
  [
    `devices.${ANY_NAME}.name`,
    ': the name of a plug is the key above its settings; another one for Home Assistant is `homeassistant: {name: …}`',
  ],
  [`groups.${ANY_NAME}.name`, ': the name of a group is the key above its settings'],
])

/** The setting that `key`, unknown in the mapping at `path`, was meant for there. Then that setting is not reported as missing. */
export function intendedKeyAt(key: string, path: YamlPath): string | undefined {
  const word = wordOf(key)
  if (word === 'mac' || SYNONYMS.get(word) === 'mac') return 'id'
  return intendedKey(key, keysAt(path))
}

/** The hint for `key`, which is unknown in the mapping at `path`, to stand behind `unknown key`. Empty when there is none. */
export function keyHint(key: string, path: YamlPath, value: RawYaml | undefined): string {
  if (key.startsWith('//')) return ': "//" does not begin a comment: use "#"'
  const known = keysAt(path)
  const word = wordOf(key)
  if (known.includes(word)) return `, did you mean "${word}"?`
  if (keyFromOtherTools(key, known) !== undefined) return suggestion(key, known)
  if (path.length > 0 && keysAt([]).includes(key)) return ' here: it belongs at the very beginning of a line'
  const [section, name = ''] = path
  if (path.length === 0 && hasIdentity(value, 'devices'))
    return ': it looks like a plug: indent it below `devices:`'
  if (path.length === 2 && section === 'devices' && hasIdentity(value, 'devices'))
    return `: it looks like a plug: begin it in the same column as "${redactedKey(name)}"`
  const here = genericPath(path)
  const explained = EXPLAINED.get([...here, SYNONYMS.get(word) ?? word].join('.'))
  if (explained !== undefined) return explained
  const exact = nearest(pathsCalled(word), here)
  if (exact) return placeHint(exact, here, value)
  const similar = suggestion(key, known)
  if (similar !== '') return similar
  const elsewhere = similarSetting(word, here)
  return elsewhere ? placeHint(elsewhere, here, value) : ''
}

/** Keys that only a plug or a group has. */
const IDENTITY = new Map([
  ['devices', {one: 'a plug', keys: ['host', 'id', 'token']}],
  ['groups', {one: 'a group', keys: ['members']}],
])

function hasIdentity(value: RawYaml | undefined, section: string): boolean {
  const {keys = []} = IDENTITY.get(section) ?? {}
  return Object.keys(isRawMapping(value) ? value : {}).some((key) =>
    keys.includes(intendedKeyAt(key, [section, ANY_NAME]) ?? ''),
  )
}

/** Removes sections and settings of the bridge from `devices` and `groups`, and reports them: no rule may take them for a plug or group. */
export function removeMisplacedSections(read: RawYaml): ValidationIssue[] {
  if (!isRawMapping(read)) return []
  return [...IDENTITY].flatMap(([section, {one}]) => {
    const named = read[section]
    if (!isRawMapping(named)) return []
    const misplaced = keysAt([]).filter((key) => {
      const value = named[key]
      if (typeof value === 'string') return keysAt([key]).length === 0
      return value !== undefined && !Array.isArray(value) && !hasIdentity(value, section)
    })
    for (const key of misplaced) delete named[key]
    return misplaced.map((key) => ({
      path: [section, key],
      message: `expected the name of ${one}, got \`${key}\`, which belongs at the very beginning of a line`,
    }))
  })
}

/** The path with `<name>` in place of the name of a plug or group. */
function genericPath(path: YamlPath): string[] {
  const isNamed = keysAt(path.slice(0, 1)).includes(ANY_NAME)
  return path.map((step, index) => (index === 1 && isNamed ? ANY_NAME : String(step)))
}

/** `pollInterval`, `poll-interval` and `poll.interval` are `poll_interval`. */
function wordOf(key: string): string {
  return key
    .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
    .toLowerCase()
    .replace(/[-. ]+/g, '_')
}

/** The setting that was probably meant by `name`, in the mapping at `path` or, at the top, wherever it is. */
export function intendedSetting(name: string, path: readonly string[]): string[] | undefined {
  const here = intendedKey(name, keysAt(path))
  if (here !== undefined) return [...path, here]
  if (path.length > 0) return undefined
  return nearest(pathsCalled(name), []) ?? similarSetting(name, [])
}

/** How the setting at `found` is written, and where, as seen from `here`. */
function placeHint(found: readonly string[], here: readonly string[], value: RawYaml | undefined): string {
  const isInside = here.length > 0 && here.every((step, index) => found[index] === step)
  if (isInside) return `, did you mean \`${example(found, here.length, value)}\`?`
  if (here.length > 2 && found.length === 3 && found[0] === here[0])
    return `: it belongs to the plug itself, beside its token: \`${example(found, 2, value)}\``
  if (found[1] === ANY_NAME) {
    const kind = found[0] === 'groups' ? 'a group' : 'a plug'
    return `: it belongs to ${kind}, below \`${found[0]}\` and its name: \`${example(found, 2, value)}\``
  }
  return `, did you mean \`${example(found, 0, value)}\` at the very beginning of a line?`
}

/** The settings with this name, with or without their sections: `interval`, `poll_interval`. */
function pathsCalled(name: string): string[][] {
  return listPaths().filter((path) => namesOf(path).includes(name))
}

/** The setting that other programs call `name`, or whose name together with its section is spelled nearly so. */
function similarSetting(name: string, here: readonly string[]): string[] | undefined {
  const [other] = OTHER_PROGRAMS.get(name) ?? []
  if (other !== undefined) {
    const paths = listPaths().filter((path) => `.${path.join('.')}`.endsWith(`.${other}`))
    return nearest(paths, here)
  }
  const joined = listPaths().flatMap((path) => namesOf(path).filter((each) => each.includes('_')))
  const similar = closestKey(name, joined)
  return similar === undefined ? undefined : nearest(pathsCalled(similar), here)
}

/** `poll_interval` and `interval`: the key of a setting behind all, some or none of its sections. */
function namesOf(path: readonly string[]): string[] {
  const steps = path.filter((step) => step !== ANY_NAME)
  return steps.map((_, index) => steps.slice(index).join('_'))
}

/** The path with the fewest levels between it and `here`. Settings of the bridge come before those of plugs. */
function nearest(paths: readonly string[][], here: readonly string[]): string[] | undefined {
  const distance = (path: readonly string[]) => {
    const different = here.findIndex((step, index) => path[index] !== step)
    const common = different === -1 ? here.length : different
    return here.length + path.length - 2 * common + (path[1] === ANY_NAME ? 0.5 : 0)
  }
  return paths.toSorted((a, b) => distance(a) - distance(b))[0]
}

/** `poll: {interval: 5s}`: the setting as it is written, without its first `depth` keys. */
function example(path: readonly string[], depth: number, value: RawYaml | undefined): string {
  const [last = '', ...outer] = path.slice(depth).toReversed()
  const schema = schemaAt(path)
  const form = keysAt(path).length > 0 ? '{…}' : '…'
  const shown = typeof value === 'string' && schema && fits(schema, value) ? normalizedFlag(value) : form
  return outer.reduce(
    (inside, key) => `${key === ANY_NAME ? 'power' : key}: {${inside}}`,
    `${last}: ${shown}`,
  )
}

/** The hint for a value of the wrong kind at `path`, to stand behind the error. @param expected the kind, as zod names it */
export function formHint(expected: string, path: YamlPath, value: RawYaml | undefined): string {
  const name = redactedKey(path.at(-1) ?? '')
  if (expected === 'array') return `: write it as \`${name}: [${shownMembers(value)}]\``
  if (expected === 'string' && name === 'password') return ': text that starts with "[" or "{" needs quotes'
  if (expected === 'string') return Array.isArray(value) ? ': write it without "- " and brackets' : ''
  const [, joinedKey] = (typeof value === 'string' && /^([a-z_]+):\S/.exec(value)) || []
  if (joinedKey !== undefined && keysAt(path).includes(joinedKey))
    return `: a space is missing after \`${joinedKey}:\``
  const hint = FORMS.get(genericPath(path).join('.'))
  if (hint !== undefined) return `: ${hint(name, value)}`
  const keys = keysAt(path).filter((key) => key !== ANY_NAME)
  if (path.length === 0 || keys.length === 0) return ''
  if (Array.isArray(value)) return `: write its settings without "- ": \`${name}: {${keys[0]}: …}\``
  // The setting that a single value in the place of the mapping was meant for, and the value as an error may show it.
  const text = typeof value === 'string' ? value : ''
  const meant = keys.find((key) => {
    const schema = schemaAt([...path, key])
    return schema !== undefined && (schema.type !== 'boolean' || key === 'enabled') && fits(schema, text)
  })
  const [key, shown] =
    meant === undefined ? [keys.includes('name') ? 'name' : keys[0], '…'] : [meant, normalizedFlag(text)]
  return `: write it as \`${name}: {${key}: ${shown}}\``
}

/** Hints for single mappings, by their path. */
const FORMS = new Map<string, (name: string, value: RawYaml | undefined) => string>([
  ['devices', (_, value) => `name each plug${insteadOfDash(value)}: \`desk: {host: …, token: …}\``],
  ['groups', (_, value) => `name each group${insteadOfDash(value)}: \`evening: {members: […]}\``],
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

function insteadOfDash(value: RawYaml | undefined): string {
  return Array.isArray(value) ? ' in place of "- "' : ''
}

const FLAGS = synonymTable({true: ['true', 'yes', 'on'], false: ['false', 'no', 'off']})

/** `true` for `yes` and `on`, `false` for `no` and `off`. Any other text stays. */
function normalizedFlag(text: string): string {
  return FLAGS.get(text.toLowerCase())?.[0] ?? text
}

/** Whether the text is a value of the setting, and the setting is of a kind that is never secret. */
function fits(schema: JsonSchema, text: string): boolean {
  if (isDuration(schema)) return readDuration(text) > 0
  if (schema.type === 'boolean') return FLAGS.has(text.toLowerCase())
  return schema.enum?.some((value) => value === text) ?? false
}

/** The members of a list that was written in another form. `…` stands for one that may be secret, or is no text. */
function shownMembers(value: RawYaml | undefined): string {
  const members =
    typeof value === 'string' ? [value] : Array.isArray(value) ? value : Object.keys(value ?? {})
  const isShowable = (text: string) => text !== '' && quoted(text) === `"${text}"`
  const shown = members.map((member) => (typeof member === 'string' && isShowable(member) ? member : '…'))
  return shown.join(', ') || '…'
}

/** Rules about the topics that are Home Assistant's: none of them may be a topic of the bridge itself. */
import {z} from 'zod'
import {quoted} from '../config-error.ts'
import type {RawYaml, YamlPath} from '../read/yaml.ts'
import {schemaAt} from '../schema/settings.ts'
import {TOPIC_WORDS} from './names.ts'
import type {ValidationIssue} from './plugs-and-groups.ts'

const names = z.record(z.string(), z.unknown()).catch({})
const text = (...path: string[]) => z.string().catch(String(schemaAt(path)?.default))
const mqtt = z.object({base_topic: text('mqtt', 'base_topic')})
const homeassistant = z.object({
  discovery_prefix: text('homeassistant', 'discovery_prefix'),
  status_topic: text('homeassistant', 'status_topic'),
})
/** What is not understood here, the schema complains of. */
const written = z.object({
  mqtt: mqtt.catch(mqtt.parse({})),
  homeassistant: homeassistant.catch(homeassistant.parse({})),
  devices: names,
  groups: names,
})

export function validateHomeAssistantTopics(read: RawYaml | undefined): ValidationIssue[] {
  const {mqtt, homeassistant, devices, groups} = written.catch(written.parse({})).parse(read)
  const named = new Set([...Object.keys(devices), ...Object.keys(groups)])
  return Object.entries(homeassistant).flatMap(([setting, topic]) => {
    const isStatus = setting === 'status_topic'
    const owner =
      isStatus && isAnnouncement(topic, homeassistant.discovery_prefix)
        ? 'where devices are announced'
        : ownerOf(topic, mqtt.base_topic, named, isStatus)
    const path: YamlPath = ['homeassistant', setting]
    return owner === undefined
      ? []
      : [{path, message: `expected a topic of Home Assistant, got ${quoted(topic)}, which is ${owner}`}]
  })
}

function isAnnouncement(topic: string, prefix: string): boolean {
  return topic.startsWith(`${prefix}/device/`) && topic.endsWith('/config')
}

/** Whose topic it is, if the bridge publishes there or takes commands. @param named plugs and groups */
function ownerOf(
  topic: string,
  base: string,
  named: ReadonlySet<string>,
  isTopic: boolean,
): string | undefined {
  if (topic === base && isTopic) return 'where all topics of the bridge begin (mqtt.base_topic)'
  if (!topic.startsWith(`${base}/`)) return undefined
  const levels = topic.slice(base.length + 1).split('/')
  if (levels[0] === 'bridge') return 'a topic of the bridge itself'
  const name = levels.map((_, index) => levels.slice(0, index + 1).join('/')).find((each) => named.has(each))
  if (name !== undefined) return `a topic of ${quoted(name)}`
  return levels.slice(1).some((level) => TOPIC_WORDS.has(level))
    ? 'where plugs take commands and answer'
    : undefined
}

/** Rules about topics: no name or setting may be a topic that something else has already. They read the values as they were written. */

import {isKnownPropertyName} from '../../models/builder-table.ts'
import type {Model} from '../../models/model.ts'
import {quoted, type ValidationIssue} from '../config-error.ts'
import {mappingAt, type RawMapping, type RawYaml, textAt, type YamlPath} from '../read/yaml.ts'
import {schemaAt} from '../schema/settings.ts'
import {TOPIC_WORDS} from './names.ts'

/** @returns the value that counts: the default in place of an invalid value, which the schema reports */
function setting(read: RawYaml | undefined, path: YamlPath): string {
  return textAt(read, path) ?? String(schemaAt(path)?.default)
}

/**
 * Problems of topics.
 * @param ownModels the user's own definitions, which may have properties that no built-in model has
 */
export function validateTopics(read: RawYaml | undefined, ownModels: readonly Model[]): ValidationIssue[] {
  const named = {devices: mappingAt(read, ['devices']), groups: mappingAt(read, ['groups'])}
  return [...homeAssistantTopicIssues(read, named), ...attributeTopicIssues(read, named, ownModels)]
}

/** Plugs and groups by name. */
type Named = Record<'devices' | 'groups', RawMapping>

/** The topics of Home Assistant may not be topics of the bridge. */
function homeAssistantTopicIssues(read: RawYaml | undefined, {devices, groups}: Named): ValidationIssue[] {
  const named = new Set([...Object.keys(devices), ...Object.keys(groups)])
  const prefix = setting(read, ['homeassistant', 'discovery_prefix'])
  return ['discovery_prefix', 'status_topic'].flatMap((key) => {
    const path = ['homeassistant', key]
    const topic = setting(read, path)
    const isStatus = key === 'status_topic'
    const owner =
      isStatus && isDiscoveryTopic(topic, prefix)
        ? 'where devices are announced'
        : topicOwner(topic, setting(read, ['mqtt', 'base_topic']), named, isStatus)
    const message = `expected a topic of Home Assistant, got ${quoted(topic)}, which is ${owner}`
    return owner === undefined ? [] : [{path, message}]
  })
}

function isDiscoveryTopic(topic: string, prefix: string): boolean {
  return topic.startsWith(`${prefix}/device/`) && topic.endsWith('/config')
}

/**
 * The use of a topic on which the bridge publishes or takes commands; `undefined` for any other.
 * @param named the names of plugs and groups
 * @param isWhole whether `topic` is a topic itself, and not only the beginning of topics
 */
function topicOwner(
  topic: string,
  base: string,
  named: ReadonlySet<string>,
  isWhole: boolean,
): string | undefined {
  if (topic === base && isWhole) return 'where all topics of the bridge begin (mqtt.base_topic)'
  if (!topic.startsWith(`${base}/`)) return undefined
  const levels = topic.slice(base.length + 1).split('/')
  if (levels[0] === 'bridge') return 'a topic of the bridge itself'
  const name = levels.map((_, index) => levels.slice(0, index + 1).join('/')).find((each) => named.has(each))
  if (name !== undefined) return `a topic of ${quoted(name)}`
  return levels.slice(1).some((level) => TOPIC_WORDS.has(level))
    ? 'where plugs take commands and answer'
    : undefined
}

/** With `output: attribute_and_json`, `desk/led` is the topic of a value of the plug `desk`, and cannot be the name of a plug or group. */
function attributeTopicIssues(
  read: RawYaml | undefined,
  {devices, groups}: Named,
  ownModels: readonly Model[],
): ValidationIssue[] {
  if (setting(read, ['mqtt', 'output']) !== 'attribute_and_json') return []
  const ownProperties = new Set(ownModels.flatMap(({properties}) => Object.keys(properties)))
  const isProperty = (level: string) => isKnownPropertyName(level) || ownProperties.has(level)
  return Object.entries({devices, groups}).flatMap(([section, members]) =>
    Object.keys(members).flatMap((name) => {
      const [, plug, property] = /^(.+)\/([^/]+)$/.exec(name) ?? []
      if (plug === undefined || property === undefined) return []
      if (!Object.hasOwn(devices, plug) || !isProperty(property)) return []
      const message = `expected another name: with mqtt.output: attribute_and_json this is the topic of ${property} of the plug ${quoted(plug)}`
      return [{path: [section, name], message}]
    }),
  )
}

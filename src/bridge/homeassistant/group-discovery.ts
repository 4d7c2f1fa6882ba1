/** The discovery message of a group: a Home Assistant device with one switch, like that of a plug. */
import type {Topics} from '../../mqtt/topics.ts'
import {
  availabilityOf,
  bridgeAvailability,
  bridgeId,
  type DiscoveryContext,
  type DiscoveryPayload,
  digest,
  displayName,
  origin,
  slug,
} from './discovery-message.ts'

interface GroupDisplay {
  name: string
  area?: string
  icon?: string
}

/**
 * The id is made of the topic of the group: nothing else of a group is permanent, and no other bridge at this broker has the same topic.
 */
export function groupId(name: string, topics: Topics): string {
  const parts = ['miio2mqtt_group', slug(name), digest(topics.state(name)).slice(0, 8)]
  return parts.filter((part) => part !== '').join('_')
}

/** The discovery message of a group. */
export function groupDiscovery(
  {name, area, icon}: GroupDisplay,
  {topics, version}: DiscoveryContext,
): DiscoveryPayload {
  const id = groupId(name, topics)
  return {
    device: {
      identifiers: [id],
      name: displayName(name),
      manufacturer: 'miio2mqtt',
      model: 'Group',
      ...(area ? {suggested_area: area} : {}),
      via_device: bridgeId(topics.base),
    },
    origin: origin(version),
    state_topic: topics.state(name),
    availability: [bridgeAvailability(topics), availabilityOf(name, topics)],
    availability_mode: 'all',
    qos: 1,
    components: {
      state: {
        platform: 'switch',
        unique_id: `${id}_state`,
        default_entity_id: `switch.${slug(name) || id}`,
        name: null,
        value_template: '{{ value_json.state }}',
        command_topic: topics.set(name, 'state'),
        ...(icon ? {icon} : {}),
      },
    },
  }
}

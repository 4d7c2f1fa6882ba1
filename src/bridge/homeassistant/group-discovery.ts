/** A group as Home Assistant sees it: a device with one switch, as a plug has it. */
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

/** What of a group shows. */
interface GroupLook {
  name: string
  area?: string
  icon?: string
}

/** A group is its topic: it has nothing else that stays, and no other bridge at this broker has the same. */
export function groupId(name: string, topics: Topics): string {
  const parts = ['miio2mqtt_group', slug(name), digest(topics.state(name)).slice(0, 8)]
  return parts.filter((part) => part !== '').join('_')
}

/** The message about a group. */
export function groupDiscovery(
  {name, area, icon}: GroupLook,
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

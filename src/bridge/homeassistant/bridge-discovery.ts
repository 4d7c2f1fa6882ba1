/**
 * The discovery messages of the bridge (the Home Assistant device that plugs are connected via, with connection, version, log level and
 * buttons) and of groups (a device with one switch, like that of a plug).
 */
import type {Topics} from '../../mqtt/topics.ts'
import type {Group} from '../group.ts'
import {logLevels} from '../requests/bridge-actions.ts'
import {
  availabilityOf,
  bridgeAvailability,
  bridgeId,
  type DeviceDiscovery,
  type DiscoveryComponent,
  type DiscoveryContext,
  type DiscoveryPayload,
  digest,
  displayName,
  origin,
  slug,
} from './discovery-message.ts'

/** The discovery message of the bridge. */
export function bridgeDiscovery({topics, version}: DiscoveryContext): DeviceDiscovery {
  const id = bridgeId(topics.base)
  const entity = (platform: string, key: string, name: string | undefined): DiscoveryComponent => ({
    platform,
    unique_id: `${id}_${key}`,
    default_entity_id: `${platform}.${slug(topics.base) || id}_${key}`,
    name,
  })
  const availability = [bridgeAvailability(topics)]
  const button = (verb: string, name?: string) => ({
    ...entity('button', verb, name),
    command_topic: topics.request(verb),
    payload_press: '{}',
    availability,
  })
  return {
    device: {
      identifiers: [id],
      name: topics.base === 'miio2mqtt' ? 'miio2mqtt' : `miio2mqtt (${topics.base})`,
      manufacturer: 'miio2mqtt',
      model: 'Bridge',
      sw_version: version,
    },
    origin: origin(version),
    components: {
      // Shows `off` while all other entities of the bridge are unavailable. So it has no availability.
      connection: {
        ...entity('binary_sensor', 'connection', 'Connection'),
        device_class: 'connectivity',
        entity_category: 'diagnostic',
        state_topic: topics.bridge('state'),
        value_template: '{{ value_json.state }}',
        payload_on: 'online',
        payload_off: 'offline',
      },
      version: {
        ...entity('sensor', 'version', 'Version'),
        entity_category: 'diagnostic',
        icon: 'mdi:tag',
        state_topic: topics.bridge('info'),
        value_template: '{{ value_json.version }}',
        availability,
      },
      log_level: {
        ...entity('select', 'log_level', 'Log level'),
        entity_category: 'config',
        icon: 'mdi:text-long',
        options: logLevels,
        state_topic: topics.bridge('info'),
        value_template: '{{ value_json.log_level }}',
        command_topic: topics.request('options'),
        command_template: '{"log_level":"{{ value }}"}',
        availability,
      },
      // Without a name: Home Assistant names it after its device class, in the user's language.
      restart: {...button('restart'), entity_category: 'config', device_class: 'restart'},
      discover: {
        ...button('discover', 'Discover plugs'),
        entity_category: 'diagnostic',
        icon: 'mdi:magnify',
      },
    },
  }
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
  {name, settings: {area, icon}}: Pick<Group, 'name' | 'settings'>,
  {topics, version}: DiscoveryContext,
): DiscoveryPayload {
  const id = groupId(name, topics)
  return {
    device: {
      identifiers: [id],
      name: displayName(name),
      manufacturer: 'miio2mqtt',
      model: 'Group',
      suggested_area: area || undefined,
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
        icon: icon || undefined,
      },
    },
  }
}

/** The bridge as Home Assistant sees it: a device that all plugs hang on, with what a person may want to know or do. */
import type {Topics} from '../../mqtt/topics.ts'
import {logLevels} from '../requests/bridge-actions.ts'
import {
  bridgeAvailability,
  bridgeId,
  type Component,
  type DeviceDiscovery,
  type DiscoveryContext,
  type DiscoveryPayload,
  origin,
  slug,
} from './discovery-message.ts'

/** The message about the bridge. */
export function bridgeDiscovery({topics, version}: DiscoveryContext): DeviceDiscovery {
  return {
    device: {
      identifiers: [bridgeId(topics.base)],
      name: topics.base === 'miio2mqtt' ? 'miio2mqtt' : `miio2mqtt (${topics.base})`,
      manufacturer: 'miio2mqtt',
      model: 'Bridge',
      sw_version: version,
    },
    origin: origin(version),
    components: {
      connection: bridgeConnection(topics),
      version: bridgeVersion(topics),
      log_level: bridgeLogLevel(topics),
      // Without a name: that of its class is the same, and in the language of its owner.
      restart: bridgeButton('restart', undefined, topics, {
        entity_category: 'config',
        device_class: 'restart',
      }),
      discover: bridgeButton('discover', 'Discover plugs', topics, {
        entity_category: 'diagnostic',
        icon: 'mdi:magnify',
      }),
    },
  }
}

/** Shows `off` while everything else of the bridge is unavailable: so it has no availability of its own. */
function bridgeConnection(topics: Topics): Component {
  return {
    ...bridgeEntity('binary_sensor', 'connection', 'Connection', topics),
    device_class: 'connectivity',
    entity_category: 'diagnostic',
    state_topic: topics.bridge('state'),
    value_template: '{{ value_json.state }}',
    payload_on: 'online',
    payload_off: 'offline',
  }
}

function bridgeVersion(topics: Topics): Component {
  return {
    ...bridgeEntity('sensor', 'version', 'Version', topics),
    entity_category: 'diagnostic',
    icon: 'mdi:tag',
    state_topic: topics.bridge('info'),
    value_template: '{{ value_json.version }}',
    availability: [bridgeAvailability(topics)],
  }
}

function bridgeLogLevel(topics: Topics): Component {
  return {
    ...bridgeEntity('select', 'log_level', 'Log level', topics),
    entity_category: 'config',
    icon: 'mdi:text-long',
    options: logLevels,
    state_topic: topics.bridge('info'),
    value_template: '{{ value_json.log_level }}',
    command_topic: topics.request('options'),
    command_template: '{"log_level":"{{ value }}"}',
    availability: [bridgeAvailability(topics)],
  }
}

/** Sends the request of the same name. */
function bridgeButton(
  verb: string,
  name: string | undefined,
  topics: Topics,
  look: DiscoveryPayload,
): Component {
  return {
    ...bridgeEntity('button', verb, name, topics),
    ...look,
    command_topic: topics.request(verb),
    payload_press: '{}',
    availability: [bridgeAvailability(topics)],
  }
}

function bridgeEntity(platform: string, key: string, name: string | undefined, {base}: Topics) {
  return {
    platform,
    unique_id: `${bridgeId(base)}_${key}`,
    default_entity_id: `${platform}.${slug(base) || bridgeId(base)}_${key}`,
    ...(name === undefined ? {} : {name}),
  }
}

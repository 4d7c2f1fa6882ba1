/** A configured plug as the bridge and its parts see it: names, identity, display options and the running device. */
import {joinWithOr} from '../common/schema-errors.ts'
import {didYouMean} from '../common/suggestion.ts'
import {misspelledProperty} from '../device/codec/validation.ts'
import {CommandError} from '../device/command-error.ts'
import type {Device} from '../device/device.ts'
import type {Model} from '../models/model.ts'

/** A plug as the user configured it. It never shows a packet or a token to the bridge. */
export interface Plug {
  readonly name: string
  /** The protocol session: request queue, state, availability. */
  readonly device: Device
  /** The miIO device id, which stays whatever the plug is called and whatever its address is. `undefined` until the first response. */
  readonly did: number | undefined
  /** Where the last response came from, or the plug is expected. */
  readonly address: string | undefined
  readonly disabled: boolean
  /** The name of another configured plug with the same device id. Then this one is not polled and takes no commands. */
  readonly duplicateOf?: string | undefined
  readonly description: string | undefined
  readonly area: string | undefined
  readonly icon: string | undefined
  readonly display: DisplayOptions
  /** How long a command to the plug lives, milliseconds. */
  readonly commandTimeout: number
  /** When the last response arrived, on the clock. */
  readonly lastResponseAt: number | undefined
  /** Whether its last poll failed. */
  readonly isFailing: boolean
  statistics(): PlugStatistics
}

/** A plug in log lines: `desk (192.168.1.40)`; its name alone while no address is known. */
export function plugLabel({name, address}: Pick<Plug, 'name' | 'address'>): string {
  return address === undefined ? name : `${name} (${address})`
}

/** Whether the plug is polled and takes commands: it is neither disabled nor a duplicate of another configured plug. */
export function isInUse({disabled, duplicateOf}: Pick<Plug, 'disabled' | 'duplicateOf'>): boolean {
  return !disabled && duplicateOf === undefined
}

/** @throws CommandError `disabled` or `duplicate` for a plug that is not in use */
export function assertUsable({
  name,
  disabled,
  duplicateOf,
}: Pick<Plug, 'name' | 'disabled' | 'duplicateOf'>): void {
  if (disabled) throw new CommandError('disabled', `${name} is disabled in the configuration`)
  if (duplicateOf !== undefined)
    throw new CommandError(
      'duplicate',
      `${name} is the same plug as ${duplicateOf}: send commands to that one`,
    )
}

/** How a plug is published, where that differs from the settings for all plugs. */
export interface DisplayOptions {
  /** MQTT quality of service of its state; as for all plugs when missing. */
  readonly qos?: 0 | 1 | undefined
  /** Whether its state is retained; as for all plugs when missing. */
  readonly retain?: boolean | undefined
  /** Properties that are not published. They can still be set, and read by name. */
  readonly filtered?: readonly string[] | undefined
  readonly homeassistant?: HomeAssistantDisplay | undefined
}

interface HomeAssistantDisplay {
  /** Whether the plug is announced to Home Assistant. */
  readonly enabled: boolean
  /** The name of the device in Home Assistant, in place of the plug's own name. */
  readonly name?: string
  /** By property. */
  readonly entities?: Readonly<Record<string, EntityOverrides>>
}

export interface EntityOverrides {
  readonly name?: string
  readonly icon?: string
  /** Whether the entity is enabled from the start in Home Assistant. */
  readonly enabled?: boolean
  /** Only for a switch. */
  readonly device_class?: 'switch' | 'outlet'
}

/**
 * @returns warnings about properties that the display options name and the model does not have, each to follow `devices.<name>: ignored `
 */
export function unknownDisplayProperties(
  {filtered = [], homeassistant}: DisplayOptions,
  {name, properties}: Model,
): string[] {
  const entities = Object.entries(homeassistant?.entities ?? {})
  const has = Object.keys(properties)
  const unknown = [
    ...filtered.map((property) => ({property, setting: `filtered: ${property}`})),
    ...entities.map(([property]) => ({property, setting: `homeassistant.entities.${property}`})),
  ].filter(({property}) => !has.includes(property))
  const settings = unknown.map(({setting}) => setting)
  const suggestions = unknown.flatMap(({property}) => misspelledProperty(property, has) ?? [])
  const hint = didYouMean(suggestions.length > 0 ? joinWithOr([...new Set(suggestions)]) : undefined)
  const classes = entities.filter(
    ([property, overrides]) =>
      overrides.device_class && (properties[property]?.kind ?? 'switch') !== 'switch',
  )
  return [
    ...(settings.length > 0 ? [`${settings.join(', ')}: ${name} has only ${has.join(', ')}${hint}`] : []),
    ...classes.map(([property]) => `homeassistant.entities.${property}.device_class: it is no switch`),
  ]
}

/** Requests to one plug, counted since the start of the bridge. */
export interface PlugStatistics {
  requests: number
  timeouts: number
  retries: number
  /** Response times, milliseconds; `null` before the first response. */
  latency_p50: number | null
  latency_p95: number | null
}

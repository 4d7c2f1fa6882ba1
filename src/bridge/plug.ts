import {joinWithOr} from '../common/schema-errors.ts'
import {didYouMean} from '../common/suggestion.ts'
import {misspelledProperty} from '../device/codec/unknown-property.ts'
import {CommandError} from '../device/command-error.ts'
import type {Device} from '../device/device.ts'
import type {Model} from '../models/model.ts'

/** A configured plug as the bridge sees it: never a packet or a token. */
export interface Plug {
  readonly name: string
  readonly device: Device
  /** Its miIO device id: what it is, whatever it is called and wherever it lives. `undefined` until it answered once. */
  readonly did: number | undefined
  /** Where it was last heard, or is expected. */
  readonly address: string | undefined
  readonly disabled: boolean
  /** The name of the plug that is the same device: this one is left alone. */
  readonly duplicateOf?: string | undefined
  readonly description: string | undefined
  readonly area: string | undefined
  readonly icon: string | undefined
  readonly display: DisplayOptions
  /** How long a command for it lives, milliseconds. */
  readonly commandTimeout: number
  /** When it last answered, on the clock. */
  readonly lastResponseAt: number | undefined
  /** Whether its last poll failed. */
  readonly isFailing: boolean
  statistics(): PlugStatistics
}

/** @throws CommandError for a plug that is left alone */
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

/** How a plug is shown, where its owner wants it otherwise than all are. */
export interface DisplayOptions {
  /** Of its state; that of all plugs unless told. */
  readonly qos?: 0 | 1 | undefined
  /** Whether the broker keeps its state; as for all plugs unless told. */
  readonly retain?: boolean | undefined
  /** Properties that are shown nowhere. They can still be set, and read by name. */
  readonly filtered?: readonly string[] | undefined
  readonly homeassistant?: HomeAssistantDisplay | undefined
}

export interface HomeAssistantDisplay {
  /** Whether Home Assistant is told of it at all. */
  readonly enabled: boolean
  /** Of the device, in place of the plug's own name. */
  readonly name?: string
  /** By property. */
  readonly entities?: Readonly<Record<string, EntityOverrides>>
}

export interface EntityOverrides {
  readonly name?: string
  readonly icon?: string
  /** Whether the entity is there without anybody enabling it. */
  readonly enabled?: boolean
  /** Of a switch. */
  readonly device_class?: 'switch' | 'outlet'
}

/** What the model of the plug has not got, and is named all the same: setting by setting, for a person. */
export function unknownDisplayProperties(
  {filtered = [], homeassistant}: DisplayOptions,
  {name, properties}: Model,
): string[] {
  const looks = Object.entries(homeassistant?.entities ?? {})
  const has = Object.keys(properties)
  const named = [...filtered, ...looks.map(([property]) => property)]
  const unknown = (property: string) => !has.includes(property)
  const said = [
    ...filtered.filter(unknown).map((property) => `filtered: ${property}`),
    ...looks
      .filter(([property]) => unknown(property))
      .map(([property]) => `homeassistant.entities.${property}`),
  ]
  const meant = named.filter(unknown).flatMap((property) => misspelledProperty(property, has) ?? [])
  const hint = didYouMean(meant.length > 0 ? joinWithOr([...new Set(meant)]) : undefined)
  const classes = looks.filter(
    ([property, look]) => look.device_class && (properties[property]?.kind ?? 'switch') !== 'switch',
  )
  return [
    ...(said.length > 0 ? [`${said.join(', ')}: ${name} has only ${has.join(', ')}${hint}`] : []),
    ...classes.map(([property]) => `homeassistant.entities.${property}.device_class: it is no switch`),
  ]
}

/** Counted since the start of the bridge. */
export interface PlugStatistics {
  requests: number
  timeouts: number
  retries: number
  /** Answer times, milliseconds; `null` before the first answer. */
  latency_p50: number | null
  latency_p95: number | null
}

/** Applies the user's corrections to a model: `devices.<name>.properties` of the configuration. Pure. */
import {fractionDigits, kilowattHours} from '../../models/builders.ts'
import type {Model, Property, ScaledProperty} from '../../models/model.ts'
import type {EnergySource} from '../state/energy-meter.ts'

/** The configuration of one property. */
interface PropertyOverride {
  /** Replaces the model's scale. */
  scale?: number
  /** Replaces the model's offset. */
  offset?: number
  /** For `energy` only: the plug's own counter, or its watts added up. */
  source?: EnergySource
}

export type PropertyOverrides = Readonly<Record<string, PropertyOverride>>

export interface OverriddenModel {
  model: Model
  /** Overrides that do not fit the model and were ignored, as sentences. */
  problems: readonly string[]
}

/** The model with all overrides that fit it. The others are listed as problems, and change nothing. */
export function applyOverrides(model: Model, overrides: PropertyOverrides): OverriddenModel {
  const problems: string[] = []
  const properties = {...model.properties}
  for (const [name, override] of Object.entries(overrides)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    const adjusted = property ? adjustedProperty(property, override, model) : unknownIn(model)
    if (typeof adjusted === 'string') problems.push(`${name}: ${adjusted}`)
    else properties[name] = adjusted
  }
  return {model: {...model, properties}, problems}
}

/** The property with its override, or a sentence why that is impossible. */
function adjustedProperty(property: Property, override: PropertyOverride, model: Model): Property | string {
  const {source, ...numbers} = override
  if (source === 'integrated') return integrated(property, model)
  if (property.address.via === 'bridge' || property.address.via === 'info')
    return source === 'plug' ? 'the plug has no counter of its own' : 'it is no number of the plug'
  if (numbers.scale === undefined && numbers.offset === undefined) return property
  return 'scale' in property ? {...property, ...scaledBy(property, numbers)} : 'it is no number'
}

/** The new scale and offset, with as many digits as their values have. */
function scaledBy(
  {scale, offset, precision}: ScaledProperty,
  {scale: own, offset: ownOffset}: PropertyOverride,
): ScaledProperty {
  const newOffset = ownOffset ?? offset
  return {
    scale: own ?? scale,
    precision:
      own === undefined ? Math.max(precision, fractionDigits(1, ownOffset)) : fractionDigits(own, newOffset),
    ...(newOffset === undefined ? {} : {offset: newOffset}),
  }
}

/** Energy worked out by the bridge: not read from the plug any more, unless the model can only be asked for its exact list. */
function integrated(energy: Property, model: Model): Property | string {
  if (!Object.hasOwn(model.properties, 'power')) return 'the plug measures no watts that could be added up'
  if (model.exactList && energy.address.via === 'get_prop') return energy
  return kilowattHours({via: 'bridge'}, {label: energy.label, precision: 3})
}

function unknownIn({name, properties}: Model): string {
  return `${name} has no such property; it has ${Object.keys(properties).join(', ')}`
}

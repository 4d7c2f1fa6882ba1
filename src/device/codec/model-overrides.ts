/** A model as its owner corrects it: `devices.<name>.properties` of the configuration. Pure. */

import {fractionDigits, kilowattHours} from '../../models/builders.ts'
import type {Model, Property, ScaledProperty} from '../../models/model.ts'
import type {EnergySource} from '../state/energy-meter.ts'

/** What the configuration says of one property. */
export interface PropertyOverride {
  /** In place of the model's own. */
  scale?: number
  offset?: number
  /** Of `energy` alone: the plug's own counter, or its watts added up. */
  source?: EnergySource
}

export type PropertyOverrides = Readonly<Record<string, PropertyOverride>>

export interface OverriddenModel {
  model: Model
  /** What cannot be done, and was not, for a person. */
  problems: readonly string[]
}

/** The model with everything of `overrides` that it has; the rest is told, and changes nothing. */
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

/** The property as it is to be, or why it cannot be so. */
function adjustedProperty(property: Property, override: PropertyOverride, model: Model): Property | string {
  const {source, ...numbers} = override
  if (source === 'integrated') return integrated(property, model)
  if (property.address.via === 'bridge' || property.address.via === 'info')
    return source === 'plug' ? 'the plug has no counter of its own' : 'it is no number of the plug'
  if (numbers.scale === undefined && numbers.offset === undefined) return property
  return 'scale' in property ? {...property, ...scaledBy(property, numbers)} : 'it is no number'
}

/** As many digits as a value counted in steps of the new scale, from the new offset on, has. */
function scaledBy(
  {scale, offset, precision}: ScaledProperty,
  {scale: own, offset: ownOffset}: PropertyOverride,
): ScaledProperty {
  const from = ownOffset ?? offset
  return {
    scale: own ?? scale,
    precision:
      own === undefined ? Math.max(precision, fractionDigits(1, ownOffset)) : fractionDigits(own, from),
    ...(from === undefined ? {} : {offset: from}),
  }
}

/** Not asked from the plug any more, unless it can only be asked for everything. */
function integrated(energy: Property, model: Model): Property | string {
  if (!Object.hasOwn(model.properties, 'power')) return 'the plug measures no watts that could be added up'
  if (model.exactList && energy.address.via === 'get_prop') return energy
  return kilowattHours({via: 'bridge'}, {label: energy.label, precision: 3})
}

function unknownIn({name, properties}: Model): string {
  return `${name} has no such property; it has ${Object.keys(properties).join(', ')}`
}

/** The words definitions are written in: a meaning (`onOff`, `watts`, `celsius`) around an address (`prop`, `method`). */
import type {Address, Property, Switching, Write} from './model.ts'

type Options<P> = Partial<Omit<P, 'kind' | 'address'>>
type SwitchProperty = Extract<Property, {kind: 'switch'}>

/** A name in `get_prop`; `write` is the method that takes the value, or the two methods that take none. */
export function prop(name: string, write?: string | {on: string; off: string}): Address {
  if (write === undefined) return {via: 'get_prop', name}
  const how: Write = typeof write === 'string' ? {method: write} : write
  return {via: 'get_prop', name, write: how}
}

/** A method without parameters that answers `[value]`. */
export function method(name: string): Address {
  return {via: 'method', method: name}
}

/** The relay: what the plug is for. */
export function relay(address: Address, raw: Switching = 'text'): Property {
  return {kind: 'switch', deviceClass: 'outlet', address, raw, label: null, lane: 'fast'}
}

export function onOff(label: string, address: Address, options: Options<SwitchProperty> = {}): Property {
  return {kind: 'switch', deviceClass: 'switch', address, raw: 'text', label, lane: 'fast', ...options}
}

export function led(address: Address, options: Options<SwitchProperty> = {}): Property {
  return onOff('LED', address, {lane: 'slow', category: 'config', icon: 'mdi:led-on', ...options})
}

export function usb(address: Address, options: Options<SwitchProperty> = {}): Property {
  return onOff('USB', address, {icon: 'mdi:usb-port', ...options})
}

export function watts(address: Address, {scale = 1}: {scale?: number} = {}): Property {
  return {
    kind: 'sensor',
    deviceClass: 'power',
    stateClass: 'measurement',
    unit: 'W',
    address,
    label: 'Power',
    lane: 'fast',
    scale,
    precision: digits(scale),
  }
}

/** The temperature inside the plug, not of the room. */
export function celsius(address: Address, {scale = 1}: {scale?: number} = {}): Property {
  return {
    kind: 'sensor',
    deviceClass: 'temperature',
    stateClass: 'measurement',
    unit: '°C',
    address,
    label: 'Temperature',
    lane: 'slow',
    category: 'diagnostic',
    scale,
    precision: digits(scale),
  }
}

/** Digits after the point that a value counted in steps of `scale` has. */
function digits(scale: number): number {
  return Math.max(0, Math.ceil(-Math.log10(scale)))
}

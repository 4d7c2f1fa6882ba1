import type {Device} from '../../src/device/device.ts'
import type {Availability} from '../../src/device/polling/availability.ts'

/** Sets the availability of a device in place of its tracker, with the same event. */
export function forceAvailability(device: Device, availability: Availability): void {
  Object.defineProperty(device, 'availability', {value: availability, configurable: true})
  device.emit('availabilityChanged', availability)
}

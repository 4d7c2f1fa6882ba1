import type {Device} from '../../src/device/device.ts'
import type {Availability} from '../../src/device/polling/availability.ts'

/** Gives a device an availability that its tracker did not decide, and announces it as the tracker would. */
export function forceAvailability(device: Device, availability: Availability): void {
  Object.defineProperty(device, 'availability', {value: availability, configurable: true})
  device.emit('availability', availability)
}

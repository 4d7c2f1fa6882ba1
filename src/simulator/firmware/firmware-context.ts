import type {Value} from '../../models/model.ts'
import type {FirmwareProfile} from './firmware-profile.ts'

/** The plug around the firmware: what it reads and changes. */
export interface FirmwareContext {
  readonly did: number
  readonly token: Buffer
  readonly address: string
  /** Seconds since it was plugged in. */
  readonly uptimeS: number
  readonly rssi: number
  readonly habits: FirmwareProfile
  /** Property name -> value, in the words and units of the model. What is missing is unknown. */
  readonly state: Record<string, Value>
}

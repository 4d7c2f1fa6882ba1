import type {Device} from '../device/device.ts'

/** A configured plug as the bridge sees it: never a packet or a token. */
export interface Plug {
  readonly name: string
  readonly device: Device
  /** Its miIO device id: what it is, whatever it is called and wherever it lives. `undefined` until it answered once. */
  readonly did: number | undefined
  /** Where it was last heard, or is expected. */
  readonly address: string | undefined
  readonly disabled: boolean
  readonly description: string | undefined
  readonly area: string | undefined
  readonly icon: string | undefined
  /** How long a command for it lives, milliseconds. */
  readonly commandTimeout: number
  /** When it last answered, on the clock. */
  readonly answeredAt: number | undefined
  /** Whether its last poll failed. */
  readonly failing: boolean
  statistics(): Statistics
}

/** Counted since the start of the bridge. */
export interface Statistics {
  requests: number
  timeouts: number
  retries: number
  /** Answer times, milliseconds; `null` before the first answer. */
  latency_p50: number | null
  latency_p95: number | null
}

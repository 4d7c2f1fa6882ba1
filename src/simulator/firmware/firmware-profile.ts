/** Firmware profiles: how generations of firmware differ, and what single models do wrong (docs/protocol.md §6). */
import type {Value} from '../../models/model.ts'

/** The `error` member of a response. */
export interface FirmwareError {
  code: number
  message: string
}

export const METHOD_NOT_FOUND: FirmwareError = {code: -32601, message: 'Method not found.'}
export const INVALID_JSON: FirmwareError = {code: -30001, message: 'Resp invalid json.'}
/** The application did not respond to the Wi-Fi half of the plug, which waits for a while before it reports that (docs/protocol.md §1.8). */
export const ACK_TIMEOUT: FirmwareError = {code: -9999, message: 'user ack timeout'}

/** How a request fails that the firmware cannot process: no response, a reboot that switches the sockets, or an error with this code. */
export type FirmwareFailure = 'silence' | 'reboot' | -9999 | -30001

/** Deviations from correct responses. A quirk that is missing does not occur. All § are those of docs/protocol.md. */
export interface FirmwareQuirks {
  /** The version that `miIO.info` reports. */
  firmware?: string
  /** The response to a method that the firmware does not have (§1.8). */
  unknownMethod?: FirmwareError | 'silence'
  /** How every on/off value is written; by default as the model's definition has it. */
  switching?: 'boolean' | 'text' | 'number'
  /** No comma between the items of a response: `}{` (cuco.plug.cp1, python-miio#1933). */
  missingComma?: true
  /** Nothing in place of an unknown value: `["on",,32]` (qmi.powerstrip.v1, python-miio#302). */
  emptySlots?: true
  /** The bytes after the JSON; by default one NUL (§1.7). */
  tail?: 'none' | 'nuls' | 'text'
  /** Responses are cut to this many characters, the last of them a `}` (a Gosund 16 A, ha0y/xiaomi_miot_raw#2). */
  cutAt?: number
  /** A request for more than `most` values fails. */
  batch?: {most: number; failure: FirmwareFailure}
  /** By property name: every request for the property fails. */
  failingProperties?: Readonly<Record<string, FirmwareFailure>>
  /** By property name: the item in the response has this code and no value: -4001, -4003, -4004 (§1.8). */
  codes?: Readonly<Record<string, number>>
  /** The response has at most this many items of a request (python-miio#861). */
  maxItems?: number
  /** Items of the response lack the did that they were requested with (cuco.plug.cp1, homebridge-miot PR#750). */
  withoutDid?: true
  /** Items of the response are in reverse order. */
  reversed?: true
  /** A written item has code 1 (accepted) in the response in place of 0 (done). */
  reportsAccepted?: true
  /** After more than `most` requests within `withinMs` milliseconds the plug reboots and switches its sockets (cuco.plug.sp5, hass-xiaomi-miot#415, #335). */
  overPolled?: {most: number; withinMs: number}
}

/** Everything in which the firmware of one plug differs from that of another. */
export interface FirmwareProfile extends FirmwareQuirks {
  /** What a hello reply has in the place where an unprovisioned plug shows its token: FF, 00, or the token itself (§1.2). */
  helloShows: 'ff' | '00' | 'token'
  /** Some firmware leaks the token in `miIO.info` (§4). */
  infoShowsToken: boolean
  /** Seconds. A request whose stamp is further off than this is dropped; `Infinity`: never (§1.4). */
  stampWindowS: number
  /** The response to a wrong checksum: a packet of 32 bytes, or nothing (§1.6). */
  wrongToken: 'nak' | 'silent'
  /**
   * The response to a request whose id was used a moment ago: the response of that time, nothing, or an "ok" without any action.
   * The request is executed again in no case (§1.7).
   */
  repeats: 'cached' | 'dropped' | 'ok'
  /** Of the v3: `old` firmware writes the relay as a JSON boolean, `new` as text (§3.1). */
  generation: 'old' | 'new'
  /** Newer firmware adds how many milliseconds a request took. */
  exeTime: boolean
}

/** The plug in which the firmware runs: what the firmware reads and changes. */
export interface FirmwareContext {
  /** As `miIO.info` reports it: one of the ids of the definition. */
  readonly modelId: string
  readonly did: number
  readonly token: Buffer
  readonly address: string
  /** Seconds since the plug was plugged in. */
  readonly uptimeS: number
  /** dBm */
  readonly rssi: number
  readonly profile: FirmwareProfile
  /** Property name -> value, in the units of the model. A missing value is unknown. */
  readonly state: Record<string, Value>
}

/** The m1, the only plug whose firmware has been read, except that an m1 hides its token as 00. */
const defaultProfile: FirmwareProfile = {
  helloShows: 'ff',
  infoShowsToken: false,
  stampWindowS: 60,
  wrongToken: 'nak',
  repeats: 'cached',
  generation: 'new',
  exeTime: false,
}

/** What single models were observed to do. The sources are those of docs/protocol.md §3. */
const modelProfiles: Readonly<Record<string, Partial<FirmwareProfile>>> = {
  'chuangmi.plug.v1': {unknownMethod: {code: -10000, message: 'Method not found.'}},
  'chuangmi.plug.v3': {unknownMethod: INVALID_JSON},
  'chuangmi.plug.m3': {unknownMethod: INVALID_JSON},
  'chuangmi.plug.hmi205': {unknownMethod: {code: -30000, message: 'Resp general error.'}},
  // A larger request ends in "user ack timeout"; hass-xiaomi-miot requests seven values at most.
  'chuangmi.plug.212a01': {exeTime: true, batch: {most: 7, failure: -9999}},
  'cuco.plug.cp1': {firmware: '2.0.1_0013', missingComma: true, withoutDid: true},
  // It restarted when all of its 15 values were requested (homebridge-miot#263), and did not respond to nine (homebridge-miot#115).
  'cuco.plug.cp1m': {batch: {most: 8, failure: 'reboot'}},
  // The Gosund 16 A has the ids of this model; three items were whole, of four the last was cut off (ha0y/xiaomi_miot_raw#2).
  'cuco.plug.cp2': {firmware: '2.0.4_0011', missingComma: true, cutAt: 231},
  // Ten values at once were unreadable for python-miio (hass-xiaomi-miot#926), as those of its relatives are.
  'cuco.plug.cp2d': {missingComma: true, cutAt: 231},
  // That the SP5 reboots is reported (hass-xiaomi-miot#415: at eight values); at which size or rate was never measured. These numbers are a guess.
  'cuco.plug.sp5': {
    firmware: '2.1.3_0013',
    batch: {most: 2, failure: 'reboot'},
    overPolled: {most: 20, withinMs: 30_000},
  },
  // python-miio#1865
  'cuco.plug.v3': {exeTime: true, unknownMethod: {code: -9999, message: 'undefined command'}},
  'cuco.plug.v2eur': {firmware: '1.0.6', exeTime: true},
  'qmi.powerstrip.v1': {firmware: '3.4.2_71', emptySlots: true},
}

/** The firmware profile of a model. @param id as `miIO.info` reports it, such as `chuangmi.plug.v3` */
export function firmwareProfileOf(id: string): FirmwareProfile {
  return Object.hasOwn(modelProfiles, id) ? {...defaultProfile, ...modelProfiles[id]} : defaultProfile
}

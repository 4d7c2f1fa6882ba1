/** What differs between generations of firmware rather than between models (docs/protocol.md §6). */
import {type FirmwareError, INVALID_JSON} from './firmware-messages.ts'

/** How a request fails that the firmware cannot cope with. */
export type FirmwareFailure = 'silence' | -9999 | -30001

/** What a firmware makes of requests it understands, and of requests it does not. What is missing is in order. */
export interface FirmwareQuirks {
  /** What `miIO.info` calls it. */
  firmware?: string
  /** What it says to a method it does not have (§1.8). */
  unknownMethod?: FirmwareError | 'silence'
  /** How every on/off value is told; as its model says unless told. */
  switching?: 'boolean' | 'text' | 'number'
  /** Nothing between the items of an answer: `}{` (cuco.plug.cp1, python-miio#1933). */
  missingComma?: true
  /** Nothing where a value is not known: `["on",,32]` (qmi.powerstrip.v1, python-miio#302). */
  emptySlots?: true
  /** What follows the JSON: one NUL unless told (§1.7). */
  tail?: 'none' | 'nuls' | 'text'
  /** Answers are cut to so many characters, the last of them a `}` (a Gosund 16 A, ha0y/xiaomi_miot_raw#2). */
  cutAt?: number
  /** A request for more values than this fails. */
  batch?: {most: number; failure: FirmwareFailure}
  /** Properties that make every request fail which asks for them. */
  killers?: Readonly<Record<string, FirmwareFailure>>
  /** Properties that answer nothing but a code: -4001, -4003, -4004 (§1.8). */
  codes?: Readonly<Record<string, number>>
  /** Of several items only so many are answered (python-miio#861). */
  answersOnly?: number
  /** Items come back without the did they were asked with (cuco.plug.cp1, homebridge-miot PR#750). */
  withoutDid?: true
  /** Items come back the other way round. */
  reversed?: true
  /** A written item is accepted (code 1), where others say that it is done (0). */
  accepts?: true
  /** More requests than this within so long, and it reboots and switches its sockets (cuco.plug.sp5, al-one#415, #335). */
  overPolled?: {most: number; withinMs: number}
}

export interface FirmwareProfile extends FirmwareQuirks {
  /** What a hello reply has where an unprovisioned plug shows its token: hidden as FF or 00, or the token itself (§1.2). */
  helloShows: 'ff' | '00' | 'token'
  /** Some firmware leaks the token in `miIO.info` (§4). */
  infoShowsToken: boolean
  /** A request whose stamp is further off than this many seconds is dropped; `Infinity`: never (§1.4). */
  stampWindowS: number
  /** How a wrong checksum is answered: with a packet of 32 bytes, or not at all (§1.6). */
  wrongToken: 'nak' | 'silent'
  /**
   * What a request whose id was used a moment ago gets: the answer of then, no answer, or an "ok" without any action.
   * It is executed again in no case (§1.7).
   */
  repeats: 'cached' | 'dropped' | 'ok'
  /** `old` firmware of the v3 tells its relay as a JSON boolean, `new` as text (§3.1). */
  mood: 'old' | 'new'
  /** Newer firmware adds how many milliseconds a request took. */
  exeTime: boolean
}

/** The m1, the one plug whose firmware has been read, except that it hides its token as 00. */
const usual: FirmwareProfile = {
  helloShows: 'ff',
  infoShowsToken: false,
  stampWindowS: 60,
  wrongToken: 'nak',
  repeats: 'cached',
  mood: 'new',
  exeTime: false,
}

/** What single models were seen to do. The sources are those of docs/protocol.md §3. */
const ofModels: Readonly<Record<string, Partial<FirmwareProfile>>> = {
  'chuangmi.plug.v1': {unknownMethod: {code: -10000, message: 'Method not found.'}},
  'chuangmi.plug.v3': {unknownMethod: INVALID_JSON},
  'chuangmi.plug.m3': {unknownMethod: INVALID_JSON},
  'chuangmi.plug.hmi205': {unknownMethod: {code: -30000, message: 'Resp general error.'}},
  // Asked for more, it ends in "user ack timeout"; al-one asks for seven at most.
  'chuangmi.plug.212a01': {exeTime: true, batch: {most: 7, failure: -9999}},
  'cuco.plug.cp1': {firmware: '2.0.1_0013', missingComma: true, withoutDid: true},
  // The Gosund 16 A has the ids of this one; three items were whole, of four the last was cut off (ha0y/xiaomi_miot_raw#2).
  'cuco.plug.cp2': {firmware: '2.0.4_0011', missingComma: true, cutAt: 231},
  // How often is too often nobody has measured: these numbers are ours.
  'cuco.plug.sp5': {firmware: '2.1.3_0013', overPolled: {most: 20, withinMs: 30_000}},
  // python-miio#1865
  'cuco.plug.v3': {exeTime: true, unknownMethod: {code: -9999, message: 'undefined command'}},
  'cuco.plug.v2eur': {firmware: '1.0.6', exeTime: true},
  'qmi.powerstrip.v1': {firmware: '3.4.2_71', emptySlots: true},
}

/** The habits of a plug that calls itself `id`. */
export function firmwareProfileOf(id: string): FirmwareProfile {
  return Object.hasOwn(ofModels, id) ? {...usual, ...ofModels[id]} : usual
}

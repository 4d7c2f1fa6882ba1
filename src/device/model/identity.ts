import {wellFormed} from '../codec/values.ts'

/** What a plug tells of itself. */
export interface Identity {
  model?: string
  firmware?: string
  hardware?: string
  mac?: string
}

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i

/**
 * The parts of a `miIO.info` answer that are ours to know (docs/protocol.md §4). Token, SSID and account number are left behind
 * here, before anything can log or publish them.
 */
export function parseIdentity(info: unknown): Identity {
  const told = new Map(info !== null && typeof info === 'object' ? Object.entries(info) : [])
  const text = (key: string) => {
    const value = told.get(key)
    return typeof value === 'string' && value !== '' && value.length <= 64 ? wellFormed(value) : undefined
  }
  const mac = text('mac')
  const identity = {
    model: text('model'),
    firmware: text('fw_ver'),
    hardware: text('hw_ver'),
    mac: mac && MAC.test(mac) ? mac.toLowerCase() : undefined,
  }
  return Object.fromEntries(Object.entries(identity).filter(([, value]) => value !== undefined))
}

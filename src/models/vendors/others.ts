/** Definitions of plugs whose makers have one model each: MIoT, with only the relay documented (docs/protocol.md §3.4). */

import {miot, relay} from '../builders.ts'
import type {Model} from '../model.ts'

export const others: readonly Model[] = [
  {
    ids: ['iot.plug.socn1'],
    name: 'Smart Plug',
    vendor: 'iot',
    confidence: 'inferred',
    evidence: '2.1 in a published mapping for iot-socn1:2; on the LAN list of hass-xiaomi-miot.',
    properties: {state: relay(miot(2, 1))},
  },
  {
    ids: ['babai.plug.sk01a'],
    name: 'Smart Plug',
    vendor: 'babai',
    confidence: 'inferred',
    evidence: '2.1 in zeusro/miflow for babai-sk01a:1; on the LAN list of hass-xiaomi-miot.',
    properties: {state: relay(miot(2, 1))},
  },
]

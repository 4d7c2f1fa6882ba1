/** A connection of the bridge to a broker of a test, and its log. */
import {afterEach} from 'vitest'
import {type Clock, systemClock} from '../../src/common/clock.ts'
import {Connection, type ConnectionOptions} from '../../src/mqtt/connection.ts'
import type {OutgoingMessage} from '../../src/mqtt/outgoing-message.ts'
import {RememberingLog} from './remembering-log.ts'
import {random} from './seeds.ts'
import {VirtualClock} from './virtual-clock.ts'

const open = new Map<Connection, Clock>()
afterEach(async () => {
  const ending = [...open]
  open.clear()
  for (const [connection, clock] of ending) {
    const stopped = connection.stop(200)
    if (clock instanceof VirtualClock) await clock.advance(500)
    await stopped
  }
})

export interface TestConnection {
  connection: Connection
  log: RememberingLog
  /** Topics and payloads of the received messages. */
  received: string[]
}

export type Choice = Partial<Omit<ConnectionOptions, 'broker'>> & {
  broker?: Partial<ConnectionOptions['broker']>
}

/** Not started; stopped when the test ends. */
export function testConnection(
  url: string | readonly string[],
  {broker = {}, ...choice}: Choice = {},
): TestConnection {
  const log = new RememberingLog()
  const connection = new Connection({
    broker: {urls: [url].flat(), clientId: 'test', version: 5, keepalive: 15_000, ...broker},
    will: message('b/bridge/state', '{"state":"offline"}'),
    commands: () => ['b/+/set', 'b/bridge/request/+'],
    clock: systemClock,
    random,
    log,
    ...choice,
  })
  open.set(connection, choice.clock ?? systemClock)
  const received: string[] = []
  connection.on('message', ({topic, payload}) => received.push(`${topic} ${payload.toString()}`))
  return {connection, log, received}
}

/** Retained, of QoS 1. */
export function message(
  topic: string,
  payload: string,
  more: Partial<OutgoingMessage> = {},
): OutgoingMessage {
  return {topic, payload, retain: true, qos: 1, ...more}
}

/** Waits until it is connected again. */
export function connected(connection: Connection): Promise<void> {
  return new Promise((resolve) => connection.once('connected', resolve))
}

export function warnings(log: RememberingLog): string[] {
  return log.messages('warn')
}

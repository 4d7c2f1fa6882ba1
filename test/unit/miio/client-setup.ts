import {RequestQueue} from '../../../src/device/request-queue.ts'
import {MiioClient, type MiioClientOptions} from '../../../src/miio/client.ts'
import {MiioError} from '../../../src/miio/miio-error.ts'
import {MemoryNetwork, MemoryPlug} from '../../support/memory-network.ts'
import {seeded, type VirtualClock} from '../../support/virtual-clock.ts'
import {DID, TOKEN} from './vectors.ts'

export const HOME = {host: '192.168.1.40', port: 54321}

/** A client and its plug on a network in memory. */
export function home(
  clock: VirtualClock,
  options: Partial<Omit<MiioClientOptions, 'socket' | 'clock'>> = {},
) {
  const network = new MemoryNetwork(clock)
  const plug = new MemoryPlug(network, clock, {did: DID, token: TOKEN, at: HOME})
  const known = {token: TOKEN, host: HOME.host, did: DID}
  const client = new MiioClient({socket: network, clock, random: seeded(1), ...known, ...options})
  return {network, plug, client, queued: queued(clock, client)}
}

/** The client behind a device's queue, as the bridge uses it: one request at a time, the others wait. */
export function queued(clock: VirtualClock, client: MiioClient) {
  const queue = new RequestQueue(clock)
  return {
    call: (...request: Parameters<MiioClient['call']>) => queue.read(() => client.call(...request)),
    moveTo: (host: string) => queue.read(() => client.moveTo(host)),
  }
}

export interface Watched<T> {
  isSettled: boolean
  value?: T
  error?: MiioError
  settledAt?: number
}

/** What becomes of a promise, and when. An error of any other kind than a MiioError fails the test. */
export function watch<T>(clock: VirtualClock, promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = {isSettled: false}
  const settle = (outcome: {value: T} | {error: MiioError}) =>
    Object.assign(watched, outcome, {isSettled: true, settledAt: clock.now()})
  promise.then(
    (value) => settle({value}),
    (error: unknown) => {
      if (!(error instanceof MiioError)) throw error
      settle({error})
    },
  )
  return watched
}

/** The way to one configured plug: whether requests may be sent, since another plug may have the same device id, and to which address. */
import {plugLabel} from '../bridge/plug.ts'
import {isCallFailure, isExpectedFailure} from '../device/command-error.ts'
import type {CallOptions, Transport} from '../device/transport.ts'
import type {MiioClient} from '../miio/client.ts'
import type {NetworkDiscovery} from '../miio/discovery.ts'
import {MiioError} from '../miio/miio-error.ts'
import type {Endpoint} from '../miio/socket.ts'
import type {Claimant, DeviceIdOwners} from './device-id-owners.ts'

/** The configured plug that a transport belongs to. */
interface TransportUser {
  /** Runs a request in its turn, as those of the device. */
  enqueue<T>(run: () => Promise<T>): Promise<T>
  /** Another plug owns the device id now, or `undefined`: this plug may send requests again. @param reason for the log */
  ownerChanged(owner: string | undefined, reason: string): void
  /** The plug has another address. */
  moved(from: string | undefined, to: string): void
  /** The plug was tried at another address. */
  tried(): void
}

interface PlugTransportOptions {
  name: string
  client: MiioClient
  owners: DeviceIdOwners
  discovery: NetworkDiscovery
  user: TransportUser
}

/** The requests of one plug: each is sent only while no other plug owns the device id. */
export class PlugTransport implements Transport, Claimant {
  readonly name: string
  readonly #options: PlugTransportOptions
  #owner: string | undefined
  #isStopped = false
  #isMoving = false

  constructor(options: PlugTransportOptions) {
    this.name = options.name
    this.#options = options
  }

  /** The name of the configured plug that owns the device id, when that is another one. */
  get owner(): string | undefined {
    return this.#owner
  }

  get bootedAt(): number | undefined {
    return this.#options.client.bootedAt
  }

  async call(method: string, params: unknown, options?: CallOptions): Promise<unknown> {
    const {client, owners} = this.#options
    if (this.#owner !== undefined || (client.did !== undefined && !owners.mayRequest(client.did, this)))
      throw new MiioError('unreachable', 'send', this.#duplicateText())
    try {
      const result = await client.call(method, params, options)
      if (!this.prove()) throw new MiioError('unreachable', 'send', this.#duplicateText())
      return result
    } catch (error) {
      if (client.did !== undefined && isCallFailure(error) && error.code !== 'refused')
        owners.giveUp(client.did, this)
      throw error
    }
  }

  /** The plug has responded under our token. @returns whether no other plug owns its device id, or the id is not known */
  prove(): boolean {
    const {client, owners} = this.#options
    return client.did === undefined || owners.prove(client.did, this)
  }

  close(): void {
    this.#options.client.close()
  }

  /** This plug takes over no device id any more. */
  stop(): void {
    this.#isStopped = true
    this.cancelSearch()
  }

  /** Lets the next plug own the device id. */
  release(): void {
    const {client, owners} = this.#options
    owners.release(client.did, this)
  }

  yieldTo(owner: string): void {
    if (this.#owner === owner) return
    this.cancelSearch()
    this.#owner = owner
    this.#options.user.ownerChanged(owner, this.#duplicateText())
  }

  takeOver(): void {
    if (this.#isStopped) return
    this.#owner = undefined
    this.#options.user.ownerChanged(undefined, '')
  }

  /** When the plug does not respond at its address, a broadcast may find its device id at another one (docs/promises.md, 39). */
  search(failure: unknown): void {
    const {client, discovery} = this.#options
    if (client.did === undefined || this.#owner !== undefined || !isCallFailure(failure)) return
    if (failure.code === 'timeout' || failure.code === 'unreachable')
      discovery.find(client.did, (at) => this.#foundAt(at))
  }

  cancelSearch(): void {
    const {client, discovery} = this.#options
    // A plug that another one owns has begun no search: one of this device id is the other's.
    if (client.did !== undefined && this.#owner === undefined) discovery.cancelSearch(client.did)
  }

  async #foundAt({host, port}: Endpoint): Promise<void> {
    const {client, user} = this.#options
    if (this.#isMoving || this.#owner !== undefined) return
    this.#isMoving = true
    try {
      const before = client.host
      if (before !== host && (await user.enqueue(() => client.moveTo(host, port)))) user.moved(before, host)
    } catch (error) {
      if (!isExpectedFailure(error)) throw error // the queue has given the request up
    } finally {
      this.#isMoving = false
      user.tried()
    }
  }

  #duplicateText(): string {
    const {name, client} = this.#options
    const label = plugLabel({name, address: client.host})
    return `${label} is the same plug as ${this.#owner ?? 'another plug'} (device id ${client.did}): ${name} is not contacted`
  }
}

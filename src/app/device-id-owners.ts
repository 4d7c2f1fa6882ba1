/**
 * Finds out when two configured plugs have the same device id, and lets only one of them send requests. Otherwise the physical plug would be
 * announced twice to Home Assistant under one id, both plugs would share its stored state, and there would be two requests in flight at a
 * plug that takes one.
 */
/** A configured plug that may turn out to have the same device id as another one. */
export interface Claimant {
  readonly name: string
  /** The plug with the name `owner` owns the device id: this plug must send no more requests. */
  yieldTo(owner: string): void
  /** No other plug owns the device id any more: this plug may send requests. */
  takeOver(): void
}

interface Claim {
  owner: Claimant | undefined
  /** Whether the owner has got a response. Until then its device id comes only from the configuration or the state file. */
  isProven: boolean
  /** The other plugs with the same device id, in the order of their first request; `undefined` for most ids, which have one plug. */
  waiting?: Set<Claimant>
}

/** The owner of each device id: the plug that sends the first request, until another plug is proven to reach it. */
export class DeviceIdOwners {
  readonly #claims = new Map<number, Claim>()
  /** Plugs that were stopped. A poll that is under way may still send a request for one: it claims nothing any more. */
  readonly #released = new WeakSet<Claimant>()

  /**
   * To be called before every request. The first claimant of a device id keeps all others waiting, until it turns out that it gets no response.
   * @returns whether `claimant` may send requests
   */
  mayRequest(did: number, claimant: Claimant): boolean {
    if (this.#released.has(claimant)) return true
    const claim = this.#claims.get(did)
    if (!claim) this.#claims.set(did, {owner: claimant, isProven: false})
    return !claim?.owner || this.#isOwner(claim, claimant)
  }

  /** The plug has responded under the token of `claimant`. @returns whether `claimant` is the owner */
  prove(did: number, claimant: Claimant): boolean {
    if (this.#released.has(claimant)) return true
    const claim = this.#claims.get(did) ?? {owner: undefined, isProven: false}
    this.#claims.set(did, claim)
    const {owner} = claim
    if (owner !== claimant && claim.isProven) return this.#isOwner(claim, claimant)
    claim.owner = claimant
    claim.isProven = true
    claim.waiting?.delete(claimant)
    if (owner && owner !== claimant) this.#isOwner(claim, owner)
    return true
  }

  /** `claimant` got no response. If it never got one, the others that wait may try: they may have the right address. */
  giveUp(did: number, claimant: Claimant): void {
    const claim = this.#claims.get(did)
    if (claim?.owner !== claimant || claim.isProven) return
    claim.owner = undefined
    const {waiting = []} = claim
    delete claim.waiting
    for (const other of waiting) other.takeOver()
  }

  /** `claimant` is not configured any more, or differently: the next one owns the device id. @param did as far as it is known */
  release(did: number | undefined, claimant: Claimant): void {
    this.#released.add(claimant)
    if (did === undefined) return
    const claim = this.#claims.get(did)
    claim?.waiting?.delete(claimant)
    if (claim?.owner !== claimant) return
    const {waiting} = claim
    const [next] = waiting ?? []
    this.#claims.delete(did)
    if (!waiting || !next) return
    waiting.delete(next)
    this.#claims.set(did, {owner: next, isProven: false, waiting})
    next.takeOver()
  }

  #isOwner(claim: Claim, claimant: Claimant): boolean {
    const {owner} = claim
    if (!owner || owner === claimant) return true
    claim.waiting ??= new Set()
    claim.waiting.add(claimant)
    claimant.yieldTo(owner.name)
    return false
  }
}

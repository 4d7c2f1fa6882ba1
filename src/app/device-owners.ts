/**
 * Which configured plug is which device. Two names for one device would announce it twice to Home Assistant under one id, share what is
 * remembered of it, and have two requests in flight at a plug that takes one.
 */

/** A configured plug that may turn out to be a device that another one is, too. */
export interface Claimant {
  readonly name: string
  /** The device is `owner`'s: nothing is to be asked of it any more. */
  yieldTo(owner: string): void
  /** The device is nobody else's any more. */
  takeOver(): void
}

interface Claim {
  owner: Claimant | undefined
  /** Whether the device itself has answered to its owner. Until then its id is what the configuration or the memory says. */
  isProven: boolean
  /** The others that are the same device, in the order in which they asked for it. */
  waiting: Set<Claimant>
}

/** Who asks first has the device until it is proven that another one reaches it. By device id. */
export class DeviceOwners {
  readonly #claims = new Map<number, Claim>()
  /** A poll that was under way may still ask for a plug that is stopped: it claims nothing any more. */
  readonly #released = new WeakSet<Claimant>()

  /**
   * To be called before every question: may `claimant` ask the device that it is believed to be? The first that wants to keeps all
   * others waiting, unless it turned out that it does not reach the device.
   */
  mayAsk(did: number, claimant: Claimant): boolean {
    if (this.#released.has(claimant)) return true
    const claim = this.#claims.get(did)
    if (!claim) this.#claims.set(did, {owner: claimant, isProven: false, waiting: new Set()})
    return !claim?.owner || this.#isTheirs(claim, claimant)
  }

  /** The device has answered under the token of `claimant`. @returns whether it is theirs */
  prove(did: number, claimant: Claimant): boolean {
    if (this.#released.has(claimant)) return true
    const claim = this.#claims.get(did) ?? {owner: undefined, isProven: false, waiting: new Set()}
    this.#claims.set(did, claim)
    const {owner} = claim
    if (owner !== claimant && claim.isProven) return this.#isTheirs(claim, claimant)
    claim.owner = claimant
    claim.isProven = true
    claim.waiting.delete(claimant)
    if (owner && owner !== claimant) this.#isTheirs(claim, owner)
    return true
  }

  /** `claimant` got no answer. Somebody else may know better where the device is, unless it ever answered. */
  giveUp(did: number, claimant: Claimant): void {
    const claim = this.#claims.get(did)
    if (claim?.owner !== claimant || claim.isProven) return
    claim.owner = undefined
    const others = [...claim.waiting]
    claim.waiting.clear()
    for (const other of others) other.takeOver()
  }

  /** `claimant` is not configured any more, or as another: the next one has the device. `did`: as far as it is known. */
  release(did: number | undefined, claimant: Claimant): void {
    this.#released.add(claimant)
    if (did === undefined) return
    const claim = this.#claims.get(did)
    claim?.waiting.delete(claimant)
    if (claim?.owner !== claimant) return
    const [next] = claim.waiting
    this.#claims.delete(did)
    if (!next) return
    claim.waiting.delete(next)
    this.#claims.set(did, {owner: next, isProven: false, waiting: claim.waiting})
    next.takeOver()
  }

  #isTheirs(claim: Claim, claimant: Claimant): boolean {
    const {owner} = claim
    if (!owner || owner === claimant) return true
    claim.waiting.add(claimant)
    claimant.yieldTo(owner.name)
    return false
  }
}

/** Every message of the bridge passes here on its way to the broker: none leaves with a token or a password in it. */
import type {OutgoingMessage} from '../mqtt/outbox.ts'
import type {Publisher} from './publisher.ts'

export class SecretFilter implements Publisher {
  readonly #publisher: Publisher
  readonly #scrub: (text: string) => string

  /** @param scrub puts a mask in place of every secret, in whatever spelling */
  constructor(publisher: Publisher, scrub: (text: string) => string) {
    this.#publisher = publisher
    this.#scrub = scrub
  }

  /**
   * Correlation data is the caller's own, and of use only byte for byte: data that holds a secret is left out, not masked. Then the
   * caller does not know the answer again, and the secret is not where others who listen on the response topic would see it.
   */
  publish(message: OutgoingMessage): void {
    const {correlationData} = message
    const topic = this.#scrub(message.topic)
    const payload = this.#scrub(message.payload)
    const isHeld = correlationData !== undefined && this.#holdsSecret(correlationData)
    if (topic === message.topic && payload === message.payload && !isHeld) this.#publisher.publish(message)
    else
      this.#publisher.publish({...message, topic, payload, ...(isHeld ? {correlationData: undefined} : {})})
  }

  /** As text, or as the very bytes. */
  #holdsSecret(data: Buffer): boolean {
    return [data.toString(), data.toString('hex')].some((text) => this.#scrub(text) !== text)
  }
}

import {connectAsync, type MqttClient} from 'mqtt'
import {afterAll} from 'vitest'
import type {PublishedDiscovery} from './discovery-validator.ts'
import type {Mosquitto} from './mosquitto.ts'

const present = new Set<MessageRecorder>()

afterAll(() => Promise.all([...present].map((recorder) => recorder.stop())))

/** Records messages with the retain flag that their publisher set, which a subscriber does not see without "retain as published". */
export class MessageRecorder {
  readonly messages: PublishedDiscovery[] = []
  readonly #client: MqttClient

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, payload, {retain}) => {
      this.messages.push({topic, payload: payload.toString('utf8'), retain})
    })
  }

  /** Has subscribed when the promise resolves; ends with the test file. */
  static async open(broker: Mosquitto, filter = '#'): Promise<MessageRecorder> {
    const client = await connectAsync(broker.url, {protocolVersion: 5})
    const recorder = new MessageRecorder(client)
    present.add(recorder)
    await client.subscribeAsync(filter, {qos: 0, rap: true})
    return recorder
  }

  /** The messages on `topic`, in order. */
  on(topic: string): PublishedDiscovery[] {
    return this.messages.filter((message) => message.topic === topic)
  }

  async stop(): Promise<void> {
    present.delete(this)
    await this.#client.endAsync(true)
  }
}

import {connectAsync, type MqttClient} from 'mqtt'
import {afterAll} from 'vitest'
import type {PublishedDiscovery} from './discovery-validator.ts'
import type {Mosquitto} from './mosquitto.ts'

const present = new Set<Recorder>()

afterAll(() => Promise.all([...present].map((recorder) => recorder.stop())))

/** Writes down messages as their publishers sent them, which a usual subscriber does not see: with their retain flag. */
export class Recorder {
  readonly run: PublishedDiscovery[] = []
  readonly #client: MqttClient

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, payload, {retain}) => {
      this.run.push({topic, payload: payload.toString('utf8'), retain})
    })
  }

  /** Has subscribed when the promise resolves; ends with the test file. */
  static async open(broker: Mosquitto, filter = '#'): Promise<Recorder> {
    const client = await connectAsync(broker.url, {protocolVersion: 5})
    const recorder = new Recorder(client)
    present.add(recorder)
    await client.subscribeAsync(filter, {qos: 0, rap: true})
    return recorder
  }

  /** What was sent on `topic`, in order. */
  on(topic: string): PublishedDiscovery[] {
    return this.run.filter((message) => message.topic === topic)
  }

  async stop(): Promise<void> {
    present.delete(this)
    await this.#client.endAsync(true)
  }
}

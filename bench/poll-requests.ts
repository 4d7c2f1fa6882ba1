/** How many requests a fast poll needs, over all models: what a plug does between two polls is bounded by that. */
import {systemClock} from '../src/common/clock.ts'
import {Device} from '../src/device/device.ts'
import {MiioClient} from '../src/miio/client.ts'
import {MiioSocket} from '../src/miio/socket.ts'
import {builtIn} from '../src/models/catalogue.ts'
import {startSimulator} from './simulator.ts'
import type {Row} from './table.ts'

export async function measurePollRequests(firstAddress: string): Promise<Row[]> {
  const models = builtIn.ids
  const simulator = await startSimulator(models.length, firstAddress, models)
  const socket = new MiioSocket()
  await socket.open()
  try {
    const counts = await Promise.all(
      simulator.plugs.map(async ({model, address, token}) => {
        const shared = {clock: systemClock, random: Math.random}
        const transport = new MiioClient({...shared, socket, token: Buffer.from(token, 'hex'), host: address})
        const device = new Device({
          ...shared,
          name: model,
          transport,
          identity: {model},
          findModel: (id) => builtIn.find(id),
        })
        await device.poll('rare')
        await device.poll('fast') // learns what the firmware cannot be asked in one request
        const before = transport.stats.requests
        await device.poll('fast')
        return transport.stats.requests - before
      }),
    )
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    return [
      {
        what: `requests of a fast poll, ${counts.length} models (goal 1.2)`,
        value: `${mean.toFixed(2)} mean, ${Math.max(...counts)} most`,
      },
      ...models.flatMap((model, at) => {
        const count = counts[at] ?? 1
        return count > 1 ? [{what: `- ${model}`, value: `${count}`}] : []
      }),
    ]
  } finally {
    await socket.close()
    await simulator.stop()
  }
}

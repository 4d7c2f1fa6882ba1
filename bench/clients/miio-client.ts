/** Our `MiioClient`: the wire alone. */
import {systemClock} from '../../src/common/clock.ts'
import {MiioClient} from '../../src/miio/client.ts'
import {MiioSocket} from '../../src/miio/socket.ts'
import type {PlugRow} from '../simulator.ts'
import {run} from './pace.ts'

const socket = new MiioSocket()
await socket.open()

await run(async ({address, token}: PlugRow) => {
  const client = new MiioClient({
    socket,
    clock: systemClock,
    random: Math.random,
    token: Buffer.from(token, 'hex'),
    host: address,
  })
  return async () => {
    const values = await client.call('get_prop', ['power', 'temperature'])
    if (!Array.isArray(values) || values.length !== 2)
      throw new Error(`expected two values, got ${JSON.stringify(values)}`)
  }
})

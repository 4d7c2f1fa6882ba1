/** A whole poll: `Device.poll` over `MiioClient`: queue, wire, codec, state. The values do not change, as in most polls. */
import {systemClock} from '../../src/common/clock.ts'
import {Device} from '../../src/device/device.ts'
import {MiioClient} from '../../src/miio/client.ts'
import {MiioSocket} from '../../src/miio/socket.ts'
import {builtIn} from '../../src/models/catalogue.ts'
import type {PlugRow} from '../simulator.ts'
import {run} from './pace.ts'

const socket = new MiioSocket()
await socket.open()

await run(async ({address, token, model}: PlugRow) => {
  const shared = {clock: systemClock, random: Math.random}
  const transport = new MiioClient({...shared, socket, token: Buffer.from(token, 'hex'), host: address})
  const device = new Device({
    ...shared,
    name: address,
    transport,
    identity: {model},
    findModel: (id) => builtIn.find(id),
  })
  await device.poll('rare')
  return async () => {
    await device.poll('fast')
    if (device.availability.state !== 'online') throw new Error('expected the plug to be online')
  }
})

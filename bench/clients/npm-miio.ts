/** npm's `miio`, the library that Node.js programs use most. Argument: the folder it is installed in. */
import {createRequire} from 'node:module'
import {join} from 'node:path'
import type {PlugRow} from '../simulator.ts'
import {run} from './pace.ts'

interface Network {
  ref(): void
  findDeviceViaAddress(options: {address: string; token: string}): Promise<{
    call(method: string, params: readonly string[]): Promise<unknown[]>
  }>
}

const network: Network = createRequire(join(process.argv[2] ?? '', 'package.json'))('miio/lib/network')
network.ref()

await run(async ({address, token}: PlugRow) => {
  const device = await network.findDeviceViaAddress({address, token})
  return async () => {
    const values = await device.call('get_prop', ['power', 'temperature'])
    if (values.length !== 2) throw new Error(`expected two values, got ${JSON.stringify(values)}`)
  }
})

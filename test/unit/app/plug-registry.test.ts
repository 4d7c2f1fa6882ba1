import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {PlugRegistry} from '../../../src/app/plug-registry.ts'
import {parseConfig} from '../../../src/config/config.ts'
import {FirmwareCapabilities} from '../../../src/device/polling/firmware-capabilities.ts'
import {PollLimit} from '../../../src/device/polling/poll-limit.ts'
import {createLog} from '../../../src/log/logger.ts'
import {NetworkDiscovery} from '../../../src/miio/discovery.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import {EnergyStore} from '../../../src/storage/energy-store.ts'
import {StateStore} from '../../../src/storage/state-store.ts'
import {MemoryNetwork} from '../../support/memory-network.ts'
import {TOKEN} from '../../support/token.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

test.each([
  {count: 100, spread: 500, why: 'a few plugs are done sooner'},
  {count: 250, spread: 1000, why: 'one interval'},
  {count: 500, spread: 1250, why: 'not faster than the bridge can take'},
])('the first polls of $count plugs at an interval of 1 s begin within $spread ms: $why', async (row) => {
  const clock = new VirtualClock()
  const network = new MemoryNetwork(clock)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-registry-'))
  const shared = {clock, random: seeded(1), log: createLog({level: 'error'})}
  const store = await StateStore.open(folder, shared)
  const energyStore = await EnergyStore.open(folder, shared)
  const plugs = Array.from({length: row.count}, (_, at) => [`desk ${at}`, {id: 1000 + at, token: TOKEN}])
  const text = JSON.stringify({poll: {interval: '1s'}, devices: Object.fromEntries(plugs)})
  const registry = new PlugRegistry(parseConfig(text, {file: 'config.yaml', env: {}}), {
    ...shared,
    socket: network,
    discovery: new NetworkDiscovery({socket: network, clock, broadcast: []}),
    store,
    energyStore,
    findModel: (id) => builtIn.find(id),
    pollLimit: new PollLimit(clock),
    capabilitiesOf: () => new FirmwareCapabilities(),
  })
  expect(registry.start()).toBe(row.spread)
  await registry.stop(0)
  await Promise.all([store.close(), energyStore.close()])
  await rm(folder, {recursive: true, force: true})
})

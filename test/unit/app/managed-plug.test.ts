import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {DeviceIdOwners} from '../../../src/app/device-id-owners.ts'
import {ManagedPlug} from '../../../src/app/managed-plug.ts'
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

test('a disabled plug is offline, is sent nothing, and is never overdue for the watchdog', async () => {
  const clock = new VirtualClock()
  const network = new MemoryNetwork(clock)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-plug-'))
  const shared = {clock, random: seeded(1), log: createLog({level: 'error'})}
  const store = await StateStore.open(folder, shared)
  const ledger = await EnergyStore.open(folder, shared)
  const devices = {desk: {host: '192.168.1.40', token: TOKEN, disabled: true}}
  const {devices: configured, poll} = parseConfig(JSON.stringify({devices}), {file: 'config.yaml', env: {}})
  const plug = new ManagedPlug(
    {name: 'desk', config: configured['desk'] ?? expect.fail(), poll},
    {
      ...shared,
      socket: network,
      discovery: new NetworkDiscovery({socket: network, clock, broadcast: []}),
      store,
      energyStore: ledger,
      owners: new DeviceIdOwners(),
      pollLimit: new PollLimit(clock),
      findModel: (id) => builtIn.find(id),
      capabilitiesOf: () => new FirmwareCapabilities(),
      listener: {},
    },
    0,
  )
  plug.start()
  await clock.advance(3_600_000)
  plug.resumed()
  await clock.advance(3_600_000)
  expect(plug.device.availability).toMatchObject({state: 'offline', reason: 'disabled'})
  expect([plug.overdue(), network.sent]).toEqual([0, []])
  await plug.stop(0)
  await Promise.all([store.close(), ledger.close()])
  await rm(folder, {recursive: true, force: true})
})

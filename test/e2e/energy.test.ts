import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {Catalogue} from '../../src/models/catalogue.ts'
import {loopback} from '../support/addresses.ts'
import {configText, startBridge, startPlug} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {meteringModel} from '../support/metering-model.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

describe('energy', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-energy-'))
  const heater = await startPlug({
    address: loopback(1, 1),
    model: 'chuangmi.plug.v3',
    state: {state: 'ON', power: 4800},
  })
  const plugs = {heater}
  afterAll(() => rm(folder, {recursive: true, force: true}))

  const states = () => user.on('miio2mqtt/heater').map(({payload}) => JSON.parse(payload))
  const energies = () => states().flatMap(({energy}) => (energy === null ? [] : [Number(energy)]))
  const written = async () => JSON.parse(await readFile(join(folder, 'energy.json'), 'utf8')).plugs
  const devices = async () => JSON.parse((await user.retained()).get('miio2mqtt/bridge/devices') ?? '[]')

  it('of a plug that reports only watts is added up, kept over a restart, and marked as integrated', async () => {
    const first = await startBridge({broker, plugs, folder})
    await user.waitFor('miio2mqtt/heater', ({payload}) => JSON.parse(payload).energy !== null)
    const polls = heater.received.length
    await until(() => heater.received.length >= polls + 6, {what: 'three more polls'})
    await first.stop()
    const {total: kept} = (await written())[heater.did]
    expect(kept).toBeGreaterThan(0.002)
    expect(kept).toBeLessThan(0.1)

    user.forget()
    const second = await startBridge({broker, plugs, folder})
    await until(() => energies().length > 0, {what: 'energy'})
    expect(energies()[0]).toBe(kept)
    const energy = expect.objectContaining({name: 'energy', source: 'integrated'})
    expect((await devices())[0].properties).toContainEqual(energy)
    await second.stop()
  })

  it('never falls when the bridge is killed, again and again', async () => {
    const config = join(folder, 'config.yaml')
    await writeFile(config, configText({broker, plugs}))
    user.forget()
    for (let kill = 1; kill <= 3; kill++) {
      const shown = energies().length
      const program = new Program(['--config', config], {env: {STATE_DIRECTORY: folder}})
      await until(() => energies().length > shown, {what: `energy of run ${kill}`})
      const polls = heater.received.length
      await until(() => heater.received.length >= polls + 4, {what: 'more than was written'})
      program.signal('SIGKILL')
      const {signal} = await program.waitForEnd()
      expect(signal).toBe('SIGKILL')
    }
    expect(energies()).toEqual(energies().toSorted((a, b) => a - b))
  })

  it('Energy never decreases, unless the plug itself reports less in two polls in a row.', async () => {
    const catalogue = new Catalogue([meteringModel])
    const counter = await startPlug({
      address: loopback(1, 2),
      model: 'test.plug.meter',
      catalogue,
      state: {energy: 10},
    })
    // A value of a counter is published once it is written: in this test, at the end of a run.
    const start = async () => {
      user.forget()
      const config = {poll: {interval: '1h', slow_interval: '1h'}}
      const bridge = await startBridge({broker, catalogue, plugs: {counter}, folder, config})
      await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')
      return bridge
    }
    const home = new CommandClient(broker, user)
    /** The published energy after a poll in which the plug reports so many kWh. */
    const shownAfter = async (energy: number) => {
      counter.state['energy'] = energy
      return (await home.publish('counter', 'get', '')).data?.['energy']
    }

    let bridge = await start()
    /** The same after one more run. */
    const shownInTheNextRun = async (energy: number) => {
      counter.state['energy'] = energy
      await bridge.stop()
      bridge = await start()
      return shownAfter(energy)
    }

    await shownAfter(10)
    expect(await shownInTheNextRun(10)).toBe(10)
    for (const less of [9, 0]) {
      expect(await shownAfter(less)).toBe(10)
      expect(await shownInTheNextRun(10)).toBe(10)
    }
    await shownAfter(10.1)
    expect(await shownInTheNextRun(10.1)).toBe(10.1)
    // It was reset, and counts from there.
    expect(await shownAfter(3)).toBe(10.1)
    await shownAfter(3.1)
    expect(await shownInTheNextRun(3.1)).toBe(3.1)
    await bridge.stop()
    const shown = home.states('counter').flatMap(({energy}) => energy ?? [])
    expect([...new Set(shown)]).toEqual([10, 10.1, 3.1])
  })

  it('and watts follow another scale; an implausible value is reported and published unchanged', async () => {
    heater.state['state'] = 'OFF'
    heater.state['usb'] = 'OFF'
    const properties = {power: {scale: 0.001}, powr: {scale: 1}, energy: {source: 'plug'}}
    const bridge = await startBridge({broker, plugs, devices: {heater: {properties}}})
    await user.waitFor('miio2mqtt/heater', ({payload}) => JSON.parse(payload).power === 480)
    const why = 'it is switched off'
    await user.waitFor('miio2mqtt/bridge/devices', ({payload}) => payload.includes(why))
    expect((await devices())[0].implausible).toEqual([{property: 'power', value: 480, raw: 480_000, why}])
    const warnings = bridge.log.filter(({level}) => level === 'warn').map(({message}) => message)
    expect(warnings).toEqual([
      'devices.heater.properties: ignored powr: Mi Smart Plug, enhanced, two USB ports has no such property; it has state, usb, temperature, led, power, energy, energy_today, rssi, last_seen; energy: the plug has no counter of its own',
      expect.stringMatching(
        /^heater \(127\.[\d.]+\): power 480 \(raw 480000\) cannot be right: it is switched off; it is published unchanged\. If its scale is wrong, set devices\.heater\.properties\.power\.scale$/,
      ),
    ])
  })
})

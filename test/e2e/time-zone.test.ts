import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect, it, onTestFinished} from 'vitest'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'

it.each([
  ['Pacific/Auckland', 'Pacific/Auckland'],
  ['UTC', 'UTC'],
])(
  'The time zone by which days begin, %s, is in bridge/info and in the first line of the log.',
  async (TZ, zone) => {
    const broker = await startMosquitto()
    const user = await Watcher.open(broker)
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-zone-'))
    onTestFinished(() => rm(folder, {recursive: true, force: true}))
    const config = join(folder, 'config.yaml')
    await writeFile(config, JSON.stringify({mqtt: {url: broker.url}, network: {broadcast: []}}))
    const program = new Program(['--config', config], {env: {TZ}})
    const {payload} = await user.waitFor('miio2mqtt/bridge/info')
    expect(JSON.parse(payload).time_zone).toBe(zone)
    program.signal('SIGTERM')
    const {stdout} = await program.waitForEnd()
    expect(stdout.split('\n')[0]).toContain(`time zone ${zone}`)
  },
)

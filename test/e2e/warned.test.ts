import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, inject, it} from 'vitest'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Program} from '../support/program.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-warned-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

describe.skipIf(!inject('tools').mosquitto)('A bridge that runs', async () => {
  const broker = await startMosquitto()
  const desk = await startPlug()
  const lamp = await startPlug()
  const config = join(folder, 'config.yaml')
  const text = (...plugs: string[]) =>
    `mqtt: {url: "${broker.url}"}\nnetwork: {broadcast: []}\ndevices:\n${plugs.map((plug) => `  ${plug}\n`).join('')}`
  const first = `desk:\n    host: ${desk.address}\n    token: ${TOKEN}\n    area: Kitchen #upstairs`
  const second = `lamp: {host: ${lamp.address}, token: ${TOKEN}}`

  it('logs each warning of its configuration once, at its start and when a reload brings a new one', async () => {
    await writeFile(config, text(first))
    const program = new Program(['run', '--config', config])
    const warned = () =>
      Array.from(program.stdout.matchAll(/ WARN .*?config\.yaml:(\d+:\d+ \S+): /g), ([, what]) => what)
    const cutOff = '7:5 devices.desk.area'
    await program.waitForOutput(/connected to mqtt:/)
    expect(warned()).toEqual([cutOff])

    await writeFile(config, text(first, second))
    program.signal('SIGHUP')
    await program.waitForOutput(/applied the configuration/)
    const shared = expect.stringMatching(/^8:\d+ devices\.lamp\.token$/)
    expect(warned()).toEqual([cutOff, shared])

    await writeFile(config, text('# moved', first, second.replace('{', '{area: Hall, ')))
    program.signal('SIGHUP')
    await program.waitForOutput(/(?:applied the configuration[\s\S]*){2}/)
    expect(warned()).toEqual([cutOff, shared])
    program.signal('SIGTERM')
    expect(await program.waitForEnd()).toMatchObject({code: 0})
  }, 60_000)
})

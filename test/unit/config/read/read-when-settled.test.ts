import {writeFileSync} from 'node:fs'
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import type {Clock} from '../../../../src/common/clock.ts'
import {type Config, editConfig, loadConfig, reloadConfig} from '../../../../src/config/config.ts'
import {TOKEN} from '../../../support/token.ts'
import {seeded} from '../../../support/virtual-clock.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-settled-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const plug = (n: number) => `  plug${n}: {host: 192.168.1.${n}, token: ${TOKEN}}\n`
const whole = `devices:\n${plug(1)}${plug(2)}${plug(3)}mqtt: {url: mqtt://broker.lan}\n`

/** A clock on which all pauses are over at once; `meanwhile` happens in the first of them. */
function pausing(...meanwhile: (() => Promise<unknown>)[]): Clock & {pauses: number} {
  const clock = {
    pauses: 0,
    time: 0,
    now: () => clock.time,
    date: () => new Date(clock.time),
    after: (ms: number, run: () => void) => {
      const happens = meanwhile[clock.pauses++] ?? (() => Promise.resolve())
      void happens().then(() => {
        clock.time += ms
        run()
      })
      return {cancel: () => {}}
    },
  }
  return clock
}

let files = 0
async function stage(text: string): Promise<{file: string; running: Config}> {
  const own = join(folder, `${files++}`)
  await mkdir(own)
  const file = join(own, 'config.yaml')
  await writeFile(file, whole)
  const running = await loadConfig(file, {})
  await writeFile(file, text)
  return {file, running}
}

const namesIn = ({devices}: Config) => Object.keys(devices)

describe('a configuration that is read while plugs are in use', () => {
  it.each([
    ['empty', ''],
    ['with comments only', '# devices: {}\n'],
    ['cut off before its devices', 'mqtt: {url: mqtt://broker.lan}\n'],
    ['cut off behind the word devices', 'mqtt: {url: mqtt://broker.lan}\ndevices:'],
    ['cut off behind the line of devices', 'mqtt: {url: mqtt://broker.lan}\ndevices:\n'],
    ['empty JSON', '{}'],
    ['with devices that are null', 'devices: ~\n'],
  ])('is refused when it is %s', async (_, text) => {
    const {file, running} = await stage(text)
    await expect(reloadConfig(file, {running, clock: pausing(), env: {}})).rejects.toThrow(/devices/)
    const edit = {path: ['devices', 'new'], put: {host: '192.168.1.9', token: TOKEN}}
    const options = {running, clock: pausing(), random: seeded(1), env: {}}
    await expect(editConfig(file, [edit], options)).rejects.toThrow(/devices/)
  })

  it.each(['devices: {}\n', 'devices:\n  {}\n', '{"devices": {}}'])('may have none: %j', async (text) => {
    const {file, running} = await stage(text)
    expect(namesIn(await reloadConfig(file, {running, clock: pausing(), env: {}}))).toEqual([])
  })

  it('is read again when it was being saved, wherever the part that was there ended', async () => {
    for (let end = 0; end < whole.length; end += 7) {
      const {file, running} = await stage(whole.slice(0, end))
      const clock = pausing(() => writeFile(file, whole))
      expect(namesIn(await reloadConfig(file, {running, clock, env: {}}))).toEqual([
        'plug1',
        'plug2',
        'plug3',
      ])
    }
  })

  it('is read again until an editor that writes it in many parts is done', async () => {
    const {file, running} = await stage('')
    const parts = [40, 90, 140, whole.length].map((end) => () => writeFile(file, whole.slice(0, end)))
    const config = await reloadConfig(file, {running, clock: pausing(...parts), env: {}})
    expect(namesIn(config)).toEqual(['plug1', 'plug2', 'plug3'])
  })

  it('is refused when a program keeps writing it', async () => {
    const {file, running} = await stage(whole)
    let times = 0
    const again = () => writeFile(file, whole + '#'.repeat(++times))
    const clock = pausing(...Array.from({length: 100}, () => again))
    await expect(reloadConfig(file, {running, clock, env: {}})).rejects.toThrow('still being written')
    expect(times).toBeLessThan(100)
  })

  it.each([
    [
      'secrets.yaml',
      'devices: {plug1: {host: 192.168.1.1, token: !secret t}}\n',
      'secrets.yaml',
      `t: ${TOKEN}\n`,
    ],
    ['a file of its own', 'devices: {plug1: {host: 192.168.1.1, token: !file t}}\n', 't', `${TOKEN}\n`],
  ])('is read again when %s was being saved', async (_, text, name, content) => {
    const {file, running} = await stage(text)
    const other = join(file, '..', name)
    await writeFile(other, content.slice(0, 12))
    const clock = pausing(() => writeFile(other, content))
    const config = await reloadConfig(file, {running, clock, env: {}})
    expect(config.devices['plug1']?.token.reveal()).toBe(TOKEN)
  })

  it('is read again when a definition was being saved, or added', async () => {
    const {file, running} = await stage(`models: own\n${whole}`)
    const own = join(file, '..', 'own')
    await mkdir(own)
    const clock = pausing(
      () => writeFile(join(own, 'a.yaml'), 'ids: ['),
      () => rm(join(own, 'a.yaml')),
    )
    expect(namesIn(await reloadConfig(file, {running, clock, env: {}}))).toHaveLength(3)
    expect(clock.pauses).toBe(3)
  })
})

describe('an edit by request', () => {
  const edit = {path: ['devices', 'plug1', 'area'], put: 'Hall'}

  it('waits until the file is saved, and edits the saved text', async () => {
    const {file, running} = await stage(whole.slice(0, 60))
    const clock = pausing(() => writeFile(file, whole))
    const config = await editConfig(file, [edit], {running, clock, random: seeded(1), env: {}})
    expect(namesIn(config)).toEqual(['plug1', 'plug2', 'plug3'])
    expect((await loadConfig(file, {})).devices['plug1']?.area).toBe('Hall')
  })

  it('is refused when another program saves the file meanwhile, and the saved text stays', async () => {
    const {file, running} = await stage(whole)
    const saved = `${whole}log: {level: debug}\n`
    let writes = 0
    const random = () => {
      if (writes++ === 0) writeFileSync(file, saved) // the name of the new file is drawn right before it is written
      return 0.5
    }
    await expect(editConfig(file, [edit], {running, clock: pausing(), random, env: {}})).rejects.toThrow(
      'changed by another program',
    )
    expect(await readFile(file, 'utf8')).toBe(saved)
    expect(await readdir(join(file, '..'))).toEqual(['config.yaml'])
  })

  it('returns the configuration of the edited file', async () => {
    const {file, running} = await stage(whole)
    const config = await editConfig(file, [edit], {running, clock: pausing(), random: seeded(1), env: {}})
    expect(config).toEqual(await loadConfig(file, {}))
  })
})

import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {createLog} from '../../../src/log/logger.ts'
import {EnergyStore} from '../../../src/storage/energy-store.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {seeded, settle, VirtualClock} from '../../support/virtual-clock.ts'

const MINUTE = 60_000

let folder: string
let clock: VirtualClock
let lines: string[]

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'miio2mqtt-energy-')), 'state')
  clock = new VirtualClock()
  lines = []
})

afterEach(() => rm(join(folder, '..'), {recursive: true}))

function open(): Promise<EnergyStore> {
  const log = createLog({destination: {write: (line) => lines.push(line)}})
  return EnergyStore.open(folder, {clock, log, random: seeded(1)})
}

const file = () => join(folder, 'energy.json')
const inode = async () => (await stat(file(), {bigint: true})).ino
const memory = (total: number) => ({total, today: 0.5, day: '2026-01-31', moved: 1})
const warnings = () => lines.filter((line) => line.includes('WARN'))

describe('the energy store', () => {
  it('returns an entry as persisted only once it is in the file', async () => {
    const store = await open()
    store.record(7, memory(1))
    expect(store.persisted(7)).toBeUndefined()
    const saved = store.save()
    await settle() // the write is under way
    store.record(7, memory(2))
    await saved
    expect(store.persisted(7)).toEqual(memory(1))
    await store.close()
    expect(store.persisted(7)).toEqual(memory(2))
    expect(clock.pending).toBe(0)
  })

  it('returns it after a restart', async () => {
    const store = await open()
    store.record(7, memory(1.234))
    store.record(8, {...memory(2), stuck: true})
    await store.close()
    const next = await open()
    expect(next.persisted(7)).toEqual(memory(1.234))
    expect(next.persisted(8)).toEqual({...memory(2), stuck: true})
    expect(next.persisted(9)).toBeUndefined()
  })

  it('is written within seconds for a new plug, and once a minute for all others', async () => {
    const store = await open()
    store.record(7, memory(1))
    await clock.advance(2000)
    await store.save()
    const first = await inode()
    for (let seconds = 0; seconds < 58; seconds++) {
      store.record(7, memory(2 + seconds))
      await clock.advance(1000)
    }
    expect(await inode()).toBe(first)
    expect(clock.pending).toBe(1)
    await clock.advance(2000)
    expect(clock.pending).toBe(0)
    await store.save()
    expect(await inode()).not.toBe(first)
    expect(store.persisted(7)).toEqual(memory(59))
  })

  it('is not written while nothing changes', async () => {
    const store = await open()
    store.record(7, memory(1))
    await store.save()
    const before = await inode()
    await clock.advance(10 * MINUTE)
    await store.close()
    expect(await inode()).toBe(before)
  })

  it('persists nothing that cannot be written, warns once, and continues when it can be', async () => {
    await writeFile(folder, 'a file where the folder should be')
    const store = await open()
    store.record(7, memory(1))
    await store.save()
    await store.save()
    expect(store.persisted(7)).toBeUndefined()
    expect(warnings()).toHaveLength(1)
    expect(warnings()[0]).toContain('energy stays at the last saved value')
    await rm(folder)
    await clock.advance(MINUTE)
    await store.close()
    expect(store.persisted(7)).toEqual(memory(1))
  })

  it('drops only invalid entries, with one warning that names them', async () => {
    await mkdir(folder)
    const plugs = {7: memory(1), 8: memory(-1), 9: 'x', 10: {...memory(1), total: null}}
    await writeFile(file(), JSON.stringify({version: 1, plugs}))
    const store = await open()
    expect([7, 8, 9, 10].map((did) => store.persisted(did))).toEqual([
      memory(1),
      undefined,
      undefined,
      undefined,
    ])
    expect(warnings()).toHaveLength(1)
    for (const did of [8, 9, 10]) expect(warnings()[0]).toContain(`plugs.${did}`)
  })

  it.each([
    ['cut short', '{"version":1,"plu'],
    ['of a later version', '{"version":2,"plugs":{}}'],
  ])('that is %s is renamed with one warning', async (_, content) => {
    await mkdir(folder)
    await writeFile(file(), content)
    const store = await open()
    expect(store.persisted(7)).toBeUndefined()
    expect(warnings()).toHaveLength(1)
    expect((await readdir(folder)).filter((name) => name.startsWith('energy.json.bad-'))).toHaveLength(1)
  })

  it('never has less than was persisted, after kill -9 at any moment', async () => {
    const program = bundledProgram(new URL('energy-store-writer.ts', import.meta.url))
    const random = seeded(48)
    let shown = -1
    for (let kill = 0; kill < 15; kill++) {
      const child = spawn(process.execPath, [program, folder, '500'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.on('data', (data) => {
        output += data
      })
      while (output.split('\n').length < 3) await once(child.stdout, 'data') // more than the last one has written
      await new Promise((resolve) => setTimeout(resolve, 30 * random()))
      child.kill('SIGKILL')
      await once(child, 'close')
      const totals = output.split('\n').slice(0, -1).map(Number)
      expect(totals[0]).toBeGreaterThanOrEqual(shown)
      shown = totals.at(-1) ?? shown
      const store = await open()
      for (let did = 1; did <= 500; did++) expect(store.persisted(did)?.total).toBeGreaterThanOrEqual(shown)
    }
    expect(shown).toBeGreaterThanOrEqual(15)
    expect(warnings()).toEqual([])
    expect(await readdir(folder)).toEqual(['energy.json'])
  })

  it('holds ten thousand plugs in a file of about a megabyte', async () => {
    const store = await open()
    for (let did = 1; did <= 10_000; did++) store.record(did, memory(did))
    await store.close()
    expect((await open()).persisted(9_999)).toEqual(memory(9_999))
    expect((await readFile(file())).length).toBeLessThan(1_200_000)
  })
})

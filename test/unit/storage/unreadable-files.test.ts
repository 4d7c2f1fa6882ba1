import {execFileSync} from 'node:child_process'
import {mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it, onTestFinished} from 'vitest'
import {makeFolder} from '../../../src/common/atomic-write.ts'
import {Secret} from '../../../src/common/secret.ts'
import {EnergyStore} from '../../../src/storage/energy-store.ts'
import {StateFolderError} from '../../../src/storage/json-file.ts'
import {StateStore} from '../../../src/storage/state-store.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const TOKEN = new Secret('00112233445566778899aabbccddeeff')

let folder: string
let clock: VirtualClock
let log: RememberingLog

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-state-folder-'))
  clock = new VirtualClock()
  log = new RememberingLog()
})

afterEach(() => rm(folder, {recursive: true}))

const dependencies = () => ({clock, log, random: seeded(1)})
const opened = {
  'state.json': () => StateStore.open(folder, dependencies()),
  'energy.json': () => EnergyStore.open(folder, dependencies()),
}
const warnings = () => log.messages('warn')
const energy = {total: 12.5, today: 0.5, day: '2026-01-01', moved: 1}

describe.each(['state.json', 'energy.json'] as const)('%s', (name) => {
  const open = opened[name]
  const file = () => join(folder, name)

  it.each([
    ['is a folder', () => mkdir(file()), /it is no regular file.*move it away/],
    ['is a pipe without a writer', () => execFileSync('mkfifo', [file()]), /it is no regular file/],
    ['is a device that never ends', () => symlink('/dev/zero', file()), /it is no regular file/],
    ['is a link to itself', () => symlink(file(), file()), /a link to itself.*remove the link/],
    ['cannot be read from its disk', () => symlink('/proc/self/mem', file()), /\(EIO\).*check the disk/],
    ['is longer than any of ours', () => execFileSync('truncate', ['-s', '1G', file()]), /got 1073741824/],
    ['is a socket', () => listen(file()), /it is no regular file/],
  ])('that %s is one error, and nothing is changed', async (_, make, message) => {
    await make()
    const before = await readdir(folder)
    await expect(open()).rejects.toThrow(StateFolderError)
    await expect(open()).rejects.toThrow(message)
    await expect(open()).rejects.toThrow(file())
    await expect(open()).rejects.not.toThrow(/\n/)
    expect(await readdir(folder)).toEqual(before)
    expect(log.lines).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('is read also when a temporary file beside it cannot be removed', async () => {
    await mkdir(`${file()}.0a1b2c3d.tmp`)
    await (await open()).close()
    expect(warnings()).toEqual([])
  })

  it.each([
    ['nothing but zeros', '\0'.repeat(4096)],
    ['null', 'null'],
    ['a number', '7'],
    ['a text', '"state"'],
    ['a list', '[]'],
    ['two objects', '{}{}'],
  ])('that holds %s is renamed with one warning', async (_, text) => {
    await writeFile(file(), text)
    await (await open()).close()
    expect(warnings()).toHaveLength(1)
    const [aside = ''] = (await readdir(folder)).filter((each) => each.startsWith(`${name}.bad-`))
    expect(await readFile(join(folder, aside), 'utf8')).toBe(text)
  })

  it('may be damaged at every start: only the newest few bad files are kept', async () => {
    await writeFile(join(folder, `${name}.bad-of-mine`), 'not ours to remove')
    for (let start = 1; start <= 10; start++) {
      await writeFile(file(), `broken ${start}`)
      await (await open()).close()
      await clock.advance(1000)
    }
    const aside = (await readdir(folder)).filter((each) => each.startsWith(`${name}.bad-2`)).sort()
    const kept = await Promise.all(aside.map((each) => readFile(join(folder, each), 'utf8')))
    expect(kept).toEqual(['broken 8', 'broken 9', 'broken 10'])
    expect(await readdir(folder)).toContain(`${name}.bad-of-mine`)
  })

  it('of an editor that begins a file with a byte order mark is read', async () => {
    await writeFile(file(), '\uFEFF{"version":1,"client_id":"c","plugs":{}}')
    await (await open()).close()
    expect(warnings()).toEqual([])
  })

  it.each([
    ['no version', {}],
    ['a version that is none', {version: 'one'}],
    ['a version of null', {version: null}],
    ['unknown fields', {version: 1, next: {deep: [1, {2: 3}]}, __proto__: {a: 1}}],
  ])('with %s keeps its plugs', async (_, fields) => {
    const plugs = {7: {...energy, fingerprint: 'ab', name: 'desk', colour: 'red'}}
    await writeFile(file(), JSON.stringify({client_id: 'c', plugs, ...fields}))
    const read = await open()
    expect(read instanceof EnergyStore ? read.persisted(7) : read.find({id: 7, token: TOKEN})).toMatchObject(
      read instanceof EnergyStore ? energy : {name: 'desk'},
    )
    expect(warnings()).toEqual([])
    await read.close()
  })

  it('with invalid keys and entries loses only those, with one warning that names them', async () => {
    const good = {...energy, fingerprint: 'ab', name: 'desk'}
    const odd = ['0', '-1', '1.5', '1e3', '07', ' 7', '', 'e_str', 'e_badkey', '99999999999999999999']
    const wrong = {8: 'x', 9: null, 10: [], 11: 5, 12: {}}
    const text = JSON.stringify({
      version: 1,
      client_id: 'c',
      plugs: {7: good, ...Object.fromEntries(odd.map((key) => [key, good])), ...wrong},
    }).replace('{"7"', '{"__proto__":{"total":1},"7"')
    await writeFile(file(), text)
    const read = await open()
    if (read instanceof EnergyStore) expect(read.persisted(7)).toMatchObject(energy)
    else {
      const found = [7, 0, -1, 1.5, 1000, 8, 9, 10, 11, 12].map((id) => read.find({id, token: TOKEN}))
      expect(found.filter((plug) => plug !== undefined)).toEqual([{did: 7, name: 'desk'}])
    }
    expect(warnings()).toHaveLength(1)
    expect(warnings()[0]).toContain(file())
    expect(warnings()[0]).toContain('"plugs.0"')
    expect(warnings()[0]).toMatch(/and \d+ more/)
    expect(await readdir(folder)).toEqual([name])
    await read.close()
  })

  it.each([
    ['a list', '[]'],
    ['a text', '"x"'],
    ['null', 'null'],
  ])('whose plugs are %s is one warning, and a normal start', async (_, plugs) => {
    await writeFile(file(), `{"version":1,"client_id":"c","plugs":${plugs}}`)
    await (await open()).close()
    expect(warnings()).toEqual([expect.stringContaining('"plugs" (expected a mapping)')])
  })

  it('drops no plug with the id 0, because it never stores one', async () => {
    const read = await open()
    if (read instanceof EnergyStore) {
      read.record(0, energy)
      read.record(7, energy)
    } else {
      read.remember(0, TOKEN, {name: 'liar'})
      read.remember(7, TOKEN, {name: 'desk'})
    }
    await read.close()
    expect(Object.keys(JSON.parse(await readFile(file(), 'utf8')).plugs)).toEqual(['7'])
    await (await open()).close()
    expect(warnings()).toEqual([])
  })
})

describe('the state folder', () => {
  it('is made with the folders above it, for its owner only', async () => {
    folder = join(folder, 'a/b')
    await (await opened['state.json']()).close()
    expect(await readdir(folder)).toEqual(['state.json'])
    folder = join(folder, '../..')
  })

  it('where none can be made is an error at once, and no endless loop', async () => {
    await expect(makeFolder('/proc/nowhere/state')).rejects.toThrow('ENOENT')
  })
})

describe('kilowatt-hours', () => {
  it('of plugs that are no longer configured are kept, up to twenty thousand plugs, and those that changed longest ago go first', async () => {
    const store = await opened['energy.json']()
    for (let did = 1; did <= 20_000; did++) store.record(did, {...energy, moved: did})
    store.record(1, {...energy, total: 13})
    store.record(20_001, energy)
    await store.close()
    const {plugs} = JSON.parse(await readFile(join(folder, 'energy.json'), 'utf8'))
    expect(Object.keys(plugs)).toHaveLength(20_000)
    expect(plugs[1].total).toBe(13)
    expect(plugs[2]).toBeUndefined()
  })
})

describe('plugs that are no longer configured', () => {
  const DAY = 24 * 3_600_000
  const open = opened['state.json']
  const tokenOf = (did: number) => new Secret(did.toString(16).padStart(32, '0'))

  it('stay for 90 days after they were first missing, over restarts, and then removed', async () => {
    const first = await open()
    for (const did of [7, 8]) first.remember(did, tokenOf(did), {name: `plug ${did}`})
    first.markConfigured(new Set([7]))
    await first.close()
    await clock.advance(89 * DAY)
    const second = await open()
    second.markConfigured(new Set([7]))
    expect(second.find({token: tokenOf(8)})).toEqual({did: 8, name: 'plug 8'})
    await clock.advance(2 * DAY)
    second.markConfigured(new Set([7]))
    expect(second.find({token: tokenOf(7)})).toEqual({did: 7, name: 'plug 7'})
    expect(second.find({token: tokenOf(8)})).toBeUndefined()
    expect(second.find({id: 8, token: tokenOf(8)})).toBeUndefined()
    await second.close()
    const {plugs} = JSON.parse(await readFile(join(folder, 'state.json'), 'utf8'))
    expect(Object.keys(plugs)).toEqual(['7'])
  })

  it('stay for another 90 days once they were configured again', async () => {
    const store = await open()
    store.remember(8, TOKEN, {name: 'desk'})
    store.markConfigured(new Set())
    await clock.advance(80 * DAY)
    store.markConfigured(new Set([8]))
    store.markConfigured(new Set())
    await clock.advance(80 * DAY)
    store.markConfigured(new Set())
    expect(store.find({id: 8, token: TOKEN})).toEqual({did: 8, name: 'desk'})
    await store.close()
  })

  it('are 500 at most: those that are missing for longest go first', async () => {
    const store = await open()
    for (let did = 1; did <= 600; did++) store.remember(did, tokenOf(did), {})
    store.markConfigured(new Set(Array.from({length: 598}, (_, index) => index + 1)))
    await clock.advance(DAY)
    store.markConfigured(new Set([1]))
    const dids = Array.from({length: 600}, (_, index) => index + 1)
    const left = dids.filter((id) => store.find({id, token: tokenOf(id)}))
    expect(left).toHaveLength(501)
    expect(left).toContain(1)
    expect(left).not.toContain(599)
    expect(left).not.toContain(600)
    await store.close()
  })

  it('are not removed by a clock that was not set yet', async () => {
    const store = await open()
    store.remember(8, TOKEN, {name: 'desk'})
    const {date} = clock
    clock.date = () => new Date(0)
    store.markConfigured(new Set())
    clock.date = date
    store.markConfigured(new Set())
    expect(store.find({id: 8, token: TOKEN})).toEqual({did: 8, name: 'desk'})
    await store.close()
  })
})

async function listen(path: string): Promise<void> {
  const server = createServer().listen(path)
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
}

import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {Secret} from '../../../src/common/secret.ts'
import {createLog} from '../../../src/log/logger.ts'
import {capabilitiesLookup, StateStore} from '../../../src/storage/state-store.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {seeded, VirtualClock} from '../../support/virtual-clock.ts'

const TOKEN = new Secret('00112233445566778899aabbccddeeff')
const OTHER_TOKEN = new Secret('ffeeddccbbaa99887766554433221100')

let folder: string
let clock: VirtualClock
let lines: string[]

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'miio2mqtt-state-')), 'state')
  clock = new VirtualClock()
  lines = []
})

afterEach(() => rm(join(folder, '..'), {recursive: true}))

function open(seed = 1): Promise<StateStore> {
  const log = createLog({destination: {write: (line) => lines.push(line)}})
  return StateStore.open(folder, {clock, log, random: seeded(seed)})
}

const file = () => join(folder, 'state.json')
const readBack = async () => JSON.parse(await readFile(file(), 'utf8'))
const tokenOf = (did: number) => new Secret(did.toString(16).padStart(32, '0'))
const warnings = () => lines.filter((line) => line.includes('WARN'))

describe('the state of a plug', () => {
  it('survives a restart', async () => {
    const store = await open()
    store.remember(7, TOKEN, {name: 'desk', model: 'chuangmi.plug.v3', host: '192.0.2.7', messageId: 12})
    await store.close()

    const found = (await open()).find({id: 7, token: TOKEN})
    expect(found).toEqual({did: 7, name: 'desk', model: 'chuangmi.plug.v3', host: '192.0.2.7', messageId: 12})
  })

  it('is merged: undefined in a later patch changes nothing', async () => {
    const store = await open()
    store.remember(7, TOKEN, {name: 'desk', model: 'chuangmi.plug.v3'})
    store.remember(7, TOKEN, {host: '192.0.2.8', model: undefined})
    const merged = {did: 7, name: 'desk', model: 'chuangmi.plug.v3', host: '192.0.2.8'}
    expect(store.find({id: 7, token: TOKEN})).toEqual(merged)
    await store.close()
  })

  it('is found by the token alone, whatever the plug is called, and the token is not in the file', async () => {
    const store = await open()
    store.remember(7, TOKEN, {name: 'desk'})
    await store.close()

    const reopened = await open()
    expect(reopened.find({token: TOKEN})).toMatchObject({did: 7})
    expect(reopened.find({token: OTHER_TOKEN})).toBeUndefined()
    expect((await readFile(file(), 'utf8')).toLowerCase()).not.toContain(TOKEN.reveal())
  })

  it('is never that of another id, though the token would fit', async () => {
    const store = await open()
    store.remember(7, TOKEN, {})
    expect(store.find({id: 8, token: TOKEN})).toBeUndefined()
    await store.close()
  })

  it('follows a plug whose token changed', async () => {
    const store = await open()
    store.remember(7, TOKEN, {name: 'desk'})
    store.remember(7, OTHER_TOKEN, {})
    expect(store.find({token: OTHER_TOKEN})).toEqual({did: 7, name: 'desk'})
    expect(store.find({token: TOKEN})).toBeUndefined()
    await store.close()
  })

  it('has the same client id at every start, and another one elsewhere', async () => {
    const {clientId} = await open(1)
    expect(clientId).toMatch(/^miio2mqtt_[0-9a-f]{8}$/)
    expect((await open(2)).clientId).toBe(clientId)
    await rm(folder, {recursive: true})
    expect((await open(3)).clientId).not.toBe(clientId)
  })

  it('holds ten thousand plugs', async () => {
    const store = await open()
    for (let did = 1; did <= 10_000; did++) store.remember(did, tokenOf(did), {name: `plug ${did}`})
    await store.close()
    const reopened = await open()
    const dids = Array.from({length: 10_000}, (_, index) => index + 1)
    expect(dids.map((did) => reopened.find({token: tokenOf(did)})?.name)).toEqual(
      dids.map((did) => `plug ${did}`),
    )
  })
})

describe('writing', () => {
  const written = async () => (await stat(file(), {bigint: true})).ino
  const untilWritten = (store: StateStore) => store.save()

  it('happens once for many changes, two seconds after the first', async () => {
    const store = await open()
    const before = await written()
    store.remember(1, TOKEN, {name: 'a'})
    await clock.advance(1_500)
    store.remember(2, OTHER_TOKEN, {name: 'b'})
    expect(clock.pending).toBe(1)
    await clock.advance(500)
    expect(clock.pending).toBe(0)
    await untilWritten(store)
    expect(await written()).not.toBe(before)
    expect(Object.keys((await readBack()).plugs)).toEqual(['1', '2'])
  })

  it('happens later with thousands of plugs, since all of them are written: 1 ms for each', async () => {
    const store = await open()
    for (let did = 1; did <= 5000; did++) store.remember(did, tokenOf(did), {name: `plug ${did}`})
    await store.save()
    const before = await written()
    store.remember(1, tokenOf(1), {name: 'a'})
    await clock.advance(4_999)
    expect([clock.pending, await written()]).toEqual([1, before])
    await clock.advance(1)
    expect(clock.pending).toBe(0)
    await untilWritten(store)
    expect(await written()).not.toBe(before)
  })

  it('does not happen when nothing changed', async () => {
    const store = await open()
    store.remember(1, TOKEN, {name: 'a'})
    await store.save()
    const before = await written()
    store.remember(1, TOKEN, {name: 'a'})
    expect(clock.pending).toBe(0)
    await store.close()
    expect(await written()).toBe(before)
  })

  it('happens much later for message ids, which change with every request', async () => {
    const store = await open()
    store.remember(1, TOKEN, {name: 'a', messageId: 1})
    await store.save()
    store.remember(1, TOKEN, {messageId: 2})
    await clock.advance(60_000)
    expect(clock.pending).toBe(1)
    store.remember(1, TOKEN, {name: 'b'})
    await clock.advance(2_000)
    expect(clock.pending).toBe(0)
    await untilWritten(store)
    expect((await readBack()).plugs['1']).toMatchObject({name: 'b', messageId: 2})
  })

  it('makes a file that only its owner can read, and no other file', async () => {
    await (await open()).close()
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['state.json'])
  })

  it('includes a change that was made while another write was under way', async () => {
    const store = await open()
    store.remember(1, TOKEN, {name: 'a'})
    const first = store.save()
    store.remember(1, TOKEN, {name: 'b'})
    await Promise.all([first, store.save()])
    expect((await readBack()).plugs['1'].name).toBe('b')
    await store.close()
    expect(clock.pending).toBe(0)
  })
})

describe('a damaged file', () => {
  it.each([
    ['cut short', '{"version":1,"client_id":"miio2mqtt_1","plu'],
    ['empty', ''],
    ['of something else', '[1,2,3]'],
    ['of a later version', '{"version":2,"client_id":"x","plugs":{}}'],
  ])('that is %s is renamed with one warning, and the bridge starts', async (_, content) => {
    await mkdir(folder)
    await writeFile(file(), content)
    const store = await open()
    await store.close()
    expect((await readBack()).plugs).toEqual({})
    expect(warnings()).toHaveLength(1)
    const renamed = (await readdir(folder)).find((name) => name.startsWith('state.json.bad-2026-01-01T'))
    expect(await readFile(join(folder, renamed ?? ''), 'utf8')).toBe(content)
  })

  it('loses only invalid and unknown fields', async () => {
    const plug = {fingerprint: 'ab', name: 'desk', port: 'x', colour: 'red'}
    await mkdir(folder)
    await writeFile(file(), JSON.stringify({version: 1, client_id: 'c', plugs: {7: plug}, more: 1}))
    const store = await open()
    expect(store.find({id: 7, token: TOKEN})).toEqual({did: 7, name: 'desk'})
    store.remember(7, TOKEN, {model: 'm'})
    await store.close()
    expect(Object.keys((await readBack()).plugs['7'])).not.toContain('colour')
    expect(warnings()).toEqual([])
  })

  it('has no temporary files of a killed process beside it after a start', async () => {
    await mkdir(folder)
    await writeFile(`${file()}.0a1b2c3d.tmp`, '{"ver')
    await (await open()).close()
    expect(await readdir(folder)).toEqual(['state.json'])
  })
})

describe('a folder that cannot be written', () => {
  it('costs one warning, and one line once it can be written again', async () => {
    await writeFile(folder, 'a file where the folder should be')
    const store = await open()
    store.remember(7, TOKEN, {name: 'desk'})
    await store.save()
    await store.save()
    expect(warnings()).toHaveLength(1)
    expect(store.find({token: TOKEN})).toMatchObject({name: 'desk'})

    await rm(folder)
    await clock.advance(60_000)
    await store.save()
    expect((await readBack()).plugs['7'].name).toBe('desk')
    expect(lines.filter((line) => line.includes('INFO'))).toHaveLength(1)
    await store.close()
    expect(clock.pending).toBe(0)
  })
})

describe('the file on disk', () => {
  const program = bundledProgram(new URL('state-writer.ts', import.meta.url))
  const writer = (...more: string[]) => [program, folder, ...more]

  it('is whole after kill -9 at any moment', async () => {
    const random = seeded(48)
    for (let kill = 0; kill < 15; kill++) {
      const child = spawn(process.execPath, writer('500'), {stdio: ['ignore', 'pipe', 'inherit']})
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, 30 * random()))
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(Object.keys((await readBack()).plugs)).toHaveLength(500)
    }
    const store = await open()
    for (let did = 1; did <= 500; did++) expect(store.find({token: tokenOf(did)})).toMatchObject({did})
    expect(warnings()).toEqual([])
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('keeps its old content when the disk takes only a part of the new', async () => {
    const store = await open()
    store.remember(7, TOKEN, {name: 'desk'})
    await store.close()
    const before = await readFile(file(), 'utf8')

    // A limit on the size of files acts like a full disk: a short write first, an error only at the next.
    const limited = ['-c', 'ulimit -f 8; exec "$0" "$@"', process.execPath, ...writer('1000', '2')]
    const child = spawn('/bin/sh', limited, {stdio: ['ignore', 'pipe', 'pipe']})
    let log = ''
    child.stderr.on('data', (data) => {
      log += data
    })
    const [code] = await once(child, 'close')

    expect(code).toBe(0)
    expect(log.match(/WARN/g)).toHaveLength(1)
    expect(log).toContain('EFBIG')
    expect(await readFile(file(), 'utf8')).toBe(before)
    expect(await readdir(folder)).toEqual(['state.json'])
  })
})

it('Capabilities of a model are stored over restarts, but not those of an own model, whose definition may have changed.', async () => {
  const store = await open()
  const models = ['cuco.plug.v3', 'acme.plug.one']
  const run = () => capabilitiesLookup(store, new Set(['acme.plug.one']))
  const first = run()
  for (const model of models) {
    expect(first(model, '1.0')).toBe(first(model, '1.0'))
    first(model, '1.0').limitBatch(2)
    expect(first(model, '1.0').batch).toBe(2)
  }
  const second = run()
  expect(models.map((model) => second(model, '1.0').batch)).toEqual([2, undefined])
  await store.close()
})

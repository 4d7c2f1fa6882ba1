import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {HEALTH_FILE_VARIABLE, HealthFile} from '../../../src/app/health-file.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-health-'))
  path = join(folder, 'health')
})

afterEach(() => rm(folder, {recursive: true}))

describe('the heartbeat', () => {
  it('is one complete file, with no other beside it', async () => {
    const health = new HealthFile(path, new VirtualClock())
    await health.beat(true)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ok: true, at: '2026-01-01T00:00:00.000Z'})
    expect(await readdir(folder)).toEqual(['health'])
  })

  it('has the last state when heartbeats come faster than the disk writes', async () => {
    const health = new HealthFile(path, new VirtualClock())
    await Promise.all(Array.from({length: 50}, (_, i) => health.beat(i < 49)))
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ok: false})
    expect(await readdir(folder)).toEqual(['health'])
  })

  it('is not written without HEALTH_FILE', async () => {
    await new HealthFile(undefined, new VirtualClock()).beat(true)
    expect(await readdir(folder)).toEqual([])
  })

  it('that cannot be written harms neither the daemon nor the next one', async () => {
    const later = join(folder, 'later')
    const health = new HealthFile(join(later, 'health'), new VirtualClock())
    await health.beat(true)
    expect(await readdir(folder)).toEqual([])
    await mkdir(later)
    await health.beat(true)
    expect(await readdir(later)).toEqual(['health'])
  })

  it('is written also beside the temporary file of a killed daemon', async () => {
    await writeFile(`${path}.${process.pid.toString(16)}.tmp`, 'half a be')
    const health = new HealthFile(path, new VirtualClock())
    await health.beat(true)
    await health.beat(true)
    expect(await readdir(folder)).toEqual(['health'])
  })
})

describe('the health check', () => {
  it('passes after a fresh heartbeat of a healthy daemon', async () => {
    await new HealthFile(path, new VirtualClock()).beat(true)
    expect(await check(path)).toEqual({code: 0, says: 'healthy'})
  })

  it('fails when the daemon is unhealthy', async () => {
    await new HealthFile(path, new VirtualClock()).beat(false)
    expect(await check(path)).toEqual({code: 1, says: expect.stringContaining('"ok":false')})
  })

  it('fails when the last heartbeat is 90 seconds old', async () => {
    await new HealthFile(path, new VirtualClock()).beat(true)
    const then = new Date(Date.now() - 90_000)
    await utimes(path, then, then)
    expect(await check(path)).toEqual({
      code: 1,
      says: expect.stringMatching(/^the last heartbeat is \d+ s old, expected less than 90 s$/),
    })
  })

  it.each(['', 'null', '[]', '{"ok":"true"}', '{"ok":true'])('fails on the content %j', async (content) => {
    await writeFile(path, content)
    expect((await check(path)).code).toBe(1)
  })

  it('fails, and prints why, when there is no heartbeat', async () => {
    expect(await check(path)).toEqual({code: 1, says: expect.stringContaining('ENOENT')})
    expect(await check(undefined)).toEqual({
      code: 1,
      says: expect.stringContaining('HEALTH_FILE is not set'),
    })
  })
})

const PROGRAM = bundledProgram('src/app/healthcheck.ts')

/** Runs the check as a container engine does. */
async function check(file: string | undefined): Promise<{code: number; says: string}> {
  const env = {...process.env, [HEALTH_FILE_VARIABLE]: file}
  const child = spawn(process.execPath, [PROGRAM], {env})
  let says = ''
  child.stdout.on('data', (text) => {
    says += text
  })
  const [code] = await once(child, 'close')
  return {code, says: says.trim()}
}

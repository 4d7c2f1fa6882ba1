import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {chmod, chown, mkdtemp, readdir, readFile, rm, stat, symlink, watch, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {removeTemporaryFiles, writeFileAtomically} from '../../../src/common/atomic-write.ts'
import {editConfig, removeUnfinishedEdits} from '../../../src/config/config.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {editOptions} from '../../support/edit-options.ts'

const isRoot = process.getuid?.() === 0
/** Two users and their groups that are not root. */
const [OWNER, OTHER] = [1_000, 65_534]
const PROGRAM = bundledProgram(new URL('file-replacer.ts', import.meta.url))

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-replace-'))
})

afterEach(() => rm(folder, {recursive: true}))

const file = () => join(folder, 'config.yaml')
const look = async () => {
  const {mode, uid, gid} = await stat(file())
  return {mode: mode & 0o7777, uid, gid}
}

describe('a file that is replaced', () => {
  it.each([0o600, 0o640, 0o644, 0o660, 0o400])('has the given mode: %o', async (mode) => {
    await writeFileAtomically(file(), 'new', '0a1b2c3d', mode)
    expect((await look()).mode).toBe(mode)
  })

  it.skipIf(!isRoot).each([0o600, 0o640, 0o644])(
    "by root stays its owner's, and their group's: %o",
    async (mode) => {
      await writeFile(file(), 'old')
      await chown(file(), OWNER, OTHER)
      await writeFileAtomically(file(), 'new', '0a1b2c3d', mode)
      expect(await look()).toEqual({mode, uid: OWNER, gid: OTHER})
      expect(await readFile(file(), 'utf8')).toBe('new')
    },
  )

  it.skipIf(!isRoot).each([
    ['of its own group, keeps that', [OWNER, OTHER], 0o640, {mode: 0o640, uid: OTHER, gid: OTHER}],
    [
      'of a group that it is not in, gives no other user more permissions',
      [OWNER, OWNER],
      0o640,
      {mode: 0o600, uid: OTHER, gid: OTHER},
    ],
    [
      'of a group that may write, gives no other user more permissions',
      [0, 0],
      0o664,
      {mode: 0o644, uid: OTHER, gid: OTHER},
    ],
    ['that all may write, stays so', [0, 0], 0o666, {mode: 0o666, uid: OTHER, gid: OTHER}],
  ] as const)('by a user who may not give it away, and %s', async (_, [uid, gid], mode, expected) => {
    await writeFile(file(), 'old')
    await chmod(file(), mode)
    await chown(file(), uid, gid)
    await chmod(folder, 0o777)
    await promisify(execFile)(process.execPath, [PROGRAM, file(), mode.toString(8)], {
      uid: OTHER,
      gid: OTHER,
    })
    expect(await look()).toEqual(expected)
  })

  it('is readable by its writer only, until it is complete', async () => {
    await writeFile(file(), 'old', {mode: 0o644})
    const modes: number[] = []
    const done = new AbortController()
    const watched = (async () => {
      for await (const {filename} of watch(folder, {signal: done.signal}))
        if (filename?.endsWith('.tmp')) {
          const stats = await stat(join(folder, filename)).catch(() => undefined)
          if (stats && stats.size < 50_000_000) modes.push(stats.mode & 0o777)
        }
    })().catch(() => {})
    await writeFileAtomically(file(), 'x'.repeat(50_000_000), '0a1b2c3d', 0o644)
    done.abort()
    await watched
    for (const mode of modes) expect(mode).toBe(0o600)
    expect((await look()).mode).toBe(0o644)
  })
})

describe('the temporary file of an edit that was killed', () => {
  const CONFIG = 'devices: {}\n'
  const leftover = () => `${file()}.0a1b2c3d.tmp`

  it('is removed, and no file with another name', async () => {
    const others = [
      'config.yaml.bak',
      'config.yaml.tmp',
      'config.yaml.old.tmp',
      'config.yaml.bad.tmp',
      'other.yaml.0a1b2c3d.tmp',
    ]
    for (const name of [...others, 'config.yaml.0a1b2c3d.tmp', 'config.yaml.ffffffff.tmp'])
      await writeFile(join(folder, name), 'token: 1')
    await removeTemporaryFiles(file())
    expect((await readdir(folder)).sort()).toEqual(others.sort())
  })

  it('is removed before the next edit', async () => {
    await writeFile(file(), CONFIG)
    await writeFile(leftover(), 'token: 1')
    await editConfig(file(), [{path: ['log', 'level'], put: 'debug'}], editOptions)
    expect(await readdir(folder)).toEqual(['config.yaml'])
    expect(await readFile(file(), 'utf8')).toContain('debug')
  })

  it('is removed at a start, beside the file that a link leads to', async () => {
    await writeFile(file(), CONFIG)
    await writeFile(leftover(), 'token: 1')
    const link = join(await mkdtemp(join(folder, 'elsewhere-')), 'linked.yaml')
    await symlink(file(), link)
    await removeUnfinishedEdits(link)
    expect(await readdir(folder)).not.toContain('config.yaml.0a1b2c3d.tmp')
  })

  it('is readable by its owner only, whenever the process was killed', async () => {
    await writeFile(file(), 'old', {mode: 0o644})
    for (let kill = 0; kill < 10; kill++) {
      const child = spawn(process.execPath, [PROGRAM, file(), '644', '1000'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await once(child, 'exit')
      for (const name of (await readdir(folder)).filter((each) => each.endsWith('.tmp'))) {
        const {mode, size} = await stat(join(folder, name))
        if (size < 1_000_000) expect(mode & 0o777).toBe(0o600)
      }
      await removeTemporaryFiles(file())
    }
    expect(await readdir(folder)).toEqual(['config.yaml'])
  }, 60_000)

  it('is no error where there is no folder', async () => {
    await expect(removeUnfinishedEdits('/nowhere/config.yaml')).resolves.toBeUndefined()
  })
})

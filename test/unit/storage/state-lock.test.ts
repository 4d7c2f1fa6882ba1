import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it, onTestFinished} from 'vitest'
import {systemClock} from '../../../src/common/clock.ts'
import {lockStateFolder} from '../../../src/storage/state-lock.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {random} from '../../support/seeds.ts'

const PROGRAM = bundledProgram(new URL('state-lock-holder.ts', import.meta.url))

const IN_USE = /^the state folder .* is in use by another miio2mqtt: /
const SOCKET = /^bridge\.lock\.[0-9a-f]{8}$/

let folder: string
let log: RememberingLog

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-lock-'))
  log = new RememberingLog()
})

afterEach(() => rm(folder, {recursive: true}))

const lock = (where = folder) => lockStateFolder(where, {clock: systemClock, random, log})

/** Another process that holds the folder, or prints why it cannot. `inside` is what runs it. */
async function holder(inside: readonly string[] = []) {
  const [command = process.execPath, ...args] = [...inside, process.execPath, PROGRAM, folder]
  const child = spawn(command, args, {stdio: ['ignore', 'pipe', 'inherit']})
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  while (!output.includes('\n')) await once(child.stdout, 'data')
  return {child, output: output.trim()}
}

describe('the lock of a state folder', () => {
  it('is for one bridge at a time, and the error of the second names the process that has it and what to do', async () => {
    const release = await lock()
    await expect(lock()).rejects.toThrow(IN_USE)
    await expect(lock()).rejects.toThrow(`process ${process.pid} `)
    await expect(lock()).rejects.toThrow(folder)
    await expect(lock()).rejects.toThrow('state_dir')
    await release()
    await (await lock())()
    expect(await readdir(folder)).toEqual([])
    expect(log.lines).toEqual([])
  })

  it('does not lock any other folder', async () => {
    const [first, second] = await Promise.all([lock(join(folder, 'a')), lock(join(folder, 'b'))])
    await Promise.all([first(), second()])
  })

  it('is the same for every path to the folder', async () => {
    await symlink(folder, join(folder, 'link'))
    const release = await lock()
    await expect(lock(join(folder, 'link'))).rejects.toThrow(IN_USE)
    await release()
  })

  it('works in a folder whose path is longer than that of a socket may be', async () => {
    const deep = join(folder, 'x'.repeat(200), 'y'.repeat(200))
    const release = await lock(deep)
    await expect(lock(deep)).rejects.toThrow(IN_USE)
    expect(await readdir(deep)).toEqual([expect.stringMatching(SOCKET)])
    await release()
    expect(await readdir(deep)).toEqual([])
  })

  it('has one winner when many bridges start at the same time, with a stale lock or without', async () => {
    for (let round = 0; round < 20; round++) {
      if (round % 2 === 0) await writeFile(join(folder, `bridge.lock.${'7'.repeat(8)}`), 'stale')
      const outcomes = await Promise.allSettled(Array.from({length: 8}, () => lock()))
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(won).toHaveLength(1)
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason.message).toMatch(IN_USE)
      await won[0]?.value()
      expect(await readdir(folder)).toEqual([])
    }
  })

  it('of a process that was killed blocks no other', async () => {
    const {child, output} = await holder()
    expect(output).toBe('locked')
    await expect(lock()).rejects.toThrow(`process ${child.pid} `)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await readdir(folder)).toEqual([expect.stringMatching(SOCKET)])
    await (await lock())()
    expect(await readdir(folder)).toEqual([])
  })

  it('of a process that is stopped by a signal is still held', async () => {
    const {child} = await holder()
    child.kill('SIGSTOP')
    await expect(lock()).rejects.toThrow('in use')
    child.kill('SIGCONT')
  }, 20_000)

  it('is held also against another network namespace, as a container with the same volume does', async ({
    skip,
  }) => {
    if (process.getuid?.() !== 0) skip('only root may make a network namespace')
    const release = await lock()
    expect((await holder(['unshare', '--net'])).output).toContain('in use')
    await release()
    expect((await holder(['unshare', '--net', '--pid', '--fork', '--kill-child'])).output).toBe('locked')
    await expect(lock()).rejects.toThrow('process 1 ')
  })

  it('is left alone when the folder was replaced under a running bridge', async () => {
    const state = join(folder, 'state')
    const first = await lock(state)
    await rename(state, join(folder, 'old'))
    const second = await lock(state)
    await first()
    await expect(lock(state)).rejects.toThrow(IN_USE)
    await second()
  })

  it('removes the temporary files of a bridge that was killed while it took the lock', async () => {
    await writeFile(join(folder, 'bridge.lock.0a1b2c3d.tmp'), '')
    await (await lock())()
    expect(await readdir(folder)).toEqual([])
  })

  it.each([
    ['there is none', (path: string) => writeFile(path, 'a file where the folder should be')],
    ['nothing can be made in it', (path: string) => symlink('/proc/self/net', path)],
  ])('is none where %s: the bridge works without', async (_, make) => {
    const path = join(folder, 'state')
    await make(path)
    await (await lock(path))()
    expect(log.lines.map(({level}) => level)).toEqual(['debug'])
  })

  it('is not held by other files with such names', async () => {
    await mkdir(join(folder, 'bridge.lock.00000000'))
    const release = await lock()
    await expect(lock()).rejects.toThrow(IN_USE)
    await release()
    expect(await readdir(folder)).toEqual(['bridge.lock.00000000'])
  })
})

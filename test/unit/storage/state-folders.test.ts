import {mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {systemClock} from '../../../src/common/clock.ts'
import {StateFolders} from '../../../src/storage/state-folders.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {seeded} from '../../support/virtual-clock.ts'

let home: string
let log: RememberingLog
let folders: StateFolders

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'miio2mqtt-state-folders-'))
  log = new RememberingLog()
  folders = new StateFolders({clock: systemClock, random: seeded(1), log})
})

afterEach(() => rm(home, {recursive: true}))

describe('a second state folder', () => {
  it('that is the first one by another path is the same, and not in use by another bridge', async () => {
    const first = await folders.open(join(home, 'state'))
    await symlink('state', join(home, 'link'))
    const second = await folders.open(join(home, 'link'))
    expect(second).toBe(first)
    await folders.release(first)
    await folders.release(second)
  })

  it('that is not writable is refused, because the state of the first would be lost', async () => {
    const first = await folders.open(join(home, 'state'))
    await writeFile(join(home, 'file'), '')
    await expect(folders.open(join(home, 'file', 'state'))).rejects.toThrow(
      /^nothing can be written in the state folder /,
    )
    await expect(folders.open(join(home, 'file'))).rejects.toThrow(
      /nothing can be written in the state folder/,
    )
    await folders.release(first)
  })

  it('is made and used when it is writable', async () => {
    const first = await folders.open(join(home, 'state'))
    const second = await folders.open(join(home, 'other', 'state'))
    expect(second.store.clientId).not.toBe(first.store.clientId)
    await Promise.all([first, second].map((folder) => folders.release(folder)))
  })
})

it('The only state folder may be unwritable: the bridge works without it, with a warning.', async () => {
  await mkdir(join(home, 'state'))
  await writeFile(join(home, 'file'), '')
  const only = await folders.open(join(home, 'file', 'state'))
  expect(log.messages('warn').join()).toMatch(/cannot write the state folder/)
  await folders.release(only)
})

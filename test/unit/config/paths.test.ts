import {chmod, mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {exposedFiles, loadConfig} from '../../../src/config/config.ts'

const TOKEN = '00112233445566778899aabbccddeeff'

let folder: string
let file: string
let secrets: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-exposure-'))
  await chmod(folder, 0o755)
  file = join(folder, 'config.yaml')
  secrets = join(folder, 'secrets.yaml')
})

afterEach(() => rm(folder, {recursive: true}))

const exposed = async () => exposedFiles(file, await loadConfig(file, {}))

async function write(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text)
  await chmod(path, mode)
}

describe('a configuration with secrets in it', () => {
  it.each([
    [0o644, true],
    [0o604, true],
    [0o666, true],
    [0o640, false],
    [0o600, false],
    [0o660, false],
  ])('of mode %o is pointed out: %s', async (mode, isExposed) => {
    await write(file, `devices: {desk: {host: 192.0.2.1, token: ${TOKEN.toUpperCase()}}}`, mode)
    expect(await exposed()).toEqual(isExposed ? [file] : [])
  })

  it('is reported for a password alone', async () => {
    await write(file, 'mqtt: {url: "mqtt://localhost", username: me, password: hunter22}', 0o644)
    expect(await exposed()).toEqual([file])
  })

  it('is reported for secrets.yaml, where that has them', async () => {
    await write(file, 'devices: {desk: {host: 192.0.2.1, token: !secret desk}}', 0o644)
    await write(secrets, `desk: "${TOKEN}"`, 0o644)
    expect(await exposed()).toEqual([secrets])
    await chmod(secrets, 0o640)
    expect(await exposed()).toEqual([])
  })

  it('is not reported when every user may read it and it has no secret', async () => {
    await write(file, 'devices: {}', 0o644)
    expect(await exposed()).toEqual([])
  })

  it('is not reported in a folder that no other user can pass', async () => {
    const inner = join(folder, 'private')
    await mkdir(inner, {mode: 0o750})
    file = join(inner, 'config.yaml')
    await write(file, `devices: {desk: {host: 192.0.2.1, token: ${TOKEN}}}`, 0o644)
    expect(await exposed()).toEqual([])
    const link = join(folder, 'link.yaml')
    await symlink(file, link)
    file = link
    expect(await exposed()).toEqual([])
  })
})

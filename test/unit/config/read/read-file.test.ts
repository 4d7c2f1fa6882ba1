import {execFileSync} from 'node:child_process'
import {mkdir, mkdtemp, readFile, rm, truncate, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {importSpec} from '../../../../src/cli/commands/models.ts'
import {editConfig, loadConfig} from '../../../../src/config/config.ts'
import {editOptions} from '../../../support/edit-options.ts'
import {TOKEN} from '../../../support/token.ts'

let folder = ''
const at = (name: string) => join(folder, name)
const socket = createServer()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-files-'))
  execFileSync('mkfifo', [at('pipe')])
  await mkdir(at('folder'))
  await writeFile(at('large'), '')
  await truncate(at('large'), 17 * 1024 * 1024)
  await new Promise<void>((resolve) => socket.listen(at('socket'), resolve))
})
afterAll(async () => {
  await new Promise((resolve) => socket.close(resolve))
  await rm(folder, {recursive: true})
})

/** Files that are not ordinary or too long, and their names in errors. */
const kinds = [
  ['pipe', 'it is a pipe, expected an ordinary file'],
  ['folder', 'it is a folder, expected an ordinary file'],
  ['socket', 'it is a socket, expected an ordinary file'],
  ['/dev/zero', 'it is a device, expected an ordinary file'],
  ['/dev/tty', 'it is a device, expected an ordinary file'],
  ['large', /expected at most 1?\d MB, got more/],
] as const
const pathOf = (name: string) => (name.startsWith('/') ? name : at(name))

async function problemsOf(text: string, env: Record<string, string> = {}): Promise<string> {
  await writeFile(at('config.yaml'), text)
  return loadConfig(at('config.yaml'), env).then(
    () => 'valid',
    (error: unknown) => String(error),
  )
}

describe.each(kinds)('%s, where a file was expected', (name, words) => {
  it('is no value of !file, and the error has its place', async () => {
    const problems = await problemsOf(`mqtt:\n  password: !file ${pathOf(name)}\n`)
    expect(problems).toMatch(words)
    expect(problems).toContain('config.yaml:2:3 mqtt.password: cannot read ')
  })

  it('is no value of a variable that names a file', async () => {
    const problems = await problemsOf('', {MIIO2MQTT_MQTT_PASSWORD_FILE: pathOf(name)})
    expect(problems).toMatch(words)
    expect(problems).toContain('environment MIIO2MQTT_MQTT_PASSWORD_FILE mqtt.password: cannot read ')
  })

  it('is neither a configuration nor a specification', async () => {
    await expect(loadConfig(pathOf(name), {})).rejects.toThrow(words)
    await expect(editConfig(pathOf(name), [], editOptions)).rejects.toThrow(words)
    await expect(importSpec(pathOf(name), undefined)).rejects.toThrow(words)
  })

  it('is no secrets.yaml and no definition', async () => {
    const inside = at(`inside-${name.replaceAll('/', '-')}`)
    await mkdir(join(inside, 'models'), {recursive: true})
    for (const link of ['secrets.yaml', 'models/own.yaml'])
      execFileSync('ln', ['-s', pathOf(name), join(inside, link)])
    await writeFile(join(inside, 'config.yaml'), 'mqtt: {password: !secret pw}\nmodels: models\n')
    const problems = await loadConfig(join(inside, 'config.yaml'), {}).then(String, String)
    expect(problems).toMatch(
      /config\.yaml:1:8 mqtt\.password: cannot read .*secrets\.yaml: (it is|expected) /,
    )
    expect(problems).toMatch(/own\.yaml: cannot read the definition: (it is|expected) /)
    expect(problems.match(new RegExp(words, 'g'))?.length).toBe(2)
  })
})

describe('a file', () => {
  it('that only a request names is not opened: the request is refused, and config.yaml stays', async () => {
    const text = `devices: {lamp: {host: 192.0.2.1, token: ${TOKEN}}}\ngroups: {all: {members: [lamp]}}\n`
    await writeFile(at('config.yaml'), text)
    const put = [`x:\n!file ${at('pipe')}`]
    const edit = editConfig(at('config.yaml'), [{path: ['groups', 'all', 'members'], put}], editOptions)
    await expect(edit).rejects.toThrow('expected the name of a plug under devices')
    expect(await readFile(at('config.yaml'), 'utf8')).toBe(text)
  })

  it('that stands where no setting is is not opened', async () => {
    const problems = await problemsOf(`nothing:\n  at: [all, !file ${at('pipe')}]\n`)
    expect(problems).toContain('config.yaml:1:1 nothing: unknown key')
    expect(problems).not.toContain('pipe')
  })

  it('is read up to its limit even if its size is 0', async () => {
    expect(await problemsOf('mqtt: {client_id: !file /proc/self/comm}\n')).toBe('valid')
  })

  it('of a name that no file can have is refused in words', async () => {
    expect(await problemsOf(`mqtt: {password: !file "a\\0b"}\n`)).toContain('no file can have this name')
    expect(await problemsOf(`mqtt: {password: !file ${'x'.repeat(300)}}\n`)).toContain('a name this long')
  })
})

describe('the state folder', () => {
  it.each([
    ['/proc/miio2mqtt', 'expected a folder on a disk, got one below /proc'],
    ['/sys/kernel/x', 'expected a folder on a disk, got one below /sys/kernel'],
    ['config.yaml', /expected a folder, got .*config\.yaml, which is none/],
    ['config.yaml/inside/of/it', /expected a folder, got .*config\.yaml, which is none/],
    ['/dev/null', 'expected a folder, got /dev/null, which is none'],
    ['pipe', /expected a folder, got .*pipe, which is none/],
    ['x'.repeat(300), 'no file can have a name this long'],
  ])('that can never be written to is an error with its place: %s', async (path, words) => {
    const problems = await problemsOf(`log: {}\nstate_dir: ${path}\n`)
    expect(problems).toContain('config.yaml:2:1 state_dir: ')
    expect(problems).toMatch(words)
  })

  it('may be one that is not there yet, at any depth', async () => {
    for (const path of ['folder', 'a', 'a/b/c', at('d/e')])
      expect(await problemsOf(`state_dir: ${path}\n`)).toBe('valid')
  })

  it('that systemd or the environment gives is checked, too', async () => {
    expect(await problemsOf('', {STATE_DIRECTORY: '/proc/x'})).toContain(
      'state_dir: expected a folder on a disk',
    )
    expect(await problemsOf('', {MIIO2MQTT_STATE_DIR: '/dev/null'})).toContain(
      'environment MIIO2MQTT_STATE_DIR state_dir: expected a folder',
    )
  })
})

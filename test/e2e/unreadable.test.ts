import {type ExecFileOptions, execFile} from 'node:child_process'
import {chmod, chown, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeEach, describe, expect, it} from 'vitest'
import {BROADCAST} from '../support/addresses.ts'
import {TOKEN} from '../support/token.ts'

/** Users of every Debian: who asks, and whose the files are. */
const NOBODY = 65_534
const MAIL = {uid: 8, gid: 8, name: 'mail'}

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-unreadable-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

/** A folder as the service has it: its user's own. */
let etc: string
let config: string
beforeEach(async () => {
  await chmod(folder, 0o755)
  etc = await mkdtemp(join(folder, 'etc-'))
  config = join(etc, 'config.yaml')
  await chmod(etc, 0o755)
  await writeFile(config, `devices: {desk: {host: 192.168.1.40, token: ${TOKEN}}}\n`)
  await give(config, MAIL, 0o640)
})

async function give(file: string, {uid, gid}: {uid: number; gid: number}, mode: number): Promise<void> {
  await chown(file, uid, gid)
  await chmod(file, mode)
}

/** The program as another user, who has this configuration alone. */
function asNobody(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {MIIO2MQTT_CONFIG: config},
): Promise<{code: number; stdout: string; stderr: string}> {
  const options: ExecFileOptions = {
    uid: NOBODY,
    gid: NOBODY,
    cwd: folder,
    env: {PATH: '/usr/bin:/bin', HOME: '/', ...env},
  }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(process.cwd(), 'dist/main.js'), ...args],
      options,
      (error, stdout, stderr) =>
        resolve({code: Number(error?.code ?? 0), stdout: String(stdout), stderr: String(stderr)}),
    )
  })
}

const isRoot = process.getuid?.() === 0

describe.skipIf(!isRoot)('A configuration that this user may not read', () => {
  it.each([[['check']], [['run']], [['status', 'desk']], [['on', 'desk']], [['info', 'desk']]])(
    'is a 78 that says who may: %j',
    async (args) => {
      expect(await asNobody(args)).toEqual({
        code: 78,
        stdout: '',
        stderr: `${config}: cannot read the configuration: this user may not read it\nIt belongs to mail: \`sudo --user mail miio2mqtt …\`.\n`,
      })
    },
  )

  it('is one for programs, too', async () => {
    const {code, stdout} = await asNobody(['check', '--json'])
    expect(code).toBe(78)
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      problems: [{message: expect.stringContaining('may not read')}],
    })
  })

  it.each([
    ['discover', ['discover', '--timeout', '100ms', '--broadcast', BROADCAST]],
    ['models', ['models', 'chuangmi.plug.v3']],
  ])('is not called invalid by %s, which goes on without', async (_, args) => {
    const {stderr} = await asNobody(args)
    expect(stderr).toContain(
      `continuing without ${config}: this user may not read ${config}. It belongs to mail: \`sudo --user mail miio2mqtt …\`.\n`,
    )
    expect(stderr).not.toContain('not valid')
  })

  it.each([
    [
      'in a folder that only its owner may enter',
      () => give(etc, MAIL, 0o750),
      'It belongs to mail: `sudo --user mail miio2mqtt …`.',
    ],
    [
      "of root's, for the group of a service",
      () => give(config, {uid: 0, gid: MAIL.gid}, 0o640),
      'It belongs to mail: `sudo --user mail miio2mqtt …`.',
    ],
    [
      "of root's alone",
      () => give(config, {uid: 0, gid: 0}, 0o600),
      'It belongs to root: `sudo miio2mqtt …`.',
    ],
    [
      "of root's with an unused group",
      () => give(config, {uid: 0, gid: MAIL.gid}, 0o600),
      'It belongs to root: `sudo miio2mqtt …`.',
    ],
    [
      'of a user without a name',
      () => give(config, {uid: 54_321, gid: 54_321}, 0o600),
      "It belongs to '#54321': `sudo --user '#54321' miio2mqtt …`.",
    ],
    ['of this very user', () => give(config, {uid: NOBODY, gid: NOBODY}, 0o200), 'It is yours: `chmod u+rX '],
  ])('%s', async (_, make, words) => {
    await make()
    const {code, stderr} = await asNobody(['check'])
    expect(code).toBe(78)
    expect(stderr.split('\n')[1]).toContain(words)
    expect(stderr).not.toContain('to begin')
  })

  it.each([
    ['secrets.yaml', 'password: !secret pw'],
    ['password', 'password: !file password'],
  ])('through %s, is one as well', async (name, setting) => {
    await writeFile(config, `mqtt: {username: me, ${setting}}\n`)
    await chmod(config, 0o644)
    const other = join(etc, name)
    await writeFile(other, 'pw: secret\n')
    await give(other, MAIL, 0o600)
    const {code, stderr} = await asNobody(['check'])
    expect(code).toBe(78)
    expect(stderr).toContain(`cannot read ${other}: this user may not read it\n`)
    expect(stderr).toContain('It belongs to mail: `sudo --user mail miio2mqtt …`.\n')
    const {stderr: note} = await asNobody(['models', 'chuangmi.plug.v3'])
    expect(note).toContain(
      `continuing without ${config}: this user may not read ${other}. It belongs to mail`,
    )
  })

  it('and that is missing is called missing', async () => {
    await rm(config)
    const {stderr} = await asNobody(['check'])
    expect(stderr).toContain('there is no such file\nCopy ')
  })
})

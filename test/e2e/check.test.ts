import {copyFile, cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, relative} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {miio2mqtt} from '../support/program.ts'
import {TerminalScreen} from '../support/screen.ts'
import {TOKEN} from '../support/token.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-check-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const VALID = `mqtt:
  url: mqtt://localhost:1883
  username: plugs
  password: "abc #def"
devices:
  desk: {host: 192.168.1.40, token: ${TOKEN}}
`
const WARNED = VALID.replace('"abc #def"', 'abc #def').replace(TOKEN, '00112233445566778899aabbccddeeff')
const INVALID = VALID.replace('url', 'ulr').replace(TOKEN, '12')

await writeFile(join(folder, 'config.yaml'), VALID)
await writeFile(join(folder, 'warned.yaml'), WARNED)
await writeFile(join(folder, 'invalid.yaml'), INVALID)
await mkdir(join(folder, 'empty'))

const COMMENT =
  'warned.yaml:4:3 mqtt.password: the value ends before " #", which begins a comment: put it in quotes, or write a space after the # of a comment'
const EXAMPLE =
  'warned.yaml:6:30 devices.desk.token: expected the token of the plug, got that of an example: see docs/troubleshooting.md, "Where do I get the token"'
const PACKAGE_EXAMPLE = join(process.cwd(), 'config.example.yaml')

/** The text on a screen, wherever its lines are broken. */
const unbroken = (lines: readonly string[]) => lines.join('').replaceAll(' ', '')

describe.each([80, 110])('check on a terminal of %i columns', (columns) => {
  it.each<[string, string[], number, string[]]>([
    ['a valid file', ['check'], 0, ['config.yaml is valid: 1 plug: desk']],
    ['a file as an argument', ['check', 'config.yaml'], 0, ['config.yaml is valid: 1 plug: desk']],
    ['a valid file, strictly', ['check', '--strict'], 0, ['config.yaml is valid: 1 plug: desk']],
    [
      'a valid file with warnings',
      ['check', 'warned.yaml'],
      0,
      ['warned.yaml is valid: 1 plug: desk', '2 warnings:', COMMENT, EXAMPLE],
    ],
    [
      'the same, strictly',
      ['check', '--strict', 'warned.yaml'],
      78,
      [COMMENT, EXAMPLE, 'warned.yaml has 2 warnings, and --strict accepts none'],
    ],
    [
      'an invalid file',
      ['check', 'invalid.yaml'],
      78,
      [
        'invalid.yaml:2:3 mqtt.ulr: unknown key, did you mean "url"?',
        'invalid.yaml:6:30 devices.desk.token: expected 32 hex digits, got 2',
      ],
    ],
    [
      'a missing file',
      ['check', 'missing.yaml'],
      78,
      [
        'missing.yaml: cannot read the configuration: there is no such file',
        `Copy ${PACKAGE_EXAMPLE} to missing.yaml to begin, or name your file with --config. \`miio2mqtt demo\` needs none.`,
      ],
    ],
  ])('says of %s what there is to say', async (_, args, code, lines) => {
    const screen = new TerminalScreen(args, {columns, cwd: folder})
    expect(await screen.ended()).toBe(code)
    expect(unbroken(screen.lines)).toBe(unbroken(lines))
    expect(screen.lines.length).toBeGreaterThanOrEqual(lines.length)
  })
})

describe('check of a file', () => {
  it('takes its argument before the variable', async () => {
    const options = {cwd: folder, env: {MIIO2MQTT_CONFIG: '/nowhere.yaml'}}
    const {code, stdout} = await miio2mqtt(['check', 'config.yaml'], options)
    expect([code, stdout]).toEqual([0, 'config.yaml is valid: 1 plug: desk\n'])
  })

  it.each([
    [
      ['check', 'config.yaml', '--config', 'config.yaml'],
      /^expected one file, got one as an argument and one/,
    ],
    [
      ['--config', 'config.yaml', 'check', 'warned.yaml'],
      /^expected one file, got one as an argument and one/,
    ],
    [['check', '-'], /^expected a file, got "-": standard input is not read/],
    [['check', 'config.yaml', 'warned.yaml'], /^too many arguments for 'check'/],
  ])('refuses %j as a wrong use', async (args, words) => {
    const {code, stdout, stderr} = await miio2mqtt(args, {cwd: folder})
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toMatch(words)
    expect(stderr.trimEnd()).not.toContain('\n')
  })

  it('that is a folder names the configuration in it, where there is one', async () => {
    expect(await miio2mqtt(['check', folder])).toMatchObject({
      code: 78,
      stderr: `${folder}: cannot read the configuration: it is a folder, expected an ordinary file\nDid you mean ${join(folder, 'config.yaml')}?\n`,
    })
    const empty = join(folder, 'empty')
    expect(await miio2mqtt(['check', empty])).toMatchObject({
      code: 78,
      stderr: `${empty}: cannot read the configuration: it is a folder, expected an ordinary file\n`,
    })
  })

  it('that is missing names the example of the package, wherever that was installed', async () => {
    const installed = join(folder, 'lib/node_modules/miio2mqtt')
    await mkdir(join(folder, 'bin'))
    await cp('dist', join(installed, 'dist'), {recursive: true})
    for (const file of ['package.json', 'config.example.yaml']) await copyFile(file, join(installed, file))
    const command = join(folder, 'bin/miio2mqtt')
    await symlink(join(installed, 'dist/main.js'), command)
    const entry = relative(process.cwd(), command)
    const {code, stderr} = await miio2mqtt(['status', 'desk'], {cwd: join(folder, 'empty'), entry})
    expect(code).toBe(78)
    const example = join(await realpath(installed), 'config.example.yaml')
    expect(stderr).toContain(`\nCopy ${example} to config.yaml to begin, `)
    expect(JSON.parse(await readFile('package.json', 'utf8')).files).toContain('config.example.yaml')
  })
})

describe('check --json', () => {
  it('lists warnings with place and code', async () => {
    const {code, stdout} = await miio2mqtt(['check', 'warned.yaml', '--json'], {cwd: folder})
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      valid: true,
      file: 'warned.yaml',
      devices: ['desk'],
      warnings: [
        {
          file: 'warned.yaml',
          line: 4,
          column: 3,
          path: 'mqtt.password',
          code: 'comment_in_text',
          message: expect.stringContaining('begins a comment'),
        },
        {
          file: 'warned.yaml',
          line: 6,
          column: 30,
          path: 'devices.desk.token',
          code: 'example_token',
          message: expect.stringContaining('that of an example'),
        },
      ],
    })
  })

  it('--strict makes problems of them', async () => {
    const {code, stdout} = await miio2mqtt(['check', 'warned.yaml', '--json', '--strict'], {cwd: folder})
    expect(code).toBe(78)
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      problems: [{code: 'comment_in_text'}, {code: 'example_token'}],
    })
    const valid = await miio2mqtt(['check', '--json', '--strict'], {cwd: folder})
    expect(valid.code).toBe(0)
    expect(JSON.parse(valid.stdout)).toMatchObject({valid: true, warnings: []})
  })
})

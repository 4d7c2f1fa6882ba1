/** Follows docs/adding-a-plug.md step by step with an invented plug. Only address and token differ from the page. */
import {execFile} from 'node:child_process'
import {chmod, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, describe, expect, it} from 'vitest'
import {parse} from 'yaml'
import {formatDefinition} from '../../src/config/definitions/definition.ts'
import {parseDefinitions} from '../../src/config/definitions/definition-files.ts'
import {builderFor, builderTable, PROPERTY_NAMES} from '../../src/models/builder-table.ts'
import {led, miot, powerOnBehavior, relay, watts} from '../../src/models/builders.ts'
import {Catalogue, definitions} from '../../src/models/catalogue.ts'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {Program} from '../support/program.ts'
import {type Block, documentAt, table} from './markdown.ts'

const page = documentAt('docs/adding-a-plug.md')
const HOST = loopback(2, 1)
const ELSEWHERE = loopback(2, 9)

/** The real properties of the plug, which the reader of the page does not know yet. */
const plug = await startPlug({
  address: HOST,
  model: 'acme.plug.one',
  catalogue: new Catalogue([
    {
      ids: ['acme.plug.one'],
      name: '',
      vendor: '',
      confidence: 'inferred',
      evidence: '',
      properties: {
        state: relay(miot(2, 1)),
        power_on_behavior: powerOnBehavior(miot(2, 2), [
          [0, 'previous'],
          [1, 'on'],
          [2, 'off'],
        ]),
        led: led(miot(3, 1)),
        power: watts(miot(3, 2), {scale: 0.1}),
        peak_power: watts(miot(3, 3), {scale: 0.1}),
      },
    },
  ]),
  state: {led: 'ON', power: 41.5, peak_power: 230},
})

/** The specification of the vendor, as far as the page needs it. */
const SPEC = {
  type: 'urn:miot-spec-v2:device:outlet:0000A002:acme-one:1',
  description: 'Outlet',
  services: [
    {
      iid: 3,
      type: 'urn:miot-spec-v2:service:indicator-light:00007803:acme-one:1',
      description: 'Indicator Light',
      properties: [published(1, 'on:00000006', 'bool')],
    },
    {iid: 5, type: 'urn:acme-spec:service:calibration:00007801:acme-one:1', description: ''},
    {
      iid: 2,
      type: 'urn:miot-spec-v2:service:switch:0000780C:acme-one:1',
      description: 'Switch',
      properties: [
        published(1, 'on:00000006', 'bool'),
        published(2, 'default-power-on-state:00000105', 'uint8'),
      ],
    },
  ],
}

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-adding-'))
afterAll(() => rm(folder, {recursive: true, force: true}))
await writeFile(
  join(folder, 'miio2mqtt'),
  `#!/bin/sh\nexec "${process.execPath}" "${resolve('dist/main.js')}" "$@"\n`,
)
await chmod(join(folder, 'miio2mqtt'), 0o755)
await writeFile(join(folder, 'spec.json'), JSON.stringify(SPEC))

/** The output of each command, in the order of the page. */
const outputs = new Map<string, string>()

describe('docs/adding-a-plug.md, followed from the top to the bottom', () => {
  it.each(page.blocks.map((block) => [block.at, block] as const))('works at %s', async (_, block) => {
    if (block.language === 'yaml') await save(block)
    else if (block.language === 'sh') for (const line of block.text.trim().split('\n')) await type(line)
    else expect(await readFile(join(folder, 'probe.yaml'), 'utf8')).toContain(`\n${block.text}`)
  })

  it('has run every command, with the output of the page', () => {
    expect(outputs.get('miio2mqtt info desk')).toMatch(/^model +acme\.plug\.one$/m)
    expect(outputs.get('miio2mqtt check')).toMatch(/1 plug: desk\n1 own model: acme\.plug\.one\n$/)
    expect(outputs.get('miio2mqtt models acme.plug.one')).toContain('\n  led: {miot: 3.1}\n')
    expect(outputs.get(`miio2mqtt call desk get_properties '[{"did":"x","siid":3,"piid":2}]'`)).toContain(
      '"value":415',
    )
    expect(outputs.get('miio2mqtt status desk')).toMatch(
      /^state +OFF\nled +ON\npower +41\.5 W\npower_on_behavior +previous\npeak_power +230 W\n$/,
    )
    expect(plug.state['power_on_behavior']).toBe('off')
    expect([...outputs.keys()].filter((line) => line.startsWith('miio2mqtt simulate'))).toHaveLength(1)
  })

  it('has made a probe without token, device id, address or name of the plug', async () => {
    const probe = await readFile(join(folder, 'probe.yaml'), 'utf8')
    expect(probe).not.toMatch(new RegExp(`${TOKEN}|${plug.did}|${HOST}|28:6c:07|simulated`, 'i'))
    const {models, problems} = parseDefinitions([{file: 'probe.yaml', content: probe}])
    expect(problems).toEqual([])
    expect(models[0]?.properties).toEqual({state: relay(miot(2, 1))})
  })

  it('has imported the certain properties, and printed a reason for each that is left out', () => {
    const [command = ''] = [...outputs.keys()].filter((line) => line.includes('models import'))
    expect(outputs.get(command)).toBe(
      '# 2.2 default-power-on-state is left out: the specification does not say what its values mean\n',
    )
  })

  it('shows the error message of its example as it is printed', async () => {
    const message = page.spans.find((span) => span.startsWith('models/acme.yaml:')) ?? 'no mistake'
    const file = join(folder, 'models', 'acme.yaml')
    const right = await readFile(file, 'utf8')
    await writeFile(file, right.replace('scale: 0.1', 'scale: tenth'))
    await expect(type('miio2mqtt check')).rejects.toMatchObject({code: 78, stderr: `${message}\n`})
    await writeFile(file, right)
  })
})

describe('the tables of docs/adding-a-plug.md', () => {
  const codes = (cell = '') => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code = '']) => code)
  const [, ...rows] = table(page, '| word | implied by |')

  it('have every builder', () => {
    expect(rows.flatMap(([word]) => codes(word)).sort()).toEqual([...builderTable.keys()].sort())
  })

  it('have the names of properties that imply each builder', () => {
    const implied = rows.flatMap(([word, names]) => {
      const [first = ''] = codes(word)
      return codes(names).map((name, at) => [name, codes(word)[at] ?? first])
    })
    const real = [...PROPERTY_NAMES.keys()]
      .map((name) => name.replace(/_n$/, '_1'))
      .filter((name) => builderFor(name))
      .map((name) => [name, builderFor(name)])
    const shown = implied.filter(([name]) => name !== 'state_2')
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(real))
  })

  it('name every key that any definition uses', () => {
    const all = definitions.map((model) => parse(formatDefinition(model)))
    const ofPlugs = new Set(all.flatMap(Object.keys))
    const ofProperties = new Set(all.flatMap(({properties}) => Object.values(properties).flatMap(keysOf)))
    expect([...ofPlugs].filter((key) => !keysIn('| key of the plug | meaning |').has(key))).toEqual([])
    expect([...ofProperties].filter((key) => !keysIn('| key of a property | meaning |').has(key))).toEqual([])
    expect(ofPlugs.size + ofProperties.size).toBeGreaterThan(20)
  })

  /** The keys between backticks in the first column. */
  function keysIn(head: string): ReadonlySet<string> {
    const [, ...cells] = table(page, head)
    return new Set(cells.flatMap(([cell]) => codes(cell)).map((code) => code.replace(/:.*/, '')))
  }
})

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : []
}

/** Saves a block as a file: the first line is a comment with the file name. */
async function save({text}: Block): Promise<void> {
  const [name = '', ...lines] = text.split('\n')
  expect(name).toMatch(/^# \S+\.yaml$/)
  await writeFile(
    join(folder, name.slice(2)),
    text.replace('192.168.1.40', HOST).replace('00112233445566778899aabbccddeeff', TOKEN),
  )
  expect(lines.length).toBeGreaterThan(1)
}

async function type(line: string): Promise<void> {
  if (line.startsWith('miio2mqtt simulate')) return simulate(line)
  const env = {PATH: `${folder}:${process.env['PATH']}`, HOME: folder}
  const {stdout, stderr} = await promisify(execFile)('sh', ['-c', line], {cwd: folder, env})
  outputs.set(line, stdout || (line.includes('import') ? stderr : ''))
}

/** Runs the simulation until Ctrl-C; meanwhile the command that it suggests works. */
async function simulate(line: string): Promise<void> {
  const program = new Program([...line.split(' ').slice(1), '--address', ELSEWHERE], {cwd: folder})
  await program.waitForOutput(/Ctrl-C ends the simulation/)
  expect(program.stdout).toMatch(new RegExp(`^acme\\.plug\\.one +\\d+ +${ELSEWHERE}`, 'm'))
  const [suggested = ''] = /miio2mqtt status .*/.exec(program.stderr) ?? []
  await type(suggested)
  expect(outputs.get(suggested)).toMatch(/^power_on_behavior +previous$/m)
  program.signal('SIGINT')
  outputs.set(line, (await program.waitForEnd()).stdout)
}

function published(iid: number, type: string, format: string) {
  const access = ['read', 'write', 'notify']
  return {iid, type: `urn:miot-spec-v2:property:${type}:acme-one:1`, description: '', format, access}
}

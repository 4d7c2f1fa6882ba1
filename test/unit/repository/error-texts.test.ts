/** Errors of configurations, definitions and specifications are in our own words: the messages of zod are made for programmers. */
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, describe, expect, it} from 'vitest'
import {importSpec} from '../../../src/cli/commands/models.ts'
import {parseConfig} from '../../../src/config/config.ts'
import {messageText} from '../../../src/config/config-error.ts'
import {parseDefinition} from '../../../src/config/definitions/definition.ts'
import {checkProperty} from '../../support/seeds.ts'

/** Words of the messages of zod. */
const ZOD_WORDS = /Invalid|Unrecognized|received|undefined|\|"|Too (small|big)|>=|<=/

const folder = mkdtempSync(join(tmpdir(), 'miio2mqtt-words-'))
afterAll(() => rmSync(folder, {recursive: true, force: true}))

/** Without the quoted values of the user, which may hold any words. */
const withoutQuotes = (words: string) => words.replace(/"(?:[^"\\]|\\.)*"/g, '""')

const KEYS = [
  'mqtt',
  'url',
  'qos',
  'retain',
  'version',
  'keepalive',
  'ca',
  'homeassistant',
  'enabled',
  'entities',
  'name',
  'icon',
  'network',
  'broadcast',
  'bind',
  'poll',
  'interval',
  'log',
  'level',
  'devices',
  'groups',
  'members',
  'desk',
  'host',
  'token',
  'id',
  'model',
  'filtered',
  'properties',
  'power',
  'scale',
  'source',
  'type',
  'services',
  'iid',
  'description',
  'format',
  'access',
  'unit',
  'value-range',
  'value-list',
  'ids',
  'vendor',
  'batch',
  'state',
  'miot',
  'values',
  'is',
] as const
const texts = fc.oneof(
  fc.constantFrom(
    'a',
    '',
    '5',
    '-1',
    'true',
    'Power X',
    '1.1',
    'urn:miot-spec-v2:device:outlet:0000A002:x:1',
  ),
  // A key is shown in an error as it is, so a made-up one must not look like zod's words.
  fc.string({maxLength: 8}).filter((text) => !ZOD_WORDS.test(text)),
)
const {wrong} = fc.letrec((tie) => ({
  wrong: fc.oneof(
    {maxDepth: 4, withCrossShrink: true},
    texts,
    fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), texts), tie('wrong'), {maxKeys: 4}),
    fc.array(tie('wrong'), {maxLength: 2}),
  ),
}))

const errorOf = async (work: () => unknown): Promise<string> => {
  try {
    await work()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const TOKEN = '00112233445566778899aabbccddeeff'
const check = (devices: unknown) =>
  errorOf(() => parseConfig(JSON.stringify({devices}), {file: 'config.yaml', env: {}, readFile: () => ''}))
const imported = (spec: unknown) => {
  const file = join(folder, 'spec.json')
  writeFileSync(file, JSON.stringify(spec))
  return errorOf(() => importSpec(file, undefined))
}
const SPEC = {type: 'urn:miot-spec-v2:device:outlet:0000A002:x-y:1', description: 'x'}

describe('an error', () => {
  it('in a configuration has no words of zod', async () => {
    await checkProperty(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...KEYS), wrong), async (config) => {
        const read = () => parseConfig(JSON.stringify(config), {file: 'c', env: {}, readFile: () => ''})
        const words = await errorOf(read)
        for (const line of words.split('\n'))
          expect(withoutQuotes(line.replace(/^\S+ [^:]*: /, ''))).not.toMatch(ZOD_WORDS)
      }),
      {numRuns: 200},
    )
  })

  it('in a definition of a model has no words of zod', () => {
    checkProperty(
      fc.property(fc.dictionary(fc.constantFrom(...KEYS), wrong), (read) => {
        const understood = parseDefinition(JSON.parse(JSON.stringify(read)), 'a file')
        const problems = 'problems' in understood ? understood.problems : []
        for (const {message} of problems) expect(withoutQuotes(messageText(message))).not.toMatch(ZOD_WORDS)
      }),
      {numRuns: 200},
    )
  })

  it('in an imported specification has no words of zod', async () => {
    await checkProperty(
      fc.asyncProperty(wrong, wrong, async (services, property) => {
        const nested = [{iid: 1, type: 'x', properties: [property]}]
        for (const all of [services, nested])
          expect(withoutQuotes(await imported({...SPEC, services: all}))).not.toMatch(ZOD_WORDS)
      }),
      {numRuns: 200},
    )
  })

  it.each([
    [{...SPEC, services: [{iid: 1, type: 5}]}, /services\.0\.type: expected text, got 5/],
    [{...SPEC, services: []}, /services: expected at least 1 values, got an empty list/],
    [{...SPEC, services: {a: 1}}, /services: expected a list, got a mapping/],
    [[1], /the whole: expected a mapping, got a list/],
  ])('in the specification %j says what was expected and what came', async (spec, expected) => {
    expect(await imported(spec)).toMatch(expected)
  })

  it('in a key of a mapping names the key', async () => {
    const desk = {host: '192.168.1.40', token: TOKEN, homeassistant: {entities: {'Power X': {name: 'x'}}}}
    expect(await check({desk})).toMatch(
      /homeassistant\.entities\.Power X: expected the name of a property such as power, got "Power X"/,
    )
  })
})

it('no file of src shows the problems of a check with the messages of zod', () => {
  const showing = readdirSync('src', {recursive: true, encoding: 'utf8'})
    .filter((file) => file.endsWith('.ts') && file !== 'common/schema-errors.ts')
    .map((file) => ({file, text: readFileSync(join('src', file), 'utf8')}))
    .filter(({text}) => /\.issues\b/.test(text))
  expect(showing.map(({file}) => file).sort()).toContain('config/config-parser.ts')
  const withZodMessages = showing.filter(({text}) => text.includes('.safeParse('))
  expect(withZodMessages.map(({file}) => file)).toEqual([])
})

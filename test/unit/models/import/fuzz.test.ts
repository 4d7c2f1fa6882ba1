import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {importSpec} from '../../../../src/cli/commands/models.ts'
import {CommandFailed} from '../../../../src/cli/errors.ts'
import {formatDefinition} from '../../../../src/config/definitions/definition.ts'
import {parseDefinitions} from '../../../../src/config/definitions/definition-files.ts'
import {checkProperty, INPUT_FACTOR} from '../../../support/seeds.ts'

const RUNS = 50

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-import-'))
})
afterAll(() => rm(folder, {recursive: true}))

const urn = (kind: string, name: string) => `urn:miot-spec-v2:${kind}:${name}:0000780C:acme-one:1`
const property = (iid: number, name: string, more: object = {}) => ({
  iid,
  type: urn('property', name),
  description: name,
  format: 'uint8',
  access: ['read', 'write', 'notify'],
  ...more,
})
const values = (...words: string[]) => ({
  'value-list': words.map((description, value) => ({value, description})),
})
const service = (iid: number, name: string, ...properties: object[]) => ({
  iid,
  type: urn('service', name),
  description: name,
  properties,
})
const SPEC = {
  type: urn('device', 'outlet'),
  description: 'Outlet',
  services: [
    service(
      2,
      'switch',
      property(1, 'on', {format: 'bool'}),
      property(2, 'default-power-on-state', values('Off', 'On', 'Memory')),
      property(3, 'mode', values('Eco', 'Boost')),
      property(4, 'fault', values('No faults', 'Over temperature', 'Overload')),
    ),
    service(3, 'switch', property(1, 'on', {format: 'bool'})),
    service(
      4,
      'power-consumption',
      property(1, 'electric-power', {unit: 'watt', 'value-range': [0, 4000, 1]}),
      property(2, 'voltage', {unit: 'mv'}),
      property(3, 'temperature', {unit: 'celsius'}),
      property(4, 'working-time', {unit: 'seconds'}),
    ),
    service(
      5,
      'countdown',
      property(1, 'countdown-time', {unit: 'seconds', 'value-range': [60, 86_400, 1]}),
      property(2, 'left-time', {unit: 'minutes'}),
      property(3, 'on', {format: 'bool'}),
    ),
  ],
}

/** The imported definition, printed and read again. */
async function roundTrip(spec: unknown, id?: string): Promise<'refused' | 'taken'> {
  const file = join(folder, 'spec.json')
  await writeFile(file, typeof spec === 'string' ? spec : JSON.stringify(spec))
  try {
    const {model} = await importSpec(file, id)
    const {models, problems} = parseDefinitions([{file: 'own.yaml', content: formatDefinition(model)}])
    expect(problems).toEqual([])
    expect(models).toEqual([model])
    return 'taken'
  } catch (error) {
    if (error instanceof CommandFailed) return 'refused'
    throw error
  }
}

async function refusal(spec: unknown): Promise<string> {
  const file = join(folder, 'spec.json')
  await writeFile(file, JSON.stringify(spec))
  return importSpec(file, undefined).then(
    () => 'taken',
    (error: unknown) => (error instanceof CommandFailed ? error.message : String(error)),
  )
}

const hostile = fc.oneof(
  fc.constantFrom<unknown>(
    ...[-2, 0, -0, 3.5, 1e308, 2 ** 53, 65_536, 1e-7, -1, 1e15, null, true, '', [], {}, 'x'.repeat(5000)],
    ...[
      'a\u001b[2J',
      '\ud800',
      'two\nlines',
      'a\u2028b',
      '\u009b',
      ' ',
      '开',
      '__proto__',
      'constructor',
      ': #',
    ],
    ...[[5, 5, 1], [10, 3], [-0, 0, 1], [0, 30, 1], [0, 1e300], ['a'], ['read'], [1, 2, 3, 4]],
    [
      {value: 1, description: 'a'},
      {value: 1, description: 'b'},
    ],
    [
      {value: 3, description: 'On'},
      {value: 1, description: 'Off'},
    ],
    [
      {value: -1, description: 'On'},
      {value: 4_294_967_295, description: 'Off'},
    ],
    [{value: 0, description: '开'}],
    ...['watt', 'mv', 'seconds', 'a'],
    urn('property', 'on'),
    urn('property', 'mode'),
    urn('service', 'usb-switch'),
  ),
  fc.double(),
  fc.string({unit: 'binary', maxLength: 30}),
)

/** The path of every value in the specification. */
function places(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  const inside = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const own = path.length > 0 ? [path] : []
  return [...own, ...inside.flatMap(([key, member]) => places(member, [...path, key]))]
}

function replaced(spec: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const copy: unknown = structuredClone(spec)
  let around = copy as Record<string, unknown>
  for (const key of path.slice(0, -1)) {
    const inside = around[key]
    if (typeof inside !== 'object' || inside === null) return copy
    around = inside as Record<string, unknown>
  }
  Object.defineProperty(around, path.at(-1) ?? '', {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
  return copy
}

describe('a specification that is imported', () => {
  it('is the same when the printed definition is read back', async () => {
    expect(await roundTrip(SPEC)).toBe('taken')
  })

  it('is read back, or refused with an error message, whatever is wrong with it', {
    timeout: 120_000,
  }, async () => {
    const change = fc.tuple(fc.constantFrom(...places(SPEC)), hostile)
    const counts = {taken: 0, refused: 0}
    await checkProperty(
      fc.asyncProperty(fc.array(change, {minLength: 1, maxLength: 3}), async (changes) => {
        const spec = changes.reduce<unknown>((before, [path, value]) => replaced(before, path, value), SPEC)
        counts[await roundTrip(spec)]++
      }),
      {numRuns: RUNS},
    )
    expect(counts.taken).toBeGreaterThan((INPUT_FACTOR * RUNS) / 10)
    expect(counts.refused).toBeGreaterThan((INPUT_FACTOR * RUNS) / 10)
  })

  it.each([-2, 0, 3.5, 1e308, 2 ** 53, 65_536, '1', null, true])(
    'with an iid of %j is refused, with the place of it',
    async (iid) => {
      expect(await refusal(replaced(SPEC, ['services', 1, 'iid'], iid))).toContain(
        `services.1.iid: expected a whole number from 1 to 65535, got ${JSON.stringify(iid)}`,
      )
      expect(await refusal(replaced(SPEC, ['services', 0, 'properties', 2, 'iid'], iid))).toContain(
        'services.0.properties.2.iid: expected a whole number',
      )
    },
  )

  it('may have more sockets than names, and values in any order', async () => {
    const sockets = Array.from({length: 120}, (_, n) => service(n + 10, 'switch', property(1, 'on')))
    expect(await roundTrip({...SPEC, services: sockets})).toBe('taken')
    const spec = replaced(
      SPEC,
      ['services', 0, 'properties', 2, 'value-list'],
      [
        {value: 7, description: 'Eco'},
        {value: 2, description: 'Boost'},
      ],
    )
    expect(await roundTrip(spec)).toBe('taken')
  })
})

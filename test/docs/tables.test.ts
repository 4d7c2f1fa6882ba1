import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {messageWarnings} from '../../src/bridge/component.ts'
import {NameDirectory} from '../../src/bridge/name-directory.ts'
import type {BridgeActions} from '../../src/bridge/requests/bridge-actions.ts'
import {Requests} from '../../src/bridge/requests/requests.ts'
import {faultTable} from '../../src/cli/fault-options.ts'
import {systemClock} from '../../src/common/clock.ts'
import {builtIn} from '../../src/models/catalogue.ts'
import {Topics} from '../../src/mqtt/topics.ts'
import {RememberingLog} from '../support/remembering-log.ts'
import {code, documentAt, firstColumn, table} from './markdown.ts'

const readme = documentAt('README.md')
const topics = documentAt('docs/topics.md')
const architecture = documentAt('docs/architecture.md')
const sources = readdirSync('src', {recursive: true, encoding: 'utf8'}).filter((file) => file.endsWith('.ts'))

describe('the list of plugs in the README', () => {
  it('has every supported model', () => {
    const cells = table(readme, '| family | models |').map(([, models = '']) => models)
    expect(cells.flatMap(spelledOut).sort()).toEqual([...builtIn.ids].sort())
  })
})

describe('docs/models.md', () => {
  const unknown =
    documentAt('docs/models.md').prose.split('## Known by name only')[1]?.split('\n## ')[0] ?? ''

  it('lists as known by name only models without a definition', () => {
    const listed = Array.from(unknown.matchAll(/`([^`*]+)`/g), ([, id = '']) => id)
    expect(listed.length).toBeGreaterThan(10)
    expect(listed.filter((id) => builtIn.find(id))).toEqual([])
  })
})

describe('docs/topics.md', () => {
  it('lists every error code of a result', () => {
    const [, union = ''] = readFileSync('src/device/command-error.ts', 'utf8').split('CommandErrorCode =')
    const codes = Array.from(union.split('\n\n')[0]?.matchAll(/'(\w+)'/g) ?? [], ([, name]) => name)
    expect(firstColumn(topics, '| code | means |').map(code).sort()).toEqual(codes.sort())
  })

  it('lists every reason for being offline', () => {
    const [, union = ''] = readFileSync('src/device/diagnosis.ts', 'utf8').split('OfflineReason =')
    const reasons = Array.from(union.split('\n')[0]?.matchAll(/'(\w+)'/g) ?? [], ([, name]) => name)
    expect(firstColumn(topics, '| reason | means |').map(code).sort()).toEqual(reasons.sort())
  })

  it('lists every request', async () => {
    expect(firstColumn(topics, '| verb | takes |').map(code).sort()).toEqual((await knownVerbs()).sort())
  })

  it('lists every event', () => {
    const events = sources.flatMap(
      (file) => readFileSync(join('src', file), 'utf8').match(/(?<=')device_(?!code)\w+(?=')/g) ?? [],
    )
    expect(firstColumn(topics, '| type | data |').map(code).sort()).toEqual([...new Set(events)].sort())
  })
})

describe('docs/simulator.md', () => {
  it('lists every fault, written as it must be', () => {
    const listed = firstColumn(documentAt('docs/simulator.md'), '| fault | what happens |').map(code)
    expect(listed).toEqual([...faultTable.values()].map(({example}) => example))
  })
})

describe('docs/architecture.md', () => {
  const tree = architecture.blocks[0]?.text ?? ''

  it('shows every folder', () => {
    const top = new Set(sources.flatMap((file) => (file.includes('/') ? `${file.split('/')[0]}/` : [])))
    expect([...top].filter((name) => !tree.includes(name))).toEqual([])
  })

  it('names only files that exist', () => {
    const shown = tree.match(/[\w-]+\.ts/g) ?? []
    const missing = [...shown.map((name) => `src/${name}`), ...filesNamed()].filter(
      (path) => !existsSync(path),
    )
    expect(missing).toEqual([])
  })

  it('uses only names of classes and functions that exist', () => {
    const source = sources.map((file) => readFileSync(join('src', file), 'utf8')).join('\n')
    const names = architecture.spans.flatMap((span) => NAME.exec(span)?.[0] ?? [])
    expect(names.length).toBeGreaterThan(30)
    expect(names.filter((name) => !name.split('.').every((part) => isDeclaredIn(source, part)))).toEqual([])
  })

  function filesNamed(): string[] {
    const spans = [architecture, documentAt('CONTRIBUTING.md'), documentAt('docs/dependencies.md')].flatMap(
      (each) => each.spans,
    )
    return spans.filter((span) => /^(?:src|test|bench|docs)\/[\w./-]*$/.test(span))
  }
})

/** `RequestQueue`, `Device.write`, `bridgeComponents`. */
const NAME = /^(?:[A-Z]\w+|(?!miIO)[a-z]+[A-Z]\w*)(?:\.#?\w+)?$/

/** Whether `name` is the name of a class, type, function or member. */
function isDeclaredIn(source: string, name: string): boolean {
  const declared = `(?:class|interface|type|function|const|async|get|^ {2}) *${name}\\b`
  return new RegExp(declared, 'm').test(source)
}

/** The verbs that the bridge lists in its response to an unknown verb. */
async function knownVerbs(): Promise<string[]> {
  let answer = ''
  const actions: BridgeActions = {
    info: () => ({}),
    health: () => ({}),
    setLogLevel: () => {},
    reload: async () => undefined,
    edit: async () => undefined,
    allowsRawCalls: () => false,
    warnings: () => [],
    discover: async () => [],
  }
  const log = new RememberingLog()
  const context = {
    plugs: new Map(),
    groups: new Map(),
    names: new NameDirectory(new Map(), new Map()),
    clock: systemClock,
    publisher: {
      publish: ({payload}: {payload: string}) => {
        answer = payload
      },
    },
    topics: new Topics('miio2mqtt'),
    log,
    messageWarnings: messageWarnings({clock: systemClock, log}),
  }
  const requests = new Requests(context, actions)
  await requests.request('nonsense', {topic: '', payload: Buffer.from(''), retained: false})
  const [, list = ''] = /expected one of (.*), got/.exec(answer) ?? []
  return list.split(', ')
}

/** Expands short model ids: `cuco.plug.co1` `co1d` are cuco.plug.co1 and cuco.plug.co1d. */
function spelledOut(cell: string): string[] {
  let family = ''
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, id = '']) => {
    if (!id.includes('.')) return family + id
    family = id.slice(0, id.lastIndexOf('.') + 1)
    return id
  })
}

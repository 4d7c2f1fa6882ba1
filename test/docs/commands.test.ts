import type {Command, Option} from 'commander'
import {describe, expect, it} from 'vitest'
import {makeProgram} from '../../src/cli/program.ts'
import {Terminal} from '../../src/cli/terminal.ts'
import {code, commandLines, type Document, documentAt, documents, firstColumn, words} from './markdown.ts'

const program = makeProgram(new Terminal())

describe('a command line of the documents', () => {
  const lines = documents.flatMap((each) => [...blockLines(each), ...spanLines(each)])

  it('is found, in blocks and in prose', () => {
    expect(lines.map(({line}) => line)).toEqual(
      expect.arrayContaining(['miio2mqtt discover', 'miio2mqtt set desk led off']),
    )
  })

  it.each(unique(lines).map(({line, at}) => [line, at]))('`%s` (%s) is accepted by the program', (line) => {
    expect(problem(ourArguments(line) ?? [])).toBeUndefined()
  })
})

describe('the README', () => {
  const readme = documentAt('README.md')

  it('lists every command', () => {
    const rows = firstColumn(readme, '| command | does |')
    const listed = rows.flatMap((row) => Array.from(row.matchAll(/`miio2mqtt (\w+)/g), ([, name]) => name))
    expect(listed.sort()).toEqual(program.commands.map((command) => command.name()).sort())
  })

  it.each(['README.md', 'docs/simulator.md'])('and %s name only options that exist', (path) => {
    const known = [program, ...program.commands].flatMap(({options}) => options.map(({long}) => long))
    const named = documentAt(path).spans.filter((span) => span.startsWith('--'))
    expect(named.map((span) => span.split(' ')[0]).filter((option) => !known.includes(option))).toEqual([])
  })
})

describe('docs/simulator.md', () => {
  const simulate = program.commands.find((command) => command.name() === 'simulate')

  it('lists every option of simulate', () => {
    const listed = firstColumn(documentAt('docs/simulator.md'), '| option | |').map(
      (cell) => code(cell).split(' ')[0],
    )
    expect(listed.sort()).toEqual(simulate?.options.map(({long}) => long).sort())
  })
})

describe('the check of command lines', () => {
  it.each([
    ['miio2mqtt', undefined],
    ['miio2mqtt --config x.yaml run', undefined],
    ['miio2mqtt swich desk', 'no command swich'],
    ['miio2mqtt status', undefined],
    ['miio2mqtt info', 'too few words'],
    ['miio2mqtt status desk lamp', 'too many words'],
    ['miio2mqtt status --host 192.168.1.40', undefined],
    ['miio2mqtt status --hots x', 'no option --hots'],
    ['miio2mqtt simulate --fault loss=0.1 silence --count 2', undefined],
    ['sudo --user miio2mqtt miio2mqtt check', undefined],
    ['docker run --rm --name miio2mqtt miio2mqtt chek', 'no command chek'],
    ['miio2mqtt models chuangmi.plug.v3', undefined],
    ['miio2mqtt models import spec.json --id acme.plug.one', undefined],
    ['miio2mqtt models import', 'too few words'],
    ['miio2mqtt help set', undefined],
    ['miio2mqtt help sat', 'no command sat'],
  ])('finds in `%s`: %s', (line, expected) => {
    expect(problem(ourArguments(line) ?? [])).toBe(expected)
  })

  it('ignores other programs', () => {
    expect(ourArguments('docker rm --force miio2mqtt')).toBeUndefined()
    expect(ourArguments('systemctl status miio2mqtt')).toBeUndefined()
  })
})

interface Line {
  line: string
  at: string
}

function blockLines(each: Document): Line[] {
  const parts = commandLines(each).flatMap(({line, at}) =>
    line.split(/ (?:&&|\||>) /).map((part) => ({line: part.trim(), at})),
  )
  return parts.filter(({line}) => ourArguments(line) !== undefined)
}

function spanLines({spans, path}: Document): Line[] {
  return spans.filter((span) => /^miio2mqtt \S/.test(span)).map((line) => ({line, at: path}))
}

function unique(lines: readonly Line[]): Line[] {
  return [...new Map(lines.map((each) => [each.line, each])).values()]
}

/** The arguments of a call of miio2mqtt; `undefined` for a command line without one. */
function ourArguments(line: string): string[] | undefined {
  const typed = words(line.replace(/^sudo (?:--user \S+ )?/, '').replace(/^(?:[A-Z_]+=\S+ )+/, ''))
  if (typed[0] === 'miio2mqtt') return typed.slice(1)
  if (typed[0] === 'node' && typed[1] === 'dist/main.js') return typed.slice(2)
  if (typed[0] !== 'docker' || typed[1] !== 'run') return undefined
  const image = typed.findIndex((word, at) => word === 'miio2mqtt' && typed[at - 1] !== '--name')
  return typed.slice(image + 1)
}

/** Why the program would refuse these arguments, as far as its options and usage define it. */
function problem(given: readonly string[]): string | undefined {
  const [name, about] = withoutOptions(given, program.options).words
  if (name === 'help') return unknownCommand(about)
  if (unknownCommand(name)) return unknownCommand(name)
  const outer = commandCalled(name ?? 'run')
  const inner = outer?.commands.find((each) => each.name() === about)
  const command = inner ?? outer
  const known = [...program.options, ...(command?.options ?? [])]
  const {words: typed, unknown, options} = withoutOptions(given, known)
  if (unknown) return `no option ${unknown}`
  const count = typed.length + (options.has('--host') ? 1 : 0)
  return command && name && countProblem(command, count - (inner ? 2 : 1))
}

function unknownCommand(name: string | undefined): string | undefined {
  return name === undefined || commandCalled(name) ? undefined : `no command ${name}`
}

function commandCalled(name: string | undefined): Command | undefined {
  return program.commands.find((command) => command.name() === name)
}

function countProblem(command: Command, count: number): string | undefined {
  const places = command.usage().match(/<[^>]+>|\[(?!options\])[^\]]+\]/g) ?? []
  if (count < places.filter((place) => place.startsWith('<')).length) return 'too few words'
  return count > places.length ? 'too many words' : undefined
}

function withoutOptions(given: readonly string[], known: readonly Option[]) {
  const rest: string[] = []
  const options = new Set<string>()
  let unknown: string | undefined
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? ''
    if (!word.startsWith('-')) {
      rest.push(word)
      continue
    }
    const option = known.find(({long, short}) => long === word || short === word)
    options.add(word)
    if (!option && word !== '--help') unknown ??= word
    if (option?.required || option?.optional) at++
    while (option?.variadic && at + 1 < given.length && !given[at + 1]?.startsWith('-')) at++
  }
  return {words: rest, options, unknown}
}

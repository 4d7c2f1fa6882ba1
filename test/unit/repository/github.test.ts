/** The files of .github: GitHub reads them, so that a mistake in them would only be seen there. */
import {readdirSync, readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'
import {makeProgram} from '../../../src/cli/program.ts'
import {Terminal} from '../../../src/cli/terminal.ts'
import {packages} from '../../setup/debian-packages.ts'

const read = (path: string) => readFileSync(`.github/${path}`, 'utf8')
const {scripts, engines} = JSON.parse(readFileSync('package.json', 'utf8'))
const FORMS = readdirSync('.github/ISSUE_TEMPLATE').filter((file) => file !== 'config.yml')

describe.each([
  ['ci.yml', ['ci', 'check', 'test']],
  ['long.yml', ['ci', 'test:long']],
])('the workflow %s', (file, expected) => {
  const {steps} = parse(read(`workflows/${file}`)).jobs.test
  const commands: string[] = steps.flatMap(({run}: {run?: string}) => run ?? [])

  it('installs what the tests need', () => {
    const [apt = ''] = commands.filter((command) => command.includes('apt-get install'))
    expect(apt.split(' ')).toEqual(expect.arrayContaining(packages.map(({name}) => name)))
  })

  it('runs scripts that exist, and what it is there for', () => {
    const called = commands.flatMap((command) => /^npm (?:run )?([\w:]+)$/.exec(command)?.[1] ?? [])
    expect(called.filter((script) => script !== 'ci' && !(script in scripts))).toEqual([])
    expect(called).toEqual(expect.arrayContaining(expected))
  })
})

describe('the workflow of every change', () => {
  it('runs on the oldest Node.js that is supported, and on newer ones', () => {
    const [oldest, ...newer] = parse(read('workflows/ci.yml')).jobs.test.strategy.matrix.node
    expect(engines.node).toBe(`>=${oldest}.12`)
    expect(newer.length).toBeGreaterThan(0)
  })
})

describe.each(FORMS)('the form %s', (file) => {
  const form = parse(read(`ISSUE_TEMPLATE/${file}`))
  const fields: {type: string; id?: string; attributes: Record<string, unknown>}[] = form.body

  it('has what GitHub demands of it', () => {
    expect(form).toMatchObject({name: expect.any(String), description: expect.any(String)})
    const questions = fields.filter(({type}) => type !== 'markdown')
    expect(questions.every(({type}) => ['input', 'textarea'].includes(type))).toBe(true)
    expect(questions.every(({attributes}) => typeof attributes['label'] === 'string')).toBe(true)
    const ids = questions.map(({id}) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

it('name only commands that the program has', () => {
  const texts = [...FORMS.map((file) => read(`ISSUE_TEMPLATE/${file}`)), read('PULL_REQUEST_TEMPLATE.md')]
  const named = texts.flatMap((text) =>
    Array.from(text.matchAll(/`miio2mqtt ([a-z]+)/g), ([, name = '']) => name),
  )
  const known = makeProgram(new Terminal()).commands.map((command) => command.name())
  expect(named).toEqual(expect.arrayContaining(['check', 'probe', 'info']))
  expect(named.filter((name) => !known.includes(name))).toEqual([])
})

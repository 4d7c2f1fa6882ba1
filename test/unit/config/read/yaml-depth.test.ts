import {expect, it} from 'vitest'
import {ConfigError, parseConfig} from '../../../../src/config/config.ts'

const PLUG = 'devices:\n  desk: {host: 192.168.1.40, token: 2aed976192bdd2c7c7170d545670ed73}\n'

function problems(text: string): string[] {
  try {
    parseConfig(text, {file: 'config.yaml', env: {}})
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({line, column, message}) => `${line}:${column} ${message}`)
  }
}

const nested = (depth: number) =>
  Array.from({length: depth}, (_, level) => `${' '.repeat(level)}a:`).join('\n')

it.each([
  ['1,000 brackets', '['.repeat(1000), '1:101'],
  ['a million brackets', '['.repeat(1_000_000), '1:101'],
  ['brackets that are closed', `a: ${'['.repeat(500)}${']'.repeat(500)}`, '1:104'],
  ['braces behind a plug', `${PLUG}x: ${'{a: '.repeat(700)}`, '3:404'],
  ['both, on many lines', '[\n{a: \n'.repeat(900), '101:1'],
  ['names below names', nested(1000), '101:1'],
  ['dashes behind dashes', `${'- '.repeat(2000)}a`, '1:1'],
  ['question marks', `${'? '.repeat(2000)}a`, '1:1'],
])('%s are one mistake at their place, and not the end of the process', (_, text, place) => {
  expect(problems(text)).toEqual([
    `${place} expected fewer brackets within brackets, or lines indented less deep`,
  ])
})

it.each([
  [
    'many brackets beside one another',
    `${PLUG}groups: {${Array.from({length: 300}, (_, n) => `g${n}: {members: [desk]}`).join(', ')}}`,
  ],
  ['brackets within quotes', `${PLUG}mqtt: {username: plugs, password: "${'['.repeat(300)}"}`],
  ['brackets in comments', `# ${'['.repeat(300)}\n${PLUG}`],
])('%s are not deep', (_, text) => {
  expect(problems(text)).toEqual([])
})

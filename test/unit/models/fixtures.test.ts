import {readdirSync, readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import type {Fixture} from '../../../src/cli/fixture-recorder.ts'
import {builtIn} from '../../../src/models/catalogue.ts'
import {interpreted} from '../../support/fixtures.ts'

const FOLDER = 'test/fixtures'
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))
const texts = files.map((file) => [file, readFileSync(`${FOLDER}/${file}`, 'utf8')] as const)
const fixtures = texts.map(([file, json]): readonly [string, Fixture] => [file, JSON.parse(json)])

describe.each(fixtures)('%s', (file, {model: id, firmware, source, exchanges}) => {
  const model = builtIn.find(id) ?? expect.fail(`no definition of ${id}`)

  it('has the model and firmware of its plug, and the source of its responses', () => {
    expect(file).toBe(`${id}${firmware ? `@${firmware}` : ''}.json`)
    expect(source.length).toBeGreaterThan(10)
  })

  it.each(exchanges.map((exchange) => [exchange.reply, exchange] as const))('%s', (_, exchange) => {
    expect(interpreted(exchange, model)).toEqual(exchange)
  })
})

describe('the fixtures', () => {
  it('have an expected result for every response: values, an ok, an error, or that it is unreadable', () => {
    const idle = fixtures.flatMap(([file, {exchanges}]) =>
      exchanges
        .filter(({state, ok, error, unreadable}) => !(state ?? ok ?? error ?? unreadable))
        .map(({reply}) => `${file}: ${reply}`),
    )
    expect(idle).toEqual([])
  })

  it('have no token', () => {
    expect(texts.filter(([, json]) => /[0-9a-f]{32}/i.test(json)).map(([file]) => file)).toEqual([])
  })
})

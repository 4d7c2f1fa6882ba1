import {readFile} from 'node:fs/promises'
import {describe, expect, it} from 'vitest'
import {jsonSchema, parseConfig} from '../../../../src/config/config.ts'
import {settingsReference} from '../../../../src/config/schema/settings.ts'

const REFRESH = 'out of date; refresh it with: npx vitest run test/unit/config/describe/reference.test.ts -u'
const GENERATED =
  /(<!-- Made from the schema: .* -->\n)[\s\S]*(<!-- The end of what is made from the schema -->)/

/** As the project's formatter leaves it: a list of single values stays on its line. */
function pretty(value: unknown): string {
  const text = JSON.stringify(value, null, 2)
  return text.replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items: string) => `[${items.replace(/,\s+/g, ', ')}]`)
}

describe('what is made from the schema', () => {
  it('is up to date in config.schema.json', async () => {
    await expect(`${pretty(jsonSchema())}\n`, REFRESH).toMatchFileSnapshot('../../../../config.schema.json')
  })

  it('is up to date in docs/configuration.md', async () => {
    const page = await readFile('docs/configuration.md', 'utf8')
    expect(page).toMatch(GENERATED)
    const fresh = page.replace(
      GENERATED,
      (_, start: string, end: string) => `${start}\n${settingsReference()}\n\n${end}`,
    )
    await expect(fresh, REFRESH).toMatchFileSnapshot('../../../../docs/configuration.md')
  })

  it('has the kind and the description of every setting', () => {
    const rows = settingsReference()
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    expect(rows.length).toBeGreaterThan(30)
    for (const row of rows) expect(row).toMatch(/^\| `[^|]+` \| [^|]{4,} \| [^|]* \| [^|]{4,}\. \|$/)
  })
})

describe('config.example.yaml', () => {
  it('is valid, names the schema for editors, and shows the defaults where it shows any', async () => {
    const text = await readFile('config.example.yaml', 'utf8')
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\/config\.schema\.json\n/)
    const {devices, warnings: _, ...shown} = parseConfig(text, {file: 'config.example.yaml', env: {}})
    const {devices: none, warnings: __, ...defaults} = parseConfig('', {file: 'config.yaml', env: {}})
    expect(shown).toEqual(defaults)
    expect(Object.keys(devices)).toEqual(['desk', 'kitchen/kettle'])
    expect(none).toEqual({})
  })
})

import {readFile} from 'node:fs/promises'
import {expect, it} from 'vitest'
import {definitions} from '../../../src/models/catalogue.ts'
import {details, entities, overview, vocabulary} from '../../support/models-page.ts'

const REFRESH = 'out of date; refresh it with: npx vitest run test/unit/models/page.test.ts -u'

/** The text between the comments `Made from …: <part>` and `The end of <part>`. */
const PARTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/models.md': {
    'the vocabulary': vocabulary(),
    'the models': overview(definitions),
    'the details': details(definitions),
  },
  'docs/home-assistant.md': {'the entities': entities(definitions)},
}

it.each(Object.entries(PARTS))('%s has the tables of the current definitions', async (path, parts) => {
  let page = await readFile(path, 'utf8')
  for (const [name, fresh] of Object.entries(parts)) {
    const part = new RegExp(
      `(<!-- Made from src/models: ${name} -->\n)[\\s\\S]*(<!-- The end of ${name} -->)`,
    )
    expect(page).toMatch(part)
    page = page.replace(part, (_, start: string, end: string) => `${start}\n${fresh}\n\n${end}`)
  }
  await expect(page, REFRESH).toMatchFileSnapshot(`../../../${path}`)
})

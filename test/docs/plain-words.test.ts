/** The pages for users are in plain English: no personification, and the words that people search for. */
import {describe, expect, it} from 'vitest'
import {documents} from './markdown.ts'

/** For developers, or written release by release. */
const OTHER_READERS = ['CHANGELOG.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/dependencies.md']
/** Use in their place: reports, receives, a client, every program. */
const FORBIDDEN =
  /\b(?:told|heard|said|somebody|anybody|nobody|whoever|greets?|greeted|chokes?|all the same)\b/gi
/** Tables that are made from the source code have evidence of any length. */
const GENERATED = /<!-- Made from [\s\S]*?<!-- The end of [^>]*-->/g
const QUOTED = /``.*?``|`[^`\n]+`/g

const pages = documents.filter(({path}) => !OTHER_READERS.includes(path))

describe('the pages for users', () => {
  it.each(pages.map(({path, prose}) => [path, prose]))('%s has no forbidden word', (_, prose) => {
    expect(prose.replaceAll(QUOTED, '').match(FORBIDDEN) ?? []).toEqual([])
  })

  it.each(pages.map(({path, prose}) => [path, prose]))(
    '%s has no sentence of more than 35 words',
    (_, prose) => {
      expect(
        sentences(prose.replaceAll(GENERATED, '')).filter((each) => each.split(/\s+/).length > 35),
      ).toEqual([])
    },
  )
})

/** Without headings, and without tables, whose cells are no sentences. */
function sentences(prose: string): string[] {
  const paragraphs = prose.split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )/)
  const texts = paragraphs
    .filter((text) => !/^\s*(?:#|\|)/.test(text))
    .map((text) => text.replaceAll(QUOTED, 'x'))
  return texts.flatMap((text) => text.split(/(?<=[.?!:;])\s+/)).map((text) => text.trim())
}

import {readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {expect, it} from 'vitest'

/** What a file of `src` imports when it is loaded; without types, and without what `import()` loads later. */
function loadedBy(file: string): string[] {
  const statements = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b(?!\s+type\b)[^'"()=;]*?\bfrom\s*'([^']+)'/gm,
  )
  return Array.from(statements, ([, from = '']) => (from.startsWith('.') ? join(dirname(file), from) : from))
}

it('the program loads no command and no large library before it is clear which command runs', () => {
  const loaded = new Set(['src/cli/program.ts'])
  for (const file of loaded) if (file.startsWith('src/')) for (const each of loadedBy(file)) loaded.add(each)
  expect(loaded).toContain('src/cli/terminal.ts')
  expect([...loaded].filter((each) => each.includes('/commands/'))).toEqual([])
  expect([...loaded].filter((each) => !each.startsWith('src/') && !each.startsWith('node:'))).toEqual([
    'commander',
  ])
})

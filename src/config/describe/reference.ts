/** The schema as tables for people: docs/configuration.md holds what this returns. */
import {ANY_NAME, type JsonSchema, listSettings, type Setting} from '../schema/settings.ts'

/** One table for every part of the configuration, as Markdown. */
export function settingsReference(): string {
  const parts = new Map<string, Setting[]>()
  for (const setting of listSettings()) {
    const part = partOf(setting)
    parts.set(part, [...(parts.get(part) ?? []), setting])
  }
  return Array.from(parts, ([part, settings]) => section(part, settings)).join('\n\n')
}

function partOf({path}: Setting): string {
  if (path[1] === ANY_NAME) return `${path[0]}.${ANY_NAME}`
  return path.length > 1 ? (path[0] ?? '') : 'Everything else'
}

function section(part: string, settings: Setting[]): string {
  const title = part.includes(' ') ? part : `\`${part}\``
  const head = ['| key | value | default | |', '|---|---|---|---|']
  return [`### ${title}`, '', ...head, ...settings.map(row)].join('\n')
}

function row({path, schema}: Setting): string {
  const key = path.slice(path[1] === ANY_NAME ? 2 : path.length > 1 ? 1 : 0).join('.')
  const cells = [`\`${key}\``, kindOfValue(schema), defaultOf(schema), schema.description ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function kindOfValue({title, items}: JsonSchema): string {
  if (title) return title
  const item = typeof items === 'object' && !Array.isArray(items) ? items.title : undefined
  return item ? `a list, each ${item}` : ''
}

function defaultOf({default: value}: JsonSchema): string {
  return value === undefined ? '' : `\`${value}\``
}

/** The user's own definitions: every file of one folder, each with one plug, read as text like config.yaml (contract §2). */
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Model} from '../../models/model.ts'
import {type LazyText, messageText, type Problem} from '../config-error.ts'
import {fileErrorText, LONGEST_VALUE, readText} from '../read/read-file.ts'
import {parseYaml, readYaml, type YamlPath, YamlPlaces} from '../read/yaml.ts'
import {parseDefinition} from './definition-reader.ts'

/** One file of the folder: what it holds, or why it cannot be read. */
export interface DefinitionFile {
  file: string
  content: string | {problem: string}
}

export interface ParsedDefinitions {
  models: readonly Model[]
  problems: readonly Problem[]
}

const OURS = /^[^.].*\.(ya?ml|json)$/i

/** The folder, and the files in it that hold definitions. One that cannot be read has none: reading it says why. */
export async function listDefinitionFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return [folder, ...names.filter((name) => OURS.test(name)).map((name) => join(folder, name))]
}

/** All definitions in `folder`, by the names of their files. @returns why it cannot be read, in place of them */
export async function readDefinitionFolder(folder: string): Promise<DefinitionFile[] | {problem: string}> {
  try {
    const names = (await readdir(folder)).filter((name) => OURS.test(name))
    return await Promise.all(names.sort().map((name) => readModelFile(join(folder, name))))
  } catch (error) {
    return {problem: `cannot read the folder ${folder}: ${fileErrorText(error)}`}
  }
}

async function readModelFile(file: string): Promise<DefinitionFile> {
  const unreadable = (error: unknown) => ({problem: `cannot read the definition: ${fileErrorText(error)}`})
  return {file, content: await readText(file, LONGEST_VALUE).catch(unreadable)}
}

/** What the files define, and all that is wrong with any of them. */
export function parseDefinitions(files: readonly DefinitionFile[]): ParsedDefinitions {
  const read = files.map(readDefinition)
  const models = read.flatMap(({model}) => (model ? [model] : []))
  return {models, problems: [...read.flatMap(({problems}) => problems), ...definedTwice(read)]}
}

/** One file, read: where its parts were written, too. */
interface ReadFile {
  model?: Model
  problems: Problem[]
  problemAt: (path: YamlPath, message: string) => Problem
}

function readDefinition({file, content}: DefinitionFile): ReadFile {
  const places = new YamlPlaces()
  const problemAt = (path: YamlPath, message: string) => ({
    ...(places.find(path) ?? {file}),
    path: path.join('.'),
    message,
  })
  if (typeof content !== 'string') return {problems: [{file, path: '', message: content.problem}], problemAt}
  const yaml = parseYaml(content, file)
  const problems = [...yaml.problems]
  if (!yaml.readable) return {problems, problemAt}
  const report = (path: YamlPath, message: LazyText) => problems.push(problemAt(path, messageText(message)))
  const read = readYaml(yaml, {
    places,
    report,
    empty: () => '',
    resolve: (tag, text, path) => {
      report(path, `expected plain text: ${tag} is for config.yaml`)
      return text
    },
  })
  const understood = parseDefinition(read ?? '', `own definition ${file}`)
  if ('value' in understood) return {model: understood.value, problems, problemAt}
  for (const {path, message} of understood.broken) report(path, message)
  return {problems, problemAt}
}

/** The later one would silently win. */
function definedTwice(read: readonly ReadFile[]): Problem[] {
  const first = new Map<string, ReadFile>()
  return read.flatMap((definition) =>
    (definition.model?.ids ?? []).flatMap((id, at) => {
      const before = first.get(id)
      first.set(id, before ?? definition)
      const where = before?.problemAt(['ids'], '')
      return where ? [definition.problemAt(['ids', at], `${id} is defined in ${where.file} already`)] : []
    }),
  )
}

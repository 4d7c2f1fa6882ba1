/** The user's own definitions: every file of one folder, each with one plug, read as text like config.yaml (contract §2). */
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Model} from '../../models/model.ts'
import {type Message, type Problem, said} from '../config-error.ts'
import {LONGEST_VALUE, readText, reason} from '../read/read-file.ts'
import {type Path, Places, parseYaml, readYaml} from '../read/yaml.ts'
import {definitionIn} from './definition-reader.ts'

/** One file of the folder: what it holds, or why it cannot be read. */
export interface ModelFile {
  file: string
  content: string | {problem: string}
}

export interface Definitions {
  models: readonly Model[]
  problems: readonly Problem[]
}

const OURS = /^[^.].*\.(ya?ml|json)$/i

/** The folder, and the files in it that hold definitions. One that cannot be read has none: reading it says why. */
export async function modelFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return [folder, ...names.filter((name) => OURS.test(name)).map((name) => join(folder, name))]
}

/** All definitions in `folder`, by the names of their files. @returns why it cannot be read, in place of them */
export async function readModelFolder(folder: string): Promise<ModelFile[] | {problem: string}> {
  try {
    const names = (await readdir(folder)).filter((name) => OURS.test(name))
    return await Promise.all(names.sort().map((name) => readModelFile(join(folder, name))))
  } catch (error) {
    return {problem: `cannot read the folder ${folder}: ${reason(error)}`}
  }
}

async function readModelFile(file: string): Promise<ModelFile> {
  const unreadable = (error: unknown) => ({problem: `cannot read the definition: ${reason(error)}`})
  return {file, content: await readText(file, LONGEST_VALUE).catch(unreadable)}
}

/** What the files define, and all that is wrong with any of them. */
export function definitionsIn(files: readonly ModelFile[]): Definitions {
  const read = files.map(readDefinition)
  const models = read.flatMap(({model}) => (model ? [model] : []))
  return {models, problems: [...read.flatMap(({problems}) => problems), ...definedTwice(read)]}
}

/** One file, read: where its parts were written, too. */
interface ReadFile {
  model?: Model
  problems: Problem[]
  problemAt: (path: Path, message: string) => Problem
}

function readDefinition({file, content}: ModelFile): ReadFile {
  const places = new Places()
  const problemAt = (path: Path, message: string) => ({
    ...(places.find(path) ?? {file}),
    path: path.join('.'),
    message,
  })
  if (typeof content !== 'string') return {problems: [{file, path: '', message: content.problem}], problemAt}
  const yaml = parseYaml(content, file)
  const problems = [...yaml.problems]
  if (!yaml.readable) return {problems, problemAt}
  const report = (path: Path, message: Message) => problems.push(problemAt(path, said(message)))
  const read = readYaml(yaml, {
    places,
    report,
    empty: () => '',
    resolve: (tag, text, path) => {
      report(path, `expected plain text: ${tag} is for config.yaml`)
      return text
    },
  })
  const understood = definitionIn(read ?? '', `own definition ${file}`)
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

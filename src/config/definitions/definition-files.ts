/** Reads the user's own definitions: every file of the folder `models`, each with one plug (docs/adding-a-plug.md). */
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Model} from '../../models/model.ts'
import {type LazyText, messageText, type Problem} from '../config-error.ts'
import {fileErrorText, LONGEST_VALUE, readText} from '../read/read-file.ts'
import {parseYaml, type YamlPath, YamlPlaces} from '../read/yaml.ts'
import {readYaml} from '../read/yaml-reader.ts'
import {duplicatesBy} from '../validate/rules.ts'
import {parseDefinition} from './definition.ts'

/** A file of the folder: its content, or why it cannot be read. */
export interface DefinitionFile {
  file: string
  content: string | {problem: string}
}

interface ParsedDefinitions {
  models: readonly Model[]
  problems: readonly Problem[]
}

const DEFINITION_FILE = /^[^.].*\.(ya?ml|json)$/i

/** The folder and its definition files. The folder alone when it cannot be read: `readDefinitionFolder` reports that. */
export async function listDefinitionFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return [folder, ...names.filter((name) => DEFINITION_FILE.test(name)).map((name) => join(folder, name))]
}

/** All definition files in `folder`, sorted by name, or why the folder cannot be read. */
export async function readDefinitionFolder(folder: string): Promise<DefinitionFile[] | {problem: string}> {
  try {
    const names = (await readdir(folder)).filter((name) => DEFINITION_FILE.test(name))
    return await Promise.all(names.sort().map((name) => readDefinitionFile(join(folder, name))))
  } catch (error) {
    return {problem: `cannot read the folder ${folder}: ${fileErrorText(error)}`}
  }
}

async function readDefinitionFile(file: string): Promise<DefinitionFile> {
  const unreadable = (error: unknown) => ({problem: `cannot read the definition: ${fileErrorText(error)}`})
  return {file, content: await readText(file, LONGEST_VALUE).catch(unreadable)}
}

/** The models that the files define, and all problems of the files. */
export function parseDefinitions(files: readonly DefinitionFile[]): ParsedDefinitions {
  const parsed = files.map(parseDefinitionFile)
  const models = parsed.flatMap(({model}) => (model ? [model] : []))
  const ids = parsed.flatMap((definition) =>
    (definition.model?.ids ?? []).map((id, index) => ({id, index, definition})),
  )
  // The later file would silently win.
  const definedTwice = duplicatesBy(ids, ({id}) => id).map(([first, {id, index, definition}]) => {
    const {file} = first.definition.problemAt(['ids'], '')
    return definition.problemAt(['ids', index], `${id} is defined in ${file} already`)
  })
  return {models, problems: [...parsed.flatMap(({problems}) => problems), ...definedTwice]}
}

interface ParsedDefinition {
  model?: Model
  problems: Problem[]
  /** Adds the place of `path` in the file to a message. */
  problemAt: (path: YamlPath, message: string) => Problem
}

function parseDefinitionFile({file, content}: DefinitionFile): ParsedDefinition {
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
  const result = parseDefinition(read ?? '', `own definition ${file}`)
  if ('value' in result) return {model: result.value, problems, problemAt}
  for (const {path, message} of result.problems) report(path, message)
  return {problems, problemAt}
}

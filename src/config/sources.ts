/** Where the text behind `!env`, `!file` and `!secret` comes from. */
import {basename, dirname, resolve} from 'node:path'
import {type Environment, filesInEnvironment} from './environment.ts'
import {LONGEST_DOCUMENT, LONGEST_VALUE, readText, reason} from './files.ts'
import {type Problem, quoted} from './problems.ts'
import {isSetting} from './settings.ts'
import type {Tag} from './tags.ts'
import {type Path, Places, parseYaml, type Raw, readYaml, type YamlFile} from './yaml.ts'

/** The content of a file. @throws the file system's error */
export type ReadFile = (path: string) => string

/** Beside config.yaml. */
export const SECRETS = 'secrets.yaml'

/** A tag that stands for nothing. `message` says what was expected. */
export class Unresolved extends Error {}

/** Resolves the tags of one configuration file. */
export class Sources {
  /** What is wrong with secrets.yaml itself. */
  readonly problems: Problem[] = []
  /** The variables that `!env` names. */
  readonly variables = new Set<string>()
  readonly #folder: string
  readonly #env: Environment
  readonly #readFile: ReadFile
  #secrets: Raw | undefined

  constructor(file: string, env: Environment, readFile: ReadFile) {
    this.#folder = dirname(file)
    this.#env = env
    this.#readFile = readFile
  }

  /** @throws Unresolved */
  resolve(tag: Tag, written: string): string {
    if (written === '')
      throw new Unresolved(`expected ${tag === '!file' ? 'a path' : 'a name'} after ${tag}, got nothing`)
    switch (tag) {
      case '!env':
        return this.#variable(written)
      case '!file':
        return this.content(resolve(this.#folder, written))
      case '!secret':
        return this.#secret(written)
    }
  }

  /** What a file holds, without the newline that editors put at its end. @throws Unresolved */
  content(path: string): string {
    try {
      return this.#readFile(path).replace(/\r?\n$/, '')
    } catch (error) {
      throw new Unresolved(`cannot read ${path}: ${reason(error)}`)
    }
  }

  #variable(name: string): string {
    this.variables.add(name)
    const text = this.#env[name]
    if (text === undefined) throw new Unresolved(`the environment variable ${quoted(name)} is not set`)
    return text
  }

  #secret(name: string): string {
    this.#secrets ??= this.#readSecrets()
    const text =
      typeof this.#secrets === 'object'
        ? Object.entries(this.#secrets).find(([key]) => key === name)
        : undefined
    if (typeof text?.[1] === 'string') return text[1]
    throw new Unresolved(`${SECRETS} has no text called ${quoted(name)}`)
  }

  #readSecrets(): Raw {
    const path = resolve(this.#folder, SECRETS)
    const yaml = parseYaml(this.content(path), path)
    this.problems.push(...yaml.problems)
    return (yaml.readable ? readYaml(yaml, plainText) : undefined) ?? {}
  }
}

/** secrets.yaml has text only: a tag in it stands for itself, and is not resolved. */
const plainText = {places: new Places(), resolve: (_: Tag, written: string) => written, report: () => {}}

/**
 * Every file that reading `yaml` will ask for, so that all can be read before, without blocking. What stands where no setting is
 * is not asked for.
 */
export function filesNamed(yaml: YamlFile, env: Environment): Set<string> {
  const folder = dirname(yaml.file)
  const files = new Set(filesInEnvironment(env))
  const note = (tag: Tag, written: string, path: Path) => {
    if (written !== '' && isSetting(path)) {
      if (tag === '!file') files.add(resolve(folder, written))
      if (tag === '!secret') files.add(resolve(folder, SECRETS))
    }
    return ''
  }
  if (yaml.readable) readYaml(yaml, {places: new Places(), resolve: note, report: () => {}})
  return files
}

/** Reads all of `files` at once. What cannot be read fails when it is asked for. */
export async function readAhead(files: Iterable<string>): Promise<ReadFile> {
  const read = async (file: string) => {
    const most = basename(file) === SECRETS ? LONGEST_DOCUMENT : LONGEST_VALUE
    return [file, await readText(file, most).catch((error: unknown) => ({error}))] as const
  }
  const contents = new Map(await Promise.all([...files].map(read)))
  return (file) => {
    const content = contents.get(file)
    if (typeof content === 'string') return content
    throw content?.error
  }
}

/** Where the text behind `!env`, `!file` and `!secret` comes from. */
import {basename, dirname, join, resolve} from 'node:path'
import {kindOf, type LazyText, type Problem, quoted, redactedKey, suggestion} from '../config-error.ts'
import {isSetting} from '../schema/settings.ts'
import {type Environment, filesInEnvironment} from './environment.ts'
import {fileErrorText, LONGEST_DOCUMENT, LONGEST_VALUE, readText} from './read-file.ts'
import type {Tag} from './tags.ts'
import {parseYaml, type RawYaml, readYaml, type YamlFile, type YamlPath, YamlPlaces} from './yaml.ts'

/** The content of a file. @throws the file system's error */
export type ReadFile = (path: string) => string

/** Beside config.yaml. */
export const SECRETS_FILE = 'secrets.yaml'

/** What stands after a tag may be the secret itself, by mistake: only what looks like a name is repeated in an error. */
const VARIABLE = /^[A-Z_][A-Z0-9_]*$/
const WORDS = /^[A-Za-z]+(?:[_.-](?:[A-Za-z]+|\d+))*$/

/** Characters of a file's name that is one word. */
const LONGEST_WORD = 40

function isPath(written: string): boolean {
  return /[/.]/.test(written) || (written.length <= LONGEST_WORD && WORDS.test(written))
}

/** A tag that stands for nothing. */
export class UnresolvedTag extends Error {
  /** What was expected. Nothing where the cause is among the problems of secrets.yaml. */
  readonly reason: LazyText | undefined

  constructor(words?: LazyText) {
    super()
    this.reason = words
  }
}

/** Resolves the tags of one configuration file. */
export class TagResolver {
  /** What is wrong with secrets.yaml itself. */
  readonly problems: Problem[] = []
  /** The variables that `!env` names. */
  readonly variables = new Set<string>()
  readonly #folder: string
  readonly #env: Environment
  readonly #readFile: ReadFile
  #secretsFile: YamlFile | undefined
  #secrets: ReadonlyMap<string, RawYaml> | undefined

  constructor(file: string, env: Environment, readFile: ReadFile) {
    this.#folder = dirname(file)
    this.#env = env
    this.#readFile = readFile
  }

  /** secrets.yaml, once something in it was asked for. */
  get secretsFile(): YamlFile | undefined {
    return this.#secretsFile
  }

  /** @throws Unresolved */
  resolve(tag: Tag, written: string): string {
    if (written === '')
      throw new UnresolvedTag(`expected ${tag === '!file' ? 'a path' : 'a name'} after ${tag}, got nothing`)
    switch (tag) {
      case '!env':
        return this.#variable(written)
      case '!file':
        return this.content(resolve(this.#folder, written), isPath(written))
      case '!secret':
        return this.#secret(written)
    }
  }

  /** What a file holds, without the newline that editors put at its end. @param isShown in the error @throws Unresolved */
  content(path: string, isShown = true): string {
    try {
      return this.#readFile(path).replace(/\r?\n$/, '')
    } catch (error) {
      const home = path.includes('/~') ? '; "~" is taken as it stands: write the whole path' : ''
      throw new UnresolvedTag(
        `cannot read ${isShown ? path : 'the file that is named here'}: ${fileErrorText(error)}${home}`,
      )
    }
  }

  #variable(name: string): string {
    this.variables.add(name)
    const text = Object.hasOwn(this.#env, name) ? this.#env[name] : undefined
    if (text !== undefined) return text
    const which = VARIABLE.test(name) ? quoted(name) : 'that is named here'
    const known = Object.keys(this.#env)
    throw new UnresolvedTag(() => `the environment variable ${which} is not set${suggestion(name, known)}`)
  }

  #secret(name: string): string {
    this.#secrets ??= this.#readSecrets()
    const text = this.#secrets.get(name)
    if (typeof text === 'string') return text
    if (this.problems.length > 0) throw new UnresolvedTag()
    if (!WORDS.test(name)) throw new UnresolvedTag(`${SECRETS_FILE} has no text of the name that stands here`)
    const known = [...this.#secrets.keys()].map(redactedKey)
    throw new UnresolvedTag(
      () => `${SECRETS_FILE} has no text called ${quoted(name)}${suggestion(name, known)}`,
    )
  }

  #readSecrets(): ReadonlyMap<string, RawYaml> {
    const file = join(this.#folder, SECRETS_FILE)
    const yaml = parseYaml(this.content(resolve(file)), file)
    this.#secretsFile = yaml
    this.problems.push(...yaml.problems)
    if (!yaml.readable) return new Map()
    const places = new YamlPlaces()
    const report = (path: YamlPath, message: string) => {
      this.problems.push({...(places.find(path) ?? {file}), path: path.map(redactedKey).join('.'), message})
    }
    const tagged = new Set<string>()
    const resolveTag = (tag: Tag, _written: string, path: YamlPath) => {
      report(
        path,
        `expected plain text, got ${tag}, which is for config.yaml: write it there, in place of !secret`,
      )
      tagged.add(String(path[0]))
      return ''
    }
    const read = readYaml(yaml, {places, report, resolve: resolveTag, isAnyText: () => true}) ?? {}
    if (typeof read === 'object' && !Array.isArray(read))
      return new Map(Object.entries(read).filter(([name]) => !tagged.has(name)))
    report([], `expected a mapping from names to texts, got ${kindOf(read)}`)
    return new Map()
  }
}

/**
 * Every file that reading `yaml` will ask for, so that all can be read before, without blocking. What stands where no setting is
 * is not asked for.
 */
export function referencedFiles(yaml: YamlFile, env: Environment): Set<string> {
  const folder = dirname(yaml.file)
  const files = new Set(filesInEnvironment(env))
  const note = (tag: Tag, written: string, path: YamlPath) => {
    if (written !== '' && isSetting(path)) {
      if (tag === '!file') files.add(resolve(folder, written))
      if (tag === '!secret') files.add(resolve(folder, SECRETS_FILE))
    }
    return ''
  }
  if (yaml.readable) readYaml(yaml, {places: new YamlPlaces(), resolve: note, report: () => {}})
  return files
}

/** Reads all of `files` at once. What cannot be read fails when it is asked for. */
export async function preloadFiles(files: Iterable<string>): Promise<ReadFile> {
  const read = async (file: string) => {
    const most = basename(file) === SECRETS_FILE ? LONGEST_DOCUMENT : LONGEST_VALUE
    return [file, await readText(file, most).catch((error: unknown) => ({error}))] as const
  }
  const contents = new Map(await Promise.all([...files].map(read)))
  return (file) => {
    const content = contents.get(file)
    if (typeof content === 'string') return content
    throw content?.error
  }
}

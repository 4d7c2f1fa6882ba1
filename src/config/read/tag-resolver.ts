/** Resolves the tags `!env`, `!file` and `!secret`: the text of a setting comes from a variable, a file or secrets.yaml. */
import {basename, dirname, join, resolve} from 'node:path'
import {quoted} from '../../common/schema-errors.ts'
import {suggestion} from '../../common/suggestion.ts'
import {kindOf, type LazyText, type Problem, redactedKey} from '../config-error.ts'
import {isSetting} from '../schema/settings.ts'
import {type Environment, filesInEnvironment} from './environment.ts'
import {fileErrorText, LONGEST_DOCUMENT, LONGEST_VALUE, readText} from './read-file.ts'
import {isRawMapping, parseYaml, type RawYaml, type YamlFile, type YamlPath, YamlPlaces} from './yaml.ts'
import type {Tag} from './yaml-errors.ts'
import {readYaml} from './yaml-reader.ts'

/** The content of a file. @throws the file system's error */
export type ReadFile = (path: string) => string

/** In the folder of config.yaml. */
export const SECRETS_FILE = 'secrets.yaml'

// By mistake, the secret itself may stand after a tag: an error repeats only what looks like a name.
const VARIABLE_NAME = /^[A-Z_][A-Z0-9_]*$/
const SECRET_NAME = /^[A-Za-z]+(?:[_.-](?:[A-Za-z]+|\d+))*$/

/** Characters of a file name that is one word. */
const LONGEST_FILE_NAME = 40

/** Thrown for a tag that has no text. */
export class UnresolvedTag extends Error {
  /** What was expected. `undefined` where the problems of secrets.yaml have the cause. */
  readonly reason: LazyText | undefined

  constructor(reason?: LazyText) {
    super()
    this.reason = reason
  }
}

/** Resolves the tags of one configuration file. */
export class TagResolver {
  /** Problems of secrets.yaml itself. */
  readonly problems: Problem[] = []
  /** The variables that `!env` names. */
  readonly variables = new Set<string>()
  /** secrets.yaml, once a `!secret` was resolved. */
  secretsFile: YamlFile | undefined
  readonly #folder: string
  readonly #env: Environment
  readonly #readFile: ReadFile
  #secrets: ReadonlyMap<string, RawYaml> | undefined

  constructor(file: string, env: Environment, readFile: ReadFile) {
    this.#folder = dirname(file)
    this.#env = env
    this.#readFile = readFile
  }

  /** The text that `tag` stands for. @param text after the tag @throws UnresolvedTag */
  resolve(tag: Tag, text: string): string {
    if (text === '')
      throw new UnresolvedTag(`expected ${tag === '!file' ? 'a path' : 'a name'} after ${tag}, got nothing`)
    switch (tag) {
      case '!env':
        return this.#variable(text)
      case '!file': {
        const isName = text.length <= LONGEST_FILE_NAME && SECRET_NAME.test(text)
        return this.fileContent(resolve(this.#folder, text), isName || /[/.]/.test(text))
      }
      case '!secret':
        return this.#secret(text)
    }
  }

  /**
   * The content of a file, without the newline that editors put at its end.
   * @param isShown whether an error may show the path
   * @throws UnresolvedTag
   */
  fileContent(path: string, isShown = true): string {
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
    const shown = VARIABLE_NAME.test(name) ? quoted(name) : 'that is named here'
    const known = Object.keys(this.#env)
    throw new UnresolvedTag(() => `the environment variable ${shown} is not set${suggestion(name, known)}`)
  }

  #secret(name: string): string {
    this.#secrets ??= this.#readSecrets()
    const text = this.#secrets.get(name)
    if (typeof text === 'string') return text
    if (this.problems.length > 0) throw new UnresolvedTag()
    if (!SECRET_NAME.test(name))
      throw new UnresolvedTag(`${SECRETS_FILE} has no text of the name that stands here`)
    const known = [...this.#secrets.keys()].map(redactedKey)
    throw new UnresolvedTag(
      () => `${SECRETS_FILE} has no text called ${quoted(name)}${suggestion(name, known)}`,
    )
  }

  #readSecrets(): ReadonlyMap<string, RawYaml> {
    const file = join(this.#folder, SECRETS_FILE)
    const yaml = parseYaml(this.fileContent(resolve(file)), file)
    this.secretsFile = yaml
    this.problems.push(...yaml.problems)
    if (!yaml.readable) return new Map()
    const places = new YamlPlaces()
    const report = (path: YamlPath, message: string) => {
      this.problems.push({...(places.find(path) ?? {file}), path: path.map(redactedKey).join('.'), message})
    }
    const tagged = new Set<string>()
    const refuseTag = (tag: Tag, _text: string, path: YamlPath) => {
      report(
        path,
        `expected plain text, got ${tag}, which is for config.yaml: write it there, in place of !secret`,
      )
      tagged.add(String(path[0]))
      return ''
    }
    const read = readYaml(yaml, {places, report, resolve: refuseTag, isAnyText: () => true}) ?? {}
    if (isRawMapping(read)) return new Map(Object.entries(read).filter(([name]) => !tagged.has(name)))
    report([], `expected a mapping from names to texts, got ${kindOf(read)}`)
    return new Map()
  }
}

/**
 * Every file that parsing the configuration needs, so that all can be read before, without blocking. A tag at a path that is no setting
 * is left out.
 */
export function referencedFiles(yaml: YamlFile, env: Environment): Set<string> {
  const folder = dirname(yaml.file)
  const files = new Set(filesInEnvironment(env))
  const collect = (tag: Tag, text: string, path: YamlPath) => {
    if (text !== '' && isSetting(path)) {
      if (tag === '!file') files.add(resolve(folder, text))
      if (tag === '!secret') files.add(resolve(folder, SECRETS_FILE))
    }
    return ''
  }
  if (yaml.readable) readYaml(yaml, {places: new YamlPlaces(), resolve: collect, report: () => {}})
  return files
}

/** Reads all of `files` at once. The error of a file that cannot be read is thrown when its content is needed. */
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

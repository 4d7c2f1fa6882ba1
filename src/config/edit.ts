/** Changes to config.yaml that leave everything else as somebody wrote it: comments, order, tags (contract §2). Pure. */
import {type Document, isMap, isScalar, type Pair, Scalar, type YAMLMap} from 'yaml'
import type {Edit, Written} from '../bridge/controls.ts'
import {ConfigError, quoted} from './problems.ts'
import {parseYaml} from './yaml.ts'

/**
 * `text` with `edits` made one after the other.
 * @param file what to call the text in an error
 * @throws ConfigError when the text is no YAML, or a key to rename is not there
 */
export function edited(text: string, file: string, edits: readonly Edit[]): string {
  const {document, readable, problems} = parseYaml(text, file)
  if (!readable) throw new ConfigError(problems)
  for (const edit of edits) {
    if ('put' in edit) put(document, edit.path, edit.put)
    else if ('drop' in edit) drop(document, edit.path)
    else rename(document, file, edit.path, edit.rename)
  }
  return document.toString({lineWidth: 0, flowCollectionPadding: false, indent: indentOf(text)})
}

function put(document: Document, path: readonly string[], value: Written): void {
  const parents = path.slice(0, -1)
  for (const depth of parents.keys()) {
    const parent = path.slice(0, depth + 1)
    if (!isMap(document.getIn(parent, true))) document.setIn(parent, document.createNode({}))
  }
  const around = document.getIn(parents, true)
  // An empty `{}` is where something longer is going to be.
  if (isMap(around) && around.items.length === 0) around.flow = false
  document.setIn(path, nodeOf(document, value))
}

/** A section that has nothing left in it, not even a comment, goes with the last that was in it. */
function drop(document: Document, path: readonly string[]): void {
  document.deleteIn(path)
  const parents = path.slice(0, -1)
  const around = parents.length > 0 ? document.getIn(parents, true) : undefined
  if (isMap(around) && around.items.length === 0 && !around.comment && !around.commentBefore)
    document.deleteIn(parents)
}

/** What would be read as nothing when it is written plainly gets quotes. */
function nodeOf(document: Document, value: Written) {
  if (typeof value !== 'string') return document.createNode(value)
  const scalar = new Scalar(value)
  if (/^(?:~|null)?$/i.test(value)) scalar.type = Scalar.QUOTE_DOUBLE
  return scalar
}

function rename(document: Document, file: string, path: readonly string[], to: string): void {
  const pair = pairAt(document, path)
  if (!pair || !isScalar(pair.key)) {
    const message = `expected ${quoted(path.join('.'))} to be there, to be renamed`
    throw new ConfigError([{file, path: path.join('.'), message}])
  }
  pair.key.value = to
}

function pairAt(document: Document, path: readonly string[]): Pair | undefined {
  const around = document.getIn(path.slice(0, -1), true)
  const key = path.at(-1)
  return isMap(around) ? findPair(around, key) : undefined
}

function findPair({items}: YAMLMap, key: string | undefined): Pair | undefined {
  return items.find((item) => isScalar(item.key) && item.key.value === key)
}

/** As the first line that is further in than the one before, two spaces where there is none. */
function indentOf(text: string): number {
  const first = /^( +)[^\s#-]/m.exec(text)
  return first?.[1]?.length ?? 2
}

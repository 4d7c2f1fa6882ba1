/** Whether everybody on this machine can read the secrets of the configuration. */
import {realpath, stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {secretsOf} from '../describe/describe-config.ts'
import {LONGEST_DOCUMENT, readText} from '../read/read-file.ts'
import {SECRETS_FILE} from '../read/tag-sources.ts'
import type {Config} from '../schema/schema.ts'

const READABLE_BY_ALL = 0o004
const PASSABLE_BY_ALL = 0o001

/**
 * Those of config.yaml and secrets.yaml that hold a token or password of `config`, and that every user can read. A file that is named
 * by `!file` is left out: a container's secrets are readable by all of its users. Never rejects.
 */
export async function exposedFiles(file: string, config: Config): Promise<string[]> {
  const secrets = secretsOf(config).map((secret) => secret.reveal().toLowerCase())
  const files = [file, join(dirname(file), SECRETS_FILE)]
  const exposed = await Promise.all(
    files
      .map(async (each) => {
        if (!(await isReadableByAll(each))) return false
        const text = (await readText(each, LONGEST_DOCUMENT)).toLowerCase()
        const tokens = new Set(text.match(/[0-9a-f]{32,}/g))
        return secrets.some((secret) => tokens.has(secret) || isPasswordIn(text, secret))
      })
      .map((answer) => answer.catch(() => false)),
  )
  return files.filter((_, index) => exposed[index])
}

/** Tokens are looked up: to search the text for each of ten thousand takes seconds. */
function isPasswordIn(text: string, secret: string): boolean {
  return secret !== '' && !/^[0-9a-f]{32}$/.test(secret) && text.includes(secret)
}

/** A folder that others cannot pass keeps all that is in it from them. */
async function isReadableByAll(file: string): Promise<boolean> {
  const target = await realpath(file)
  if (((await stat(target)).mode & READABLE_BY_ALL) === 0) return false
  for (let folder = dirname(target); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & PASSABLE_BY_ALL) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

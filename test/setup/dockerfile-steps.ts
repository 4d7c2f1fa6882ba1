/**
 * Executes the Dockerfile without a container engine: every COPY and RUN in an empty folder in place of the image,
 * then the program and the health check as the image would start them. It is run by hand, since it installs everything:
 *
 *     npx tsx test/setup/dockerfile-steps.ts
 */
import {spawnSync} from 'node:child_process'
import {cpSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {basename, join, resolve} from 'node:path'
import {execForm, type Instruction, readContext, readStages} from './dockerfile.ts'

const images = mkdtempSync(join(tmpdir(), 'miio2mqtt-image-'))
const context = readContext('.dockerignore')

/** A stage's file system, and its variables. */
class Image {
  readonly #root: string
  #workdir = '/'
  readonly #env: Record<string, string> = {PATH: process.env['PATH'] ?? '', HOME: images}
  #entrypoint: string[] = []
  #healthcheck: string[] = []

  constructor(name: string) {
    this.#root = join(images, name)
    mkdirSync(this.#root, {recursive: true})
  }

  carryOut({name, flags, rest}: Instruction): void {
    console.log(`${basename(this.#root)}: ${name} ${rest}`)
    if (name === 'WORKDIR') this.#enter(rest)
    else if (name === 'ENV') this.#set(rest)
    else if (name === 'COPY') this.#copy(flags['from'], rest.split(/\s+/))
    else if (name === 'RUN') this.#expect(['sh', '-c', rest], 0)
    else if (name === 'ENTRYPOINT') this.#entrypoint = execForm(rest) ?? []
    else if (name === 'HEALTHCHECK') this.#healthcheck = execForm(rest.replace(/^CMD\s+/, '')) ?? []
  }

  /** The program starts, and the health check fails without a daemon. */
  tryOut(): void {
    this.#expect([...this.#entrypoint, '--help'].map(this.#inside), 0)
    this.#expect(this.#healthcheck.map(this.#inside), 1)
  }

  #enter(path: string): void {
    this.#workdir = resolve(this.#workdir, path)
    mkdirSync(this.#inside(this.#workdir), {recursive: true})
  }

  #set(assignment: string): void {
    const [name = '', value = ''] = assignment.split('=', 2)
    this.#env[name] = value.startsWith('/') ? this.#inside(value) : assignment.slice(name.length + 1)
  }

  #copy(stage: string | undefined, paths: readonly string[]): void {
    const to = resolve(this.#workdir, paths.at(-1) ?? '')
    const intoFolder = paths.at(-1)?.endsWith('/')
    for (const path of paths.slice(0, -1)) {
      if (stage === undefined && !context.includes(path.replace(/^\.\//, '')))
        throw new Error(`.dockerignore keeps ${path} from being copied`)
      const from = stage === undefined ? path : join(images, stage, path)
      cpSync(from, this.#inside(intoFolder ? join(to, basename(path)) : to), {recursive: true})
    }
  }

  #expect([program = '', ...args]: readonly string[], code: number): void {
    const cwd = this.#inside(this.#workdir)
    const {status, error} = spawnSync(program, args, {cwd, env: this.#env, stdio: 'inherit'})
    if (status !== code)
      throw new Error(`expected ${[program, ...args].join(' ')} to end with ${code}, got ${status ?? error}`)
  }

  #inside = (path: string): string => (path.startsWith('/') ? join(this.#root, path) : path)
}

try {
  for (const {name, instructions} of readStages('Dockerfile')) {
    const image = new Image(name)
    for (const instruction of instructions) image.carryOut(instruction)
    if (instructions.some((instruction) => instruction.name === 'ENTRYPOINT')) image.tryOut()
  }
  console.log('The Dockerfile works.')
} finally {
  rmSync(images, {recursive: true, force: true})
}

import {readFileSync} from 'node:fs'

export interface Instruction {
  /** In capitals: `COPY`. */
  name: string
  /** `--from=build` as `from: 'build'`. */
  flags: Readonly<Record<string, string>>
  /** The text after the flags. */
  rest: string
}

/** One `FROM` and its instructions. */
export interface Stage {
  name: string
  instructions: readonly Instruction[]
}

/** The stages of a Dockerfile without heredocs and `ARG`. */
export function readStages(path: string): Stage[] {
  const stages: {name: string; instructions: Instruction[]}[] = []
  for (const line of logicalLines(readFileSync(path, 'utf8'))) {
    const instruction = parse(line)
    if (instruction.name === 'FROM') {
      const name = / AS (\S+)$/i.exec(instruction.rest)?.[1] ?? String(stages.length)
      stages.push({name, instructions: []})
    }
    stages.at(-1)?.instructions.push(instruction)
  }
  return stages
}

/** The files that `docker build` sends, by .dockerignore: only those that it names with `!`. */
export function readContext(path: string): string[] {
  const lines = logicalLines(readFileSync(path, 'utf8'))
  if (lines[0] !== '*') throw new Error(`expected ${path} to begin with "*", got "${lines[0]}"`)
  return lines.slice(1).map((line) => line.replace(/^!/, ''))
}

/** `["node", "a.js"]` as a list; the shell form has none. */
export function execForm(text: string): string[] | undefined {
  return text.startsWith('[') ? JSON.parse(text) : undefined
}

function logicalLines(text: string): string[] {
  const lines = text.replace(/\\\n/g, ' ').split('\n')
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

function parse(line: string): Instruction {
  const [, name = '', written = '', rest = ''] = /^(\S+)\s+((?:--\S+\s+)*)(.*)$/.exec(line) ?? []
  const flags = Array.from(written.matchAll(/--(\S+?)=(\S+)/g), ([, flag = '', value = '']) => [flag, value])
  return {name: name.toUpperCase(), flags: Object.fromEntries(flags), rest}
}

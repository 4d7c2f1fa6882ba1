/** Programs written in TypeScript that a test starts in processes of their own. */
import {mkdirSync, rmSync} from 'node:fs'
import {basename, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {buildSync} from 'esbuild'
import {onProcessExit} from './on-process-exit.ts'

/** Below `node_modules`, so that the program finds the packages it imports. */
const FOLDER = 'node_modules/.cache/miio2mqtt-test-programs'

/**
 * Bundles a program and its imports into one JavaScript file, which lasts as long as this process. `node <file>` starts in a third of the
 * CPU time that `node --import tsx <source>` takes, which compiles all files again at each start.
 * @param source a path, or a URL from `new URL('program.ts', import.meta.url)`
 * @returns the absolute path of the JavaScript file
 */
export function bundledProgram(source: string | URL): string {
  const entry = typeof source === 'string' ? source : fileURLToPath(source)
  const file = resolve(FOLDER, `${basename(entry, '.ts')}-${process.pid}.mjs`)
  mkdirSync(FOLDER, {recursive: true})
  buildSync({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
  })
  onProcessExit(() => rmSync(file, {force: true}))
  return file
}

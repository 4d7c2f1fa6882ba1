/** Stack traces of the built program, which is a bundle: with the files and lines of the source in place of those of the bundle. */
import {readFileSync} from 'node:fs'
import {SourceMap} from 'node:module'
import {fileURLToPath} from 'node:url'

/** A place in a stack trace: `file:///…/dist/chunks/run-HR7FK5PZ.js:4:1234`. */
const PLACE = /(file:\/\/[^\s()]+\.js):(\d+):(\d+)/g

/** Read at the first stack trace, in some 100 ms, and kept: what failed once may fail at each message. `undefined` where there is none. */
const maps = new Map<string, SourceMap | undefined>()

/**
 * A stack trace with places such as `src/app/bridge.ts:87:5`, where the source maps are there. Node's `--enable-source-maps` does this, too,
 * but reads all maps at each start: 10 MB, and a tenth of the time of `check`.
 */
export function withSourcePlaces(stack: string): string {
  return stack.replace(PLACE, (place, file: string, line: string, column: string) => {
    const found = sourceMapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1)
    if (!found || !('originalSource' in found)) return place
    const {originalSource, originalLine, originalColumn} = found
    return `${originalSource.replace(/^(\.\.\/)+/, '')}:${originalLine + 1}:${originalColumn + 1}`
  })
}

function sourceMapOf(file: string): SourceMap | undefined {
  if (!maps.has(file)) maps.set(file, readSourceMap(file))
  return maps.get(file)
}

function readSourceMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(file)}.map`, 'utf8')))
  } catch {
    return undefined
  }
}

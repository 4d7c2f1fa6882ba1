/** The process: runs the command of the command line, prints its error and exits with its code. */
import {CommanderError} from 'commander'
import {MASK} from '../common/secret.ts'
import {CommandFailed, EXIT, UsageError} from './errors.ts'
import {makeProgram} from './program.ts'
import {Terminal} from './terminal.ts'

const terminal = new Terminal()

// `miio2mqtt models | head -1`: EPIPE means that the reader of the output has read enough.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done)
    if (stream === process.stdout) process.stderr.write(`the result cannot be written: ${error.message}\n`)
    process.exit(EXIT.failed)
  })

process.on('uncaughtExceptionMonitor', () => terminal.progress('')) // Node prints the error itself

process.exit(await runProgram())

/** @returns the exit code, once all output is written. The caller exits then: resources that a failed command left open do not delay it. */
async function runProgram(): Promise<number> {
  let code: number = EXIT.done
  try {
    await makeProgram(terminal).parseAsync()
  } catch (error) {
    code = printFailure(toFailure(error))
  }
  await Promise.all([process.stdout, process.stderr].map(flushed))
  return code
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

/** Turns an error of commander into a UsageError. @returns `undefined` for help and version, which are printed already */
function toFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  if (error.exitCode === EXIT.done || error.code === 'commander.help') return undefined
  const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
  const shown = text.replace(/[0-9a-f]{16,}/gi, MASK) // a mistyped command line may have a token anywhere
  return new UsageError(`${shown}; \`miio2mqtt help\` lists what there is`)
}

/** @returns the exit code */
function printFailure(failure: unknown): number {
  if (failure === undefined) return EXIT.done
  if (failure instanceof CommandFailed) {
    terminal.failure(failure.message, failure.code)
    return failure.exitCode
  }
  // A bug: the report of it needs the stack.
  terminal.failure(
    failure instanceof Error ? (failure.stack ?? failure.message) : String(failure),
    'internal',
  )
  return EXIT.internal
}

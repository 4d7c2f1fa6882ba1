/** The process: does what the command line says, and ends with the exit code that tells how it went. */
import {CommanderError} from 'commander'
import {MASK} from '../common/secret.ts'
import {CommandFailed, EXIT, UsageError} from './errors.ts'
import {makeProgram} from './program.ts'
import {Terminal} from './terminal.ts'

const terminal = new Terminal()

// `miio2mqtt models | head -1`: whoever read our output has read enough.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done)
    if (stream === process.stdout) process.stderr.write(`the result cannot be written: ${error.message}\n`)
    process.exit(EXIT.failed)
  })

process.on('uncaughtExceptionMonitor', () => terminal.progress('')) // Node prints the error itself

process.exit(await ended())

/** @returns the exit code, once everything that was printed is out. What a failed command left open must not keep the process. */
async function ended(): Promise<number> {
  let code: number = EXIT.done
  try {
    await makeProgram(terminal).parseAsync()
  } catch (error) {
    code = tell(toFailure(error))
  }
  await Promise.all([process.stdout, process.stderr].map(printed))
  return code
}

function printed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

function toFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  if (error.exitCode === EXIT.done || error.code === 'commander.help') return undefined
  const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
  const shown = text.replace(/[0-9a-f]{16,}/gi, MASK) // a token may stand anywhere in what was typed wrong
  return new UsageError(`${shown}; \`miio2mqtt help\` lists what there is`)
}

/** @returns the exit code. `undefined` is a wish for help or the version, which was granted. */
function tell(failure: unknown): number {
  if (failure === undefined) return EXIT.done
  if (failure instanceof CommandFailed) {
    terminal.failure(failure.message, failure.code)
    return failure.exitCode
  }
  // Nobody's mistake but ours: whoever reports it needs the stack.
  terminal.failure(
    failure instanceof Error ? (failure.stack ?? failure.message) : String(failure),
    'internal',
  )
  return EXIT.internal
}

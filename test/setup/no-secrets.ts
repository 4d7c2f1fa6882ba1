/**
 * Searches for the token of the tests' plugs in the output of a test run:
 *
 *     npx tsx test/setup/no-secrets.ts output.txt
 */
import {readFileSync} from 'node:fs'
import {leaks} from '../support/secret-leaks.ts'
import {TOKEN} from '../support/token.ts'

const [file = '/dev/stdin'] = process.argv.slice(2)
const found = leaks(readFileSync(file), TOKEN)
if (found.length > 0) {
  console.log(`The token of the tests' plugs is in the output, as: ${found.join('; ')}`)
  process.exitCode = 1
}

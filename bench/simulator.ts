/** Simulated plugs, in a process of their own. */
import {Program} from './program.ts'

export interface PlugRow {
  model: string
  id: number
  address: string
  /** 32 hex digits. */
  token: string
}

export interface Simulator {
  plugs: readonly PlugRow[]
  stop(): Promise<void>
}

/**
 * @param models assigned in turn; all of them by default
 * @throws Error with its output, when it does not start: so many plugs need as many open files
 */
export async function startSimulator(
  count: number,
  firstAddress: string,
  models: readonly string[] = [],
): Promise<Simulator> {
  const choice = models.length > 0 ? ['--model', ...models] : []
  const args = ['--json', 'simulate', '--count', String(count), '--address', firstAddress, ...choice]
  const program = Program.withManyFiles(args)
  await program.until(() => program.output.endsWith('\n'))
  const plugs: PlugRow[] = JSON.parse(program.output)
  return {plugs, stop: () => program.stop()}
}

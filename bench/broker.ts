/** A mosquitto of our own, that keeps nothing. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Program} from './program.ts'

const PROGRAM = '/usr/sbin/mosquitto'
const HOST = '127.0.0.1'

export interface Broker {
  url: string
  stop(): Promise<void>
}

/** @throws Error with what mosquitto said, when it does not start */
export async function startBroker(port: number): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-bench-'))
  const file = join(folder, 'mosquitto.conf')
  await writeFile(file, configuration(port))
  const program = new Program(PROGRAM, ['-c', file])
  await program.until(() => /mosquitto version \S+ running/.test(program.errors))
  return {
    url: `mqtt://${HOST}:${port}`,
    stop: async () => {
      await program.stop()
      await rm(folder, {recursive: true, force: true})
    },
  }
}

function configuration(port: number): string {
  const lines = [
    `listener ${port} ${HOST}`,
    'allow_anonymous true',
    'persistence false',
    'log_dest stderr',
    // Whoever looks on must miss nothing, however slow it is: this is no measurement of the broker.
    'max_queued_messages 0',
    'set_tcp_nodelay true',
  ]
  return `${lines.join('\n')}\n`
}

/** Starts mosquitto for a benchmark. It stores nothing. */
import {existsSync} from 'node:fs'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Program} from './program.ts'
import {Refusal} from './refusal.ts'

export const USUAL_PROGRAM = '/usr/sbin/mosquitto'
const HOST = '127.0.0.1'

export interface Broker {
  url: string
  stop(): Promise<void>
}

/**
 * @param program the path of mosquitto
 * @throws Refusal when it is not there, Error with the output of mosquitto when it does not start
 */
export async function startBroker(program: string, port: number): Promise<Broker> {
  if (!existsSync(program)) throw new Refusal(missing(program))
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-bench-'))
  const file = join(folder, 'mosquitto.conf')
  await writeFile(file, configuration(port))
  const mosquitto = new Program(program, ['-c', file])
  await mosquitto.until(() => /mosquitto version \S+ running/.test(mosquitto.errors))
  return {
    url: `mqtt://${HOST}:${port}`,
    stop: async () => {
      await mosquitto.stop()
      await rm(folder, {recursive: true, force: true})
    },
  }
}

function missing(program: string): string {
  return `expected the broker mosquitto at ${program}, which does not exist: install it (sudo apt-get install mosquitto), or say where it is with --mosquitto <path>; --only codec, --only requests and --only polls need no broker`
}

function configuration(port: number): string {
  const lines = [
    `listener ${port} ${HOST}`,
    'allow_anonymous true',
    'persistence false',
    'log_dest stderr',
    // The observer must miss nothing, however slow it is: the broker is not what is measured.
    'max_queued_messages 0',
    'set_tcp_nodelay true',
  ]
  return `${lines.join('\n')}\n`
}

/** The broker of the demo. aedes is loaded only here: nobody else needs a broker in the same process. */
import {createServer, type Server} from 'node:net'
import {CommandFailed} from './exit.ts'

export const USUAL_PORT = 1883
const HOST = '127.0.0.1'

export interface DemoBroker {
  port: number
  stop: () => Promise<void>
}

/**
 * @param wanted the port; without it the usual one, or any free one
 * @throws CommandFailed when the wanted port is taken
 */
export async function startBroker(wanted: number | undefined): Promise<DemoBroker> {
  const server = createServer()
  const taken = await listen(server, wanted ?? USUAL_PORT)
  if (taken && wanted !== undefined)
    throw new CommandFailed(`port ${wanted} is taken: choose another one with --port`)
  if (taken) await listen(server, 0)
  const {Aedes} = await import('aedes')
  const broker = await Aedes.createBroker()
  server.on('connection', broker.handle)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected the broker to have a port')
  return {
    port: address.port,
    stop: async () => {
      await new Promise<void>((resolve) => broker.close(resolve))
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** @returns whether the port was taken by somebody else */
function listen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = ({code, message}: NodeJS.ErrnoException) =>
      code === 'EADDRINUSE' ? resolve(true) : reject(new CommandFailed(`the broker cannot start: ${message}`))
    server.once('error', failed)
    server.listen(port, HOST, () => {
      server.off('error', failed)
      resolve(false)
    })
  })
}

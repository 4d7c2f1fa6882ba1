/** The broker of the demo. aedes is loaded only here: nobody else needs a broker in the same process. */
import {createServer, type Server} from 'node:net'
import {CommandFailed} from './errors.ts'

export const DEFAULT_BROKER_PORT = 1883
const HOST = '127.0.0.1'

export interface DemoBroker {
  port: number
  stop: () => Promise<void>
}

/** A message that a client published. */
export interface PublishedMessage {
  topic: string
  payload: string
  retain: boolean
}

/**
 * Speaks MQTT 5, which Home Assistant asks for, and 3.1.1.
 * @param wanted the port; without it the usual one, or any free one
 * @param onPublished told of every message, in the order in which they came
 * @throws CommandFailed when the wanted port is taken
 */
export async function startBroker(
  wanted: number | undefined,
  onPublished: (message: PublishedMessage) => void,
): Promise<DemoBroker> {
  const server = createServer()
  const taken = await listen(server, wanted ?? DEFAULT_BROKER_PORT)
  if (taken && wanted !== undefined)
    throw new CommandFailed(`port ${wanted} is taken: choose another one with --port`)
  if (taken) await listen(server, 0)
  const {Aedes} = await import('aedes')
  const broker = await Aedes.createBroker()
  const {authorizePublish} = broker
  // The event `publish` of a retained message comes after those of later messages, which are not stored first.
  broker.authorizePublish = (client, packet, done) => {
    onPublished({topic: packet.topic, payload: packet.payload.toString(), retain: packet.retain})
    authorizePublish(client, packet, done)
  }
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

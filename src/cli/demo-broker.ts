/** The embedded MQTT broker of the demo. aedes is loaded only when the demo starts. */
import {createServer, type Server} from 'node:net'
import {CommandFailed} from './errors.ts'

export const DEFAULT_BROKER_PORT = 1883
const HOST = '127.0.0.1'

interface DemoBroker {
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
 * Starts a broker that speaks MQTT 5, which Home Assistant asks for, and 3.1.1.
 * @param wantedPort by default 1883, or any free port where that is taken
 * @param onPublished called with every message, in the order of publishing
 * @throws CommandFailed when `wantedPort` is taken
 */
export async function startBroker(
  wantedPort: number | undefined,
  onPublished: (message: PublishedMessage) => void,
): Promise<DemoBroker> {
  const server = createServer()
  const isTaken = await listen(server, wantedPort ?? DEFAULT_BROKER_PORT)
  if (isTaken && wantedPort !== undefined)
    throw new CommandFailed(`port ${wantedPort} is taken: choose another one with --port`)
  if (isTaken) await listen(server, 0)
  const {Aedes} = await import('aedes')
  const broker = await Aedes.createBroker()
  const {authorizePublish} = broker
  // Not the event `publish`: for a retained message it comes after those of later messages, which are not stored first.
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

/** @returns whether the port is taken by another program @throws CommandFailed for any other error */
function listen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = ({code, message}: NodeJS.ErrnoException) =>
      code === 'EADDRINUSE' ? resolve(true) : reject(new CommandFailed(`the broker cannot start: ${message}`))
    server.once('error', onError)
    server.listen(port, HOST, () => {
      server.off('error', onError)
      resolve(false)
    })
  })
}

/**
 * The least that could switch a plug over MQTT: no queue, no retries, no deadline, one plug. The yardstick for the bridge's
 * latency: it makes the same hops with the same crypto. Arguments: broker URL, the plug's address, its token.
 */
import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import {Socket} from 'node:net'
import {connectAsync} from 'mqtt'
import {Cipher, HELLO, MIIO_PORT, parsePacket} from '../src/miio/packet.ts'

const [url = '', address = '', token = ''] = process.argv.slice(2)
const cipher = new Cipher(Buffer.from(token, 'hex'))
const socket = createSocket('udp4')
const client = await connectAsync(url, {protocolVersion: 5})
if (client.stream instanceof Socket) client.stream.setNoDelay(true)

socket.send(HELLO, MIIO_PORT, address)
const [greeting]: Buffer[] = await once(socket, 'message')
const {did, stamp} = await greeted(greeting)
const greetedAt = performance.now()
let id = 1

client.on('message', (_topic, payload) => {
  const value = payload.toString()
  const request = JSON.stringify({id: id++, method: 'set_power', params: [value.toLowerCase()]})
  const now = stamp + Math.floor((performance.now() - greetedAt) / 1000)
  socket.once('message', (reply: Buffer) => {
    if (isOk(reply)) client.publish('bare/plug', JSON.stringify({state: value}), {qos: 1, retain: true})
  })
  socket.send(cipher.seal(did, now, Buffer.from(`${request}\0`)), MIIO_PORT, address)
})
await client.subscribeAsync('bare/plug/set', {qos: 1})
process.stdout.write('ready\n')

async function greeted(datagram: Buffer | undefined): Promise<{did: number; stamp: number}> {
  const packet = datagram && parsePacket(datagram)
  if (packet?.kind !== 'hello_reply') throw new Error('expected a hello reply')
  return packet
}

function isOk(datagram: Buffer): boolean {
  const packet = parsePacket(datagram)
  return (
    packet.kind === 'message' &&
    JSON.parse(cipher.open(packet).toString().replace(/\0$/, '')).result[0] === 'ok'
  )
}

/** The floor: the least that gets two values from a plug. `node:dgram`, `node:crypto` and JSON: no retries, no deadline, no checks but the checksum. */
import {createCipheriv, createDecipheriv, createHash} from 'node:crypto'
import {createSocket} from 'node:dgram'
import {once} from 'node:events'
import type {PlugRow} from '../simulator.ts'
import {run} from './pace.ts'

const PORT = 54321
const HEADER_BYTES = 32
const HELLO = Buffer.from(`21310020${'ff'.repeat(28)}`, 'hex')

const socket = createSocket('udp4')
socket.bind(0)
await once(socket, 'listening')
const handlers = new Map<string, (datagram: Buffer) => void>()
socket.on('message', (datagram, {address}) => handlers.get(address)?.(datagram))

await run(async ({address, token: hex}: PlugRow) => {
  const token = Buffer.from(hex, 'hex')
  const key = md5(token)
  const iv = md5(key, token)
  const hello = await exchange(address, HELLO)
  const did = hello.subarray(8, 12)
  const bootedAt = performance.now() - 1000 * hello.readUInt32BE(12)
  let id = 10_000
  return async () => {
    const request = JSON.stringify({id: id++, method: 'get_prop', params: ['power', 'temperature']})
    const cipher = createCipheriv('aes-128-cbc', key, iv)
    const ciphertext = Buffer.concat([cipher.update(`${request}\0`), cipher.final()])
    const header = Buffer.alloc(16)
    header.writeUInt32BE(0x21310000 + HEADER_BYTES + ciphertext.length)
    did.copy(header, 8)
    header.writeUInt32BE(Math.floor((performance.now() - bootedAt) / 1000), 12)
    const packet = Buffer.concat([header, md5(header, token, ciphertext), ciphertext])
    const response = await exchange(address, packet)
    const body = response.subarray(HEADER_BYTES)
    if (!md5(response.subarray(0, 16), token, body).equals(response.subarray(16, HEADER_BYTES)))
      throw new Error('expected a response with the right checksum')
    const decipher = createDecipheriv('aes-128-cbc', key, iv)
    const text = decipher.update(body, undefined, 'utf8') + decipher.final('utf8')
    const {result} = JSON.parse(text.replace(/\0+$/, ''))
    if (result.length !== 2) throw new Error(`expected two values, got ${text}`)
  }
})

function exchange(address: string, datagram: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    handlers.set(address, resolve)
    socket.send(datagram, PORT, address)
  })
}

function md5(...parts: Buffer[]): Buffer {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

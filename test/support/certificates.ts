/** A certificate authority, and certificates that it signs for a broker and for a client: made by openssl for each test. */
import {execFile} from 'node:child_process'
import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll} from 'vitest'

/** The name that the broker's certificate is for. */
export const BROKER_NAME = 'broker.test'

export interface Certificates {
  /** Files for mosquitto.conf. */
  files: Readonly<Record<'ca' | 'brokerCert' | 'brokerKey', string>>
  /** PEM texts for config.yaml. */
  ca: string
  cert: string
  key: string
}

const run = promisify(execFile)
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

/** Deleted when the test file ends. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const at = (name: string) => join(folder, name)
  const make = (name: string, subject: string, ...more: string[]) =>
    run('openssl', [
      ...['req', '-x509', ...NEW_KEY, '-subj', `/CN=${subject}`],
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), ...more],
    ])
  await make('ca', 'an authority of ours')
  const vouched = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')]
  await make('broker', BROKER_NAME, ...vouched, '-addext', `subjectAltName=DNS:${BROKER_NAME}`)
  await make('client', 'a bridge', ...vouched)
  const text = (name: string) => readFile(at(name), 'utf8')
  return {
    files: {ca: at('ca.pem'), brokerCert: at('broker.pem'), brokerKey: at('broker.key')},
    ca: await text('ca.pem'),
    cert: await text('client.pem'),
    key: await text('client.key'),
  }
}

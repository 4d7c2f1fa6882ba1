import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridge} from '../support/bridge.ts'
import {BROKER_NAME, makeCertificates} from '../support/certificates.ts'
import {CommandClient} from '../support/command-client.ts'
import {freePort, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

describe('a broker that uses TLS and requires a client certificate', async () => {
  const {files, ca, cert, key} = await makeCertificates()
  const port = await freePort()
  const broker = await startMosquitto({
    config: [
      `listener ${port} 127.0.0.1`,
      `cafile ${files.ca}`,
      `certfile ${files.brokerCert}`,
      `keyfile ${files.brokerKey}`,
      'require_certificate true',
    ],
  })
  const user = await Watcher.open(broker)
  const desk = await startPlug({address: loopback(1, 1)})
  const url = `mqtts://127.0.0.1:${port}`
  const trusting = {url, ca, cert, key, servername: BROKER_NAME}

  async function warningOf(mqtt: Record<string, unknown>): Promise<string> {
    const bridge = await startBridge({broker, plugs: {}, config: {mqtt}})
    const [first] = await until(() => warningsOf(bridge), {what: 'a warning'})
    expect(warningsOf(bridge)).toHaveLength(1)
    expect(JSON.stringify(bridge.log)).not.toContain('PRIVATE KEY')
    await bridge.stop()
    return first ?? ''
  }

  it('is used with an authority, a certificate and a server name of our own', async () => {
    const bridge = await startBridge({broker, plugs: {desk}, config: {mqtt: trusting}})
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')
    const home = new CommandClient(broker, user)
    expect(await home.mosquittoPub('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    expect(warningsOf(bridge)).toBeUndefined()
    const info = JSON.parse((await user.retained()).get('miio2mqtt/bridge/info') ?? '{}')
    expect(info).toMatchObject({broker: url, config: {mqtt: {servername: BROKER_NAME}}})
    expect(JSON.stringify(info)).not.toContain('PRIVATE KEY')
    await bridge.stop()
  })

  it('of an unknown certificate authority is not trusted, and the warning names the setting', async () => {
    const {ca: _, ...withoutAuthority} = trusting
    expect(await warningOf(withoutAuthority)).toMatch(/self-signed certificate.*mqtt\.ca/)
  })

  it('whose certificate is for another name is not trusted, and the warning names the setting', async () => {
    const {servername: _, ...withoutName} = trusting
    expect(await warningOf(withoutName)).toMatch(/127\.0\.0\.1.*mqtt\.servername/)
  })

  it('is used when certificates are not verified', async () => {
    const bridge = await startBridge({
      broker,
      plugs: {},
      config: {mqtt: {url, cert, key, verify: false, base_topic: 'careless'}},
    })
    await user.waitFor('careless/bridge/state', ({payload}) => payload === '{"state":"online"}')
    await bridge.stop()
  })

  it('rejects a bridge without a certificate, and the warning names the setting', async () => {
    const {cert: _, key: __, ...anonymous} = trusting
    expect(await warningOf(anonymous)).toMatch(/certificate required.*mqtt\.cert/)
  })

  it('has another warning than a broker without TLS', async () => {
    expect(await warningOf({...trusting, url: `mqtts://127.0.0.1:${broker.port}`})).toMatch(
      /cannot use the broker/,
    )
  })
})

describe('a broker behind WebSockets', async () => {
  const port = await freePort()
  const broker = await startMosquitto({config: [`listener ${port} 127.0.0.1`, 'protocol websockets']})
  const user = await Watcher.open(broker)

  it('is used like any other', async () => {
    await startBridge({broker, plugs: {}, config: {mqtt: {url: `ws://127.0.0.1:${port}/mqtt`}}})
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === '{"state":"online"}')
  })
})

/** Warnings of the bridge, but that it has no plugs. */
function warningsOf(bridge: TestBridge): string[] | undefined {
  const warnings = bridge.log.filter(({level}) => level === 'warn').map(({message}) => String(message))
  const about = warnings.filter((text) => !text.startsWith('no plugs are configured'))
  return about.length > 0 ? about : undefined
}

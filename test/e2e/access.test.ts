import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startBridge, startPlug, type TestBridge} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {until} from '../support/wait.ts'

const ONLINE = '{"state":"online"}'

const warnings = (bridge: TestBridge) =>
  bridge.log.filter(({level}) => level === 'warn').map(({message}) => String(message))

describe('a broker whose access list denies publishing for Home Assistant', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-test-'))
  afterAll(() => rm(folder, {recursive: true, force: true}))
  const list = join(folder, 'acl')
  await writeFile(list, 'topic read #\ntopic readwrite miio2mqtt/#\n')
  const broker = await startMosquitto({config: [`acl_file ${list}`]})
  const user = await Watcher.open(broker)
  const addresses = Array.from({length: 5}, (_, index) => loopback(3, index + 1))
  const plugs = await Promise.all(addresses.map((address) => startPlug({address})))
  const bridge = await startBridge({
    broker,
    plugs: Object.fromEntries(plugs.map((plug, index) => [`plug ${index}`, plug])),
  })

  it('causes one warning with advice, however many plugs there are; other warnings are logged, too', async () => {
    await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload === ONLINE)
    const about = await until(() => (warnings(bridge).length > 0 ? warnings(bridge) : undefined), {
      what: 'the warning',
    })
    expect(about).toEqual([
      expect.stringMatching(
        /did not accept homeassistant\/device\/.*Not authorized.*access list of the broker/,
      ),
    ])
    await user.publish('miio2mqtt/bridge/request/health_check', '')
    const {payload} = await user.waitFor('miio2mqtt/bridge/response/health_check')
    expect(JSON.parse(payload)).toMatchObject({status: 'ok', data: {mqtt: {failed: 6, connects: 1}}})
  })

  it('still delivers commands', async () => {
    expect(await new CommandClient(broker, user).mosquittoPub('plug 0', 'set', 'ON')).toMatchObject({
      status: 'ok',
    })
  })
})

describe('two bridges with the same client id', async () => {
  const broker = await startMosquitto()
  const user = await Watcher.open(broker)
  const bridges: TestBridge[] = []
  for (const base_topic of ['cellar', 'attic'])
    bridges.push(
      await startBridge({
        broker,
        plugs: {},
        config: {mqtt: {url: broker.url, client_id: 'plugs', base_topic}, homeassistant: {enabled: false}},
      }),
    )

  it('that disconnect each other repeatedly warn once each, with the client id', async () => {
    const takeovers = () => broker.log.match(/already connected, closing old connection/g)?.length ?? 0
    const allHaveSaid = () => bridges.every((bridge) => warnings(bridge).length > 2)
    await until(allHaveSaid, {what: () => `three takeovers of each; the log: ${broker.log}`})
    const before = takeovers()
    await until(() => takeovers() > before, {what: 'one more'})
    for (const bridge of bridges) {
      const [none, ...others] = warnings(bridge)
      expect(none).toContain('no plugs are configured')
      // This broker gives no reason for closing a connection, so the first warning is about that.
      expect(others).toEqual([
        `lost the connection to ${broker.url}`,
        expect.stringMatching(/ends every connection.*client id "plugs".*mqtt\.client_id/),
      ])
      expect(bridge.log.filter(({level}) => level === 'error')).toEqual([])
    }
    expect(user.on('attic/bridge/state').length).toBeGreaterThan(0)
  })
})

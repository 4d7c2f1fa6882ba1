import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {ExpectedConfig} from '../support/expected-config.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {OperationRunner} from '../support/operation-runner.ts'
import {Operations, VERBS} from '../support/operations.ts'
import {Program} from '../support/program.ts'
import {INPUT_FACTOR, TEST_SEED} from '../support/seeds.ts'
import {until} from '../support/wait.ts'

const FIXED_SEED = 48
/** From each seed. */
const OPERATIONS = 1000 * INPUT_FACTOR
const RESTARTS = [(3 * OPERATIONS) / 10, (7 * OPERATIONS) / 10]
const PLUGS = 12
const MODELS = ['chuangmi.plug.m1', 'chuangmi.plug.v3', 'cuco.plug.cp1', 'zimi.powerstrip.v2']
const PASSWORD = 'correct horse battery staple'
const ENV = {MQTT_PASSWORD: PASSWORD, WHERE_I_WORK: 'Office'}
const SECRETS = {desk_token: TOKEN}
const BRIDGE_TOPICS = ['state', 'info', 'devices', 'groups', 'health'].map(
  (leaf) => `miio2mqtt/bridge/${leaf}`,
)

/** Whether a topic may have a retained message. @param all the topics that have one, and their payloads */
type IsAllowed = (topic: string, all: ReadonlyMap<string, string>) => boolean

/** A comment in brackets belongs to something that may be removed, and is removed with it. */
const written = (
  {url}: Mosquitto,
  output: string,
  folder: string,
  [desk, kettle, fridge]: readonly string[],
) => `# Ask before you change anything here

# -- the broker --
mqtt: # beside the router
  # in the cellar
  url: ${url} # wired
  username: plugs
  password: !env MQTT_PASSWORD # never here
  output: ${output} # for the old display
  # end of the broker

# no searching
network: {broadcast: []} # all are known
poll: # quick
  interval: 1s # relays
  slow_interval: 5s # the rest
state_dir: ${folder}/state # beside this file
allow_raw_calls: true # we know what we do
log: {format: json} # for machines

# == plugs ==
devices: # by room

  # -- ground floor --

  # [desk] beside the window
  desk: {host: ${desk}, token: !secret desk_token, area: !env WHERE_I_WORK} # [desk] the lamp
  # [kettle] careful: it boils
  kitchen/kettle: # [kettle] not the toaster
    # [kettle] first in it
    host: ${kettle} # [kettle] fixed
    token: ${TOKEN} # [kettle] as in the app
    # [kettle] last in it

  # -- upstairs --

  # must never be off
  kept: # the fridge
    # first in it
    host: ${fridge} # fixed in the router
    token: !secret desk_token # in the drawer
    # last in it
  # below the last plug

# == groups ==
groups: # switched together
  # [evening] when it gets dark
  evening: {members: [desk, kept]} # [evening] not the kettle
  # those that stay
  kept/all: # at night
    members: # by name
      # the fridge first
      - kept # cold
      # [desk] then the desk
      - desk # [desk] warm
      # and nobody else
  # below the last group
# the end
`

describe.each([
  ['the fixed seed', FIXED_SEED, 'json', 1],
  ['TEST_SEED', TEST_SEED, 'attribute_and_json', 2],
])(`${OPERATIONS} random operations from %s %i, as %s`, async (_, seed, output, subnet) => {
  const broker = await startMosquitto({config: ['max_inflight_messages 1000', 'max_queued_messages 0']})
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-operations-'))
  const file = join(folder, 'config.yaml')
  const hosts = Array.from({length: PLUGS}, (_, index) => loopback(subnet, index + 1))
  const text = written(broker, output, folder, hosts)
  const plugs = await Promise.all(
    hosts.map((address, index) => startPlug({address, model: MODELS[index % MODELS.length] ?? ''})),
  )
  const user = await Watcher.open(broker, ['miio2mqtt/#', 'homeassistant/#'])
  const operationRunner = await OperationRunner.open(broker, [TOKEN, TOKEN.slice(1), PASSWORD])
  const expectedConfig = new ExpectedConfig(text, ENV, SECRETS)
  const operations = new Operations(seed, expectedConfig, hosts)
  await writeFile(join(folder, 'secrets.yaml'), `desk_token: ${TOKEN}\n`)
  await writeFile(file, text)
  const program = new Program(['run', '--config', file], {env: ENV})
  // Both seeds at once: each spends most of its time waiting.
  const asked = askForEverything()
  asked.catch(() => {}) // the hook below hears of it

  async function askForEverything(): Promise<void> {
    await until(() => operationRunner.onlines > 0, {
      what: () => `the bridge is online; it said ${program.stdout}`,
    })
    while (operationRunner.count < OPERATIONS) {
      await operationRunner.send(operations.next())
      if (!RESTARTS.includes(operationRunner.count)) continue
      const {onlines} = operationRunner
      await operationRunner.send(operations.restart())
      await until(() => operationRunner.onlines > onlines, {
        what: () => `the bridge is online again; it said ${program.stdout.slice(-2000)}`,
      })
    }
    await operationRunner.done()
  }

  /** The topics with retained messages, and their payloads. */
  const lying = async (base: string) => {
    const all = await user.retained()
    return new Map([...all].filter(([topic, payload]) => topic.startsWith(`${base}/`) && payload !== ''))
  }
  /** Waits until only `topics` and those that are allowed have retained messages. */
  const onlyTheseLie = async (
    base: string,
    topics: readonly string[],
    isAllowed: IsAllowed = () => false,
  ) => {
    let there: string[] = []
    const look = async () => {
      const all = await lying(base)
      there = [...all.keys()].filter((topic) => topics.includes(topic) || !isAllowed(topic, all))
      return there.toSorted().join('\n') === topics.toSorted().join('\n')
    }
    await until(look, {what: () => difference(there, topics)})
  }
  const configured = async () =>
    parseConfig(await readFile(file, 'utf8'), {file, env: ENV, readFile: () => `desk_token: ${TOKEN}`})
  const comments = async () => {
    const toStay = commentsIn(text).filter((comment) => !comment.startsWith('# ['))
    const there = commentsIn(await readFile(file, 'utf8'))
    return {toStay, there: there.filter((comment) => toStay.includes(comment))}
  }

  beforeAll(() => asked, 1_800_000)
  afterAll(() => rm(folder, {recursive: true, force: true}))

  it('leave the program alive', () => {
    expect(program.isOver).toBe(false)
  })

  it('get exactly one response each, the expected one', () => {
    expect(operationRunner.count).toBeGreaterThanOrEqual(OPERATIONS)
    expect(operationRunner.wrongResponses()).toEqual([])
    expect(operationRunner.problems).toEqual([])
    for (const verb of [...VERBS, 'set', 'get'])
      expect(operationRunner.tally.get(`${verb} ok`), verb).toBeGreaterThan(0)
  })

  it('are not executed when they are retained, with a warning each', async () => {
    const {ignorable} = operationRunner
    expect(ignorable).toBeGreaterThan(0)
    await until(() => operationRunner.ignored === ignorable, {
      what: () => `${ignorable} warnings; there were ${operationRunner.ignored}`,
    })
  })

  it('leave a valid file with the requested configuration', async () => {
    const config = await configured()
    expect(Object.keys(config.devices).sort()).toEqual(expectedConfig.plugs.sort())
    expect(Object.keys(config.groups).sort()).toEqual(expectedConfig.groups.sort())
    expect(expectedConfig.isSameAs(config)).toBe(true)
  })

  it('lose no comment except those on removed entries', async () => {
    const {toStay, there} = await comments()
    expect(there).toEqual(toStay)
  })

  it('leave on the broker what is configured, and nothing else', async () => {
    const {devices} = expectedConfig.config
    const names = [...expectedConfig.plugs, ...expectedConfig.groups]
    const needless = Object.entries(devices).flatMap(([name, {disabled}]) =>
      disabled ? [`miio2mqtt/${name}`] : [],
    )
    const isKept = (name: string) => devices[name]?.retain !== false
    const states = names.filter(isKept).map((name) => `miio2mqtt/${name}`)
    const topics = [...states, ...names.map((name) => `miio2mqtt/${name}/availability`)]
    // Of the state that is retained now: a plug that was added at the end may still have to publish its first.
    const isAttribute = (topic: string, all: ReadonlyMap<string, string>) => {
      const [name, property] = [
        topic.slice(0, topic.lastIndexOf('/')),
        topic.slice(topic.lastIndexOf('/') + 1),
      ]
      return output !== 'json' && Object.hasOwn(JSON.parse(all.get(name) ?? '{}'), property)
    }
    // Its earlier messages may be retained.
    const isAllowed: IsAllowed = (topic, all) =>
      isAttribute(topic, all) || needless.some((name) => topic === name || topic.startsWith(`${name}/`))
    await onlyTheseLie('miio2mqtt', [...BRIDGE_TOPICS, ...without(topics, needless)], isAllowed)
    const listed = await lying('miio2mqtt')
    expect(namesIn(listed.get('miio2mqtt/bridge/devices'))).toEqual(expectedConfig.plugs.sort())
    expect(namesIn(listed.get('miio2mqtt/bridge/groups'))).toEqual(expectedConfig.groups.sort())
  })

  it('leave with Home Assistant what is configured, and nothing else', async () => {
    const devices = Object.entries(expectedConfig.config.devices).flatMap(([name, device]) => {
      const isShown = !device.disabled && device.homeassistant?.enabled !== false
      const did = plugs.find(({address}) => address === device.host)?.did
      return isShown ? [`miio2mqtt_${did} miio2mqtt/${name}`] : []
    })
    const expected = [
      ...devices,
      ...expectedConfig.groups.map((name) => `group miio2mqtt/${name}`),
      'bridge',
    ].sort()
    let there: string[] = []
    const look = async () => {
      there = Array.from(await lying('homeassistant'), ([topic, payload]) => announced(topic, payload)).sort()
      return there.join('\n') === expected.join('\n')
    }
    await until(look, {what: () => difference(there, expected)})
  })

  it('leave nothing behind when the last plug and the last group are removed, but the other comments', async () => {
    const before = operationRunner.count
    for (const operation of operations.removals()) await operationRunner.send(operation)
    await operationRunner.done()
    expect(operationRunner.count).toBeGreaterThan(before)
    expect(operationRunner.wrongResponses()).toEqual([])
    const {devices, groups} = await configured()
    expect([devices, groups]).toEqual([{}, {}])
    await onlyTheseLie('miio2mqtt', BRIDGE_TOPICS)
    await onlyTheseLie('homeassistant', ['homeassistant/device/miio2mqtt_bridge_miio2mqtt/config'])
    const {there} = await comments()
    expect(there).toEqual(
      expect.arrayContaining([
        '# == plugs ==',
        '# -- ground floor --',
        '# -- upstairs --',
        '# == groups ==',
        '# the end',
      ]),
    )
  })

  it('let the program end on request, with no error and no secret in its log', async () => {
    program.signal('SIGTERM')
    const {code, stdout, stderr} = await program.waitForEnd()
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(stdout.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([])
    for (const secret of [TOKEN, PASSWORD]) expect(stdout).not.toContain(secret)
  })
})

/** A separate word: `#` within a text of the operations is none. */
function commentsIn(yaml: string): string[] {
  return Array.from(yaml.matchAll(/# .*$/gm), ([comment]) => comment)
}

function difference(there: readonly string[], expected: readonly string[]): string {
  const [extra, missing] = [without(there, expected), without(expected, there)]
  return `what is configured, and nothing else; too much: ${extra.join(', ')}; too little: ${missing.join(', ')}`
}

function without(all: readonly string[], these: readonly string[]): string[] {
  return all.filter((each) => !these.includes(each))
}

function namesIn(list = '[]'): string[] {
  return JSON.parse(list)
    .map(({name}: {name: string}) => name)
    .sort()
}

/** Which device a message is about: a plug by its id, a group by its name alone. */
function announced(topic: string, payload: string): string {
  const id = topic.split('/')[2] ?? ''
  if (id.startsWith('miio2mqtt_bridge')) return 'bridge'
  return `${id.startsWith('miio2mqtt_group') ? 'group' : id} ${JSON.parse(payload).state_topic}`
}

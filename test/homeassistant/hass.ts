/** A Home Assistant of its own, without a screen and without the internet, for one test. */
import {type ChildProcess, spawn} from 'node:child_process'
import {appendFile, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {afterAll, expect, inject, it} from 'vitest'
import {parseConfig} from '../../src/config/config.ts'
import {configText, type TestBridge, type TestBridgeOptions} from '../support/bridge.ts'
import {type Mosquitto, startMosquitto} from '../support/mosquitto.ts'
import {onProcessExit} from '../support/on-process-exit.ts'
import {until} from '../support/wait.ts'
import type {Python} from './python.ts'
import type {HassResult} from './setup.ts'

const PORT = 8123
const START_MS = 120_000
const STOP_MS = 60_000
/** The longest time for any change in Home Assistant. */
const FOLLOW_MS = 20_000

export interface Entity {
  entity_id: string
  state: string
  attributes: Record<string, unknown>
}

/** Entries of its log about MQTT, about entities of MQTT, and about uncaught exceptions. Others are not about this bridge. */
const OURS =
  /\[homeassistant(?:\.(?:components\.(?:mqtt|sensor|switch|number|select|binary_sensor|button|recorder)|helpers\.(?:template|entity|device_registry|area_registry|service|translation)|core|exceptions|config_entries).*?)?\]/

/** Expected warnings: about itself, or about what a test did on purpose. */
const ITS_OWN = [
  // When a device is removed, it clears the topic again for each disabled entity, and warns about receiving that.
  /No device components to cleanup for/,
  // A test restarted its broker.
  /Error returned from MQTT server: The connection was lost/,
  // It has no internet.
  /\[homeassistant\.config_entries\] Error setting up entry \S+ for (?:analytics|marketplace)/,
]

/** A field that its form for a broker requires since 2026.8. */
const NOTHING_ELSE = {set_client_cert: false, set_ca_cert: 'off', transport: 'tcp'}

const running = new Set<HomeAssistant>()
onProcessExit(() => {
  for (const hass of running) hass.abandon()
})

/**
 * A Home Assistant with a broker of its own. It is stopped when the block of tests ends, and its result is recorded.
 * @param address one of 127.0.0.0/8
 * @param language of its owner
 */
export async function openHome(
  address: string,
  language = 'en',
): Promise<{broker: Mosquitto; hass: HomeAssistant}> {
  const broker = await startMosquitto()
  const hass = await HomeAssistant.start(inject('python'), address, broker, language)
  afterAll(() => hass.remove())
  return {broker, hass}
}

/** The last test of a block: the log has all entries of the block. */
export function itEndsWithoutComplaint(hass: HomeAssistant): void {
  it('cause no warning and no error in the log of Home Assistant', async () => {
    await hass.end()
    const warnings = await hass.warnings()
    await note({entities: await hass.everRegistered(), warnings: warnings.length})
    expect(warnings).toEqual([])
  })
}

/** For the transcript. */
export function note(result: HassResult): Promise<void> {
  return appendFile(inject('results'), `${JSON.stringify(result)}\n`)
}

/** Applies the configuration of `choice`, as an edited file would. */
export function reload({daemon, config}: TestBridge, choice: TestBridgeOptions): Promise<boolean> {
  const edited = parseConfig(configText(choice), {file: 'config.yaml', env: {}})
  return daemon.reload({...edited, state_dir: config.state_dir})
}

export class HomeAssistant {
  readonly #folder: string
  readonly #python: Python
  readonly #address: string
  #process: ChildProcess | undefined
  #token = ''
  /** Its id of the connection to the broker. */
  #title = ''
  /** The logs of its earlier starts: it keeps one only. */
  #log = ''

  private constructor(folder: string, python: Python, address: string) {
    this.#folder = folder
    this.#python = python
    this.#address = address
  }

  /** Started, with a user and connected to `broker`. @param address one of 127.0.0.0/8 */
  static async start(
    python: Python,
    address: string,
    broker: Mosquitto,
    language: string,
  ): Promise<HomeAssistant> {
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-hass-'))
    const hass = new HomeAssistant(folder, python, address)
    const isHttpStored = isSince(python, 2026, 10)
    await writeFile(
      join(folder, 'configuration.yaml'),
      configuration(language) + (isHttpStored ? '' : httpConfiguration(address)),
    )
    await mkdir(join(folder, '.storage'))
    if (isHttpStored) await writeFile(join(folder, '.storage/http'), storedHttp(address))
    await hass.run()
    await hass.#onboard()
    await hass.#connect(broker)
    return hass
  }

  /** Starts the process, in the folder it was made with. */
  async run(): Promise<void> {
    const hass = join(dirname(this.#python.path), 'hass')
    running.add(this)
    this.#process = spawn(hass, ['-c', this.#folder, '--skip-pip', '--log-no-color'], {stdio: 'ignore'})
    const answers = () =>
      fetch(this.#url('/api/onboarding')).then(
        ({ok}) => ok,
        () => false,
      )
    await until(answers, {what: 'Home Assistant answers', within: START_MS})
  }

  async end(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    running.delete(this)
    if (!child || child.exitCode !== null) return
    child.kill('SIGTERM')
    await until(() => child.exitCode !== null || child.signalCode !== null, {
      what: 'Home Assistant ends',
      within: STOP_MS,
    })
    this.#log += await readFile(join(this.#folder, 'home-assistant.log'), 'utf8')
  }

  /** For the exit of the process, when nothing can be awaited. */
  abandon(): void {
    this.#process?.kill('SIGKILL')
  }

  async remove(): Promise<void> {
    await this.end()
    await rm(this.#folder, {recursive: true, force: true})
  }

  /** All enabled entities, its own sun and zones among them. */
  entities(): Promise<Entity[]> {
    return this.#get('/api/states')
  }

  async entity(id: string): Promise<Entity | undefined> {
    return (await this.entities()).find(({entity_id}) => entity_id === id)
  }

  /** Finds an entity by its name, since its id depends on the version of Home Assistant. */
  async called(domain: string, name: string): Promise<Entity> {
    const is = ({entity_id, attributes}: Entity) =>
      entity_id.startsWith(`${domain}.`) && attributes['friendly_name'] === name
    return until(async () => (await this.entities()).find(is), {
      what: `a ${domain} called ${name}`,
      within: FOLLOW_MS,
    })
  }

  /** Waits until the state is that. */
  async becomes(id: string, wanted: string, within = FOLLOW_MS): Promise<void> {
    let last: string | undefined
    const isThere = async () => {
      last = (await this.entity(id))?.state
      return last === wanted
    }
    await until(isThere, {what: () => `${id} is ${wanted}; it is ${last}`, within})
  }

  /** Waits until no entity has `part` in its id, enabled or not. */
  async losesEntities(part: string): Promise<void> {
    let left: string[] = []
    const isGone = async () => {
      left = (await this.registered()).filter((id) => id.includes(part))
      return left.length === 0
    }
    await until(isGone, {what: () => `nothing of ${part}; there is ${left.join(', ')}`, within: FOLLOW_MS})
  }

  /** The same, and that device. */
  async isRidOf(part: string, device = part): Promise<void> {
    await this.losesEntities(part)
    const isGone = async () => (await this.template(`{{ device_id('${device}') }}`)) === 'None'
    await until(isGone, {what: `no device called ${device}`, within: FOLLOW_MS})
  }

  /** Waits until it has no entity of MQTT. */
  async isEmpty(): Promise<void> {
    await this.losesEntities('')
  }

  /** The ids of all entities of MQTT, also of those that are disabled or unavailable. */
  async registered(): Promise<string[]> {
    return JSON.parse(await this.template(`{{ integration_entities('${this.#title}') | to_json }}`))
  }

  /** The number of all entities of MQTT so far. Call it after the end. */
  async everRegistered(): Promise<number> {
    const registry = await readFile(join(this.#folder, '.storage/core.entity_registry'), 'utf8')
    const {entities, deleted_entities} = JSON.parse(registry).data
    const ours: {unique_id: string}[] = [...entities, ...deleted_entities].filter(
      ({platform}) => platform === 'mqtt',
    )
    return new Set(ours.map(({unique_id}) => unique_id)).size
  }

  /** The id of an entity: proposed by the bridge since 2025.10, before that derived from its name by Home Assistant. */
  idOf(proposed: string, ofItsName: string): string {
    return isSince(this.#python, 2025, 10) ? proposed : ofItsName
  }

  async call(domain: string, service: string, data: Record<string, unknown>): Promise<void> {
    await this.#post(`/api/services/${domain}/${service}`, data)
  }

  /** The result of a template: the only access to the registries without a web socket. */
  async template(template: string): Promise<string> {
    return (await this.#request('/api/template', {template})).text()
  }

  /** Warnings and errors about MQTT in its log since its first start. Call it after the end. */
  async warnings(): Promise<string[]> {
    const warnings = this.#log.split('\n').filter((line) => / (?:WARNING|ERROR|CRITICAL) /.test(line))
    return warnings.filter((line) => OURS.test(line) && !ITS_OWN.some((known) => known.test(line)))
  }

  async #onboard(): Promise<void> {
    const client_id = this.#url('/')
    const user = {client_id, name: 'Test', username: 'test', password: 'for-this-test-only', language: 'en'}
    const {auth_code} = await this.#post('/api/onboarding/users', user)
    const body = new URLSearchParams({grant_type: 'authorization_code', code: auth_code, client_id})
    const answer = await fetch(this.#url('/auth/token'), {method: 'POST', body})
    const {access_token} = JSON.parse(await answer.text())
    this.#token = access_token
  }

  async #connect(broker: Mosquitto): Promise<void> {
    const {hostname, port} = new URL(broker.url)
    const {flow_id, data_schema} = await this.#post('/api/config/config_entries/flow', {handler: 'mqtt'})
    const asks = (field: string) => data_schema.some(({name}: {name: string}) => name === field)
    const form = {
      ...{broker: hostname, port: Number(port)},
      ...(asks('other_settings') ? {other_settings: NOTHING_ELSE} : {}),
    }
    const {type, title, errors} = await this.#post(`/api/config/config_entries/flow/${flow_id}`, form)
    this.#title = title
    if (type !== 'create_entry')
      throw new Error(`expected Home Assistant to take the broker, got ${type} ${JSON.stringify(errors)}`)
  }

  async #get(path: string) {
    return JSON.parse(await (await this.#request(path)).text())
  }

  async #post(path: string, body: Record<string, unknown>) {
    return JSON.parse(await (await this.#request(path, body)).text())
  }

  async #request(path: string, body?: Record<string, unknown>): Promise<Response> {
    const answer = await fetch(this.#url(path), {
      headers: {authorization: `Bearer ${this.#token}`, 'content-type': 'application/json'},
      ...(body ? {method: 'POST', body: JSON.stringify(body)} : {}),
    })
    if (!answer.ok) throw new Error(`expected 200 from ${path}, got ${answer.status}: ${await answer.text()}`)
    return answer
  }

  #url(path: string): string {
    return `http://${this.#address}:${PORT}${path}`
  }
}

function isSince({homeAssistant}: Python, year: number, month: number): boolean {
  const [ownYear = 0, ownMonth = 0] = homeAssistant.split('.').map(Number)
  return ownYear * 12 + ownMonth >= year * 12 + month
}

/** An address from YAML is tried for five minutes, and Home Assistant restarts without it unless a person confirms it: in its storage it is settled. */
function storedHttp(address: string): string {
  const meta = {created_at: '2026-01-01T00:00:00+00:00', error: null, error_message: null}
  const own = {server_host: [address], server_port: PORT, cors_allowed_origins: [], ssl_profile: 'modern'}
  const usual = {login_attempts_threshold: -1, ip_ban_enabled: true, use_x_frame_options: true}
  const data = {stable: {...own, ...usual, ...meta}, pending: null, yaml_migration_done: true}
  return JSON.stringify({version: 2, minor_version: 2, key: 'http', data})
}

function httpConfiguration(address: string): string {
  return `http:
  server_host: ${address}
  server_port: ${PORT}
`
}

function configuration(language: string): string {
  return `homeassistant:
  name: Test
  latitude: 0
  longitude: 0
  elevation: 0
  unit_system: metric
  currency: EUR
  country: DE
  language: ${language}
  time_zone: UTC
api:
config:
system_log:
recorder:
history:
energy:
logger:
  default: warning
`
}

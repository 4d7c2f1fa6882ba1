/** A Home Assistant of its own, without a screen and without the internet, for one test. */
import {type ChildProcess, spawn} from 'node:child_process'
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import type {Broker} from '../support/mosquitto.ts'
import {until} from '../support/wait.ts'
import type {Python} from './python.ts'

const PORT = 8123
const START_MS = 120_000
const STOP_MS = 60_000

export interface Entity {
  entity_id: string
  state: string
  attributes: Record<string, unknown>
}

/** Entries of its log that speak of MQTT, or of what MQTT made: nothing else of it is our business. */
const OURS =
  /\[homeassistant\.(?:components\.(?:mqtt|sensor|switch|number|select|binary_sensor|button)|helpers\.(?:template|entity))/

/** When a device goes, Home Assistant clears its topic again for each entity that is disabled, and wonders at the echo. */
const ITS_OWN = /No device components to cleanup for/

export class HomeAssistant {
  readonly #folder: string
  readonly #python: Python
  readonly #address: string
  #process: ChildProcess | undefined
  #token = ''

  private constructor(folder: string, python: Python, address: string) {
    this.#folder = folder
    this.#python = python
    this.#address = address
  }

  /** Installed, started, with a user and connected to `broker`. @param address one of 127.0.0.0/8 */
  static async start(python: Python, address: string, broker: Broker): Promise<HomeAssistant> {
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-hass-'))
    const hass = new HomeAssistant(folder, python, address)
    await writeFile(join(folder, 'configuration.yaml'), configuration(address))
    await mkdir(join(folder, '.storage'))
    await hass.run()
    await hass.#onboard()
    await hass.#connect(broker)
    return hass
  }

  /** Starts the process, in the folder it was made with. */
  async run(): Promise<void> {
    const hass = join(dirname(this.#python.path), 'hass')
    this.#process = spawn(hass, ['-c', this.#folder, '--skip-pip', '--log-no-color'], {stdio: 'ignore'})
    await until(
      () =>
        fetch(this.#url('/api/onboarding')).then(
          ({ok}) => ok,
          () => false,
        ),
      {
        what: 'Home Assistant answers',
        within: START_MS,
      },
    )
  }

  async end(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null) return
    child.kill('SIGTERM')
    await until(() => child.exitCode !== null || child.signalCode !== null, {
      what: 'Home Assistant ends',
      within: STOP_MS,
    })
  }

  async remove(): Promise<void> {
    await this.end()
    await rm(this.#folder, {recursive: true, force: true})
  }

  entities(): Promise<Entity[]> {
    return this.#get('/api/states')
  }

  async entity(id: string): Promise<Entity | undefined> {
    return (await this.entities()).find(({entity_id}) => entity_id === id)
  }

  async call(domain: string, service: string, data: Record<string, unknown>): Promise<void> {
    await this.#post(`/api/services/${domain}/${service}`, data)
  }

  /** What a template comes to: the one way into the registries that needs no web socket. */
  async template(template: string): Promise<string> {
    return (await this.#request('/api/template', {template})).text()
  }

  /** Warnings and errors of its log that are about what came over MQTT. */
  async complaints(): Promise<string[]> {
    const log = await readFile(join(this.#folder, 'home-assistant.log'), 'utf8')
    const complaints = log.split('\n').filter((line) => / (?:WARNING|ERROR) /.test(line) && OURS.test(line))
    return complaints.filter((line) => !ITS_OWN.test(line))
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

  async #connect(broker: Broker): Promise<void> {
    const {hostname, port} = new URL(broker.url)
    const {flow_id} = await this.#post('/api/config/config_entries/flow', {handler: 'mqtt'})
    const form = {broker: hostname, port: Number(port)}
    const {type} = await this.#post(`/api/config/config_entries/flow/${flow_id}`, form)
    if (type !== 'create_entry') throw new Error(`expected Home Assistant to take the broker, got ${type}`)
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

function configuration(address: string): string {
  return `homeassistant:
  name: Test
  latitude: 0
  longitude: 0
  elevation: 0
  unit_system: metric
  currency: EUR
  country: DE
  language: en
  time_zone: UTC
http:
  server_host: ${address}
  server_port: ${PORT}
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

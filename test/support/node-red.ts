/** A real Node-RED, from npm into a folder of its own, with a user folder that is deleted when the test file ends. */
import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll} from 'vitest'
import type {FlowNode} from './node-red-flow.ts'
import {installedFromNpm} from './npm-package.ts'
import {onProcessExit} from './on-process-exit.ts'
import {until} from './wait.ts'

/** The newest that runs on Node 20. */
const VERSION = '4.1.15'
const PORT = 1880
const START_MS = 300_000

const running = new Set<NodeRed>()
afterAll(() => Promise.all([...running].map((each) => each.stop())))
onProcessExit(() => {
  for (const each of running) each.abandon()
})

export class NodeRed {
  /** Its log. */
  log = ''
  readonly version = VERSION
  readonly #url: string
  readonly #folder: string
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>
  /** The log before this position is about its settings. */
  #upAt = 0

  private constructor(program: string, folder: string, address: string) {
    this.#url = `http://${address}:${PORT}`
    this.#folder = folder
    const {PATH = ''} = process.env
    const args = [program, '--userDir', folder, '--settings', join(folder, 'settings.cjs')]
    this.#process = spawn(process.execPath, args, {
      env: {PATH, HOME: folder},
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const listen = (text: string) => {
      this.log += text
    }
    this.#process.stdout?.setEncoding('utf8').on('data', listen)
    this.#process.stderr?.setEncoding('utf8').on('data', listen)
    this.#exited = once(this.#process, 'close')
    running.add(this)
  }

  /**
   * Installed, started, and without any flow.
   * @param address one of 127.0.0.0/8
   * @throws Error with its log, when it does not start
   */
  static async start(address: string): Promise<NodeRed> {
    const program = join(await installedFromNpm('node-red', VERSION), 'node_modules/node-red/red.js')
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-node-red-'))
    await writeFile(join(folder, 'settings.cjs'), `module.exports = ${JSON.stringify(settings(address))}\n`)
    const nodeRed = new NodeRed(program, folder, address)
    await until(() => nodeRed.#isOver || /Started flows/.test(nodeRed.log), {
      within: START_MS,
      what: () => `Node-RED is up; its log:\n${nodeRed.log}`,
    })
    if (nodeRed.#isOver) throw new Error(`Node-RED ended at once; its log:\n${nodeRed.log}`)
    nodeRed.#upAt = nodeRed.log.length
    return nodeRed
  }

  /** Its nodes, as it would export them. */
  async flows(): Promise<FlowNode[]> {
    return JSON.parse(await (await this.#request('/flows')).text())
  }

  /** Runs these nodes only, as after "Import" and "Deploy". */
  async deploy(nodes: readonly FlowNode[]): Promise<void> {
    await this.#request('/flows', JSON.stringify(nodes))
  }

  /** Presses the button of an inject node. */
  async press({id}: FlowNode): Promise<void> {
    await this.#request(`/inject/${id}`, '')
  }

  /** The warnings and errors in its log since its start. */
  get problems(): string[] {
    const lines = this.log.slice(this.#upAt).split('\n')
    return lines.filter((line) => /\[(?:warn|error|fatal)\]|Error|Warning/.test(line))
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.#exited
    running.delete(this)
    await rm(this.#folder, {recursive: true, force: true})
  }

  /** For the exit of the process, when nothing can be awaited. */
  abandon(): void {
    this.#process.kill('SIGKILL')
  }

  get #isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  async #request(path: string, body?: string): Promise<Response> {
    const headers = {'content-type': 'application/json'}
    const answer = await fetch(
      `${this.#url}${path}`,
      body === undefined ? {headers} : {method: 'POST', headers, body},
    )
    if (answer.ok) return answer
    throw new Error(`expected success from ${path}, got ${answer.status}: ${await answer.text()}`)
  }
}

/** Without connections to the internet, installations, and editor. */
function settings(address: string) {
  return {
    uiHost: address,
    uiPort: PORT,
    disableEditor: true,
    flowFile: 'flows.json',
    credentialSecret: false,
    telemetry: {enabled: false, updateNotification: false},
    externalModules: {autoInstall: false, palette: {allowInstall: false}, modules: {allowInstall: false}},
    diagnostics: {enabled: false},
    logging: {console: {level: 'info', metrics: false, audit: false}},
  }
}

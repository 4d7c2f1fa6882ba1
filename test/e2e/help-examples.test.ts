/** What the help suggests is tried, word for word, with simulated plugs in place of real ones. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Command} from 'commander'
import {afterAll, describe, expect, inject, it, onTestFinished} from 'vitest'
import {faultTable} from '../../src/cli/fault-options.ts'
import {makeProgram} from '../../src/cli/program.ts'
import {Terminal} from '../../src/cli/terminal.ts'
import {words} from '../docs/markdown.ts'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {configText, inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {freePort, startMosquitto} from '../support/mosquitto.ts'
import {miio2mqtt, Program} from '../support/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'miio2mqtt-help-'))
afterAll(() => rmSync(folder, {recursive: true, force: true}))

// The model of the desk in the demo.
const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3'})
await inReachOfBroadcasts([desk])

const program = makeProgram(new Terminal())
const commands = [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]
/** A command line in the text of a help, however it is broken into lines: in backticks, or behind two spaces. */
const examples = [...new Set(commands.flatMap(examplesOf))]

function examplesOf(command: Command): string[] {
  let help = ''
  command.configureOutput({writeOut: (text) => (help += text)}).outputHelp()
  const lines = Array.from(help.matchAll(/^ {2}(miio2mqtt .*?)(?: {2,}.*)?$/gm), ([, line = '']) => line)
  const spans = Array.from(help.matchAll(/`([^`]+)`/g), ([, span = '']) => span.replace(/\s+/g, ' '))
  return [...lines, ...spans.filter((span) => span.includes(' '))]
}

/** What is typed after `miio2mqtt`, about what there is here. */
const argumentsOf = (example: string) =>
  words(example.replace(/^miio2mqtt /, ''))
    .map((word) => (word === '192.168.1.40' ? desk.address : word))
    .map((word) => (word.startsWith('/etc/') ? join(folder, 'config.yaml') : word))

/** Those that go on until Ctrl-C, and what they print when they work. */
const LASTING = new Map([
  ['demo', /Ctrl-C ends the demo/],
  ['--config', /1 of 1 plug online/],
])

describe('an example in the help', async () => {
  const broker = inject('tools').mosquitto ? await startMosquitto() : undefined
  if (broker)
    writeFileSync(
      join(folder, 'config.yaml'),
      configText({broker, plugs: {desk}, config: {network: {broadcast: [BROADCAST]}}}),
    )

  it('is found in every form', () => {
    expect(examples).toEqual(
      expect.arrayContaining(['miio2mqtt discover', 'set desk led off', 'call desk miIO.info']),
    )
  })

  it.skipIf(!broker).each(examples)('works: %s', async (example) => {
    const args = argumentsOf(example)
    const options = {cwd: folder, env: {MIIO_TOKEN: TOKEN}}
    const working = LASTING.get(args[0] ?? '')
    if (working === undefined) {
      expect(await miio2mqtt(args, options)).toMatchObject({code: 0, stdout: expect.stringMatching(/./)})
      return
    }
    const elsewhere = args[0] === 'demo' ? ['--port', `${await freePort()}`, '--address', loopback(3, 1)] : []
    const running = new Program([...args, ...elsewhere], options)
    onTestFinished(() => running.abandon())
    await running.waitForOutput(working)
    running.signal('SIGINT')
    expect(await running.waitForEnd()).toMatchObject({code: 0})
  })
})

it('every fault that the help of simulate lists is taken, and what it suggests to type works', async () => {
  const faults = [...faultTable.values()].map(({example}) => example)
  const faulty = new Program(['simulate', '--address', loopback(2, 1), '--fault', ...faults])
  onTestFinished(() => faulty.abandon())
  await faulty.waitForOutput(/Ctrl-C ends the simulation/)

  const simulated = new Program(['simulate', '--address', loopback(4, 1), '--count', '1'])
  onTestFinished(() => simulated.abandon())
  await simulated.waitForOutput(/Ctrl-C ends the simulation/)
  const typed = Array.from(simulated.stderr.matchAll(/^ {2}miio2mqtt (.*)$/gm), ([, line = '']) => line)
  expect(typed).toHaveLength(3)
  for (const line of typed) {
    expect(`  miio2mqtt ${line}`.length).toBeLessThan(80)
    expect((await miio2mqtt(words(line))).code).toBe(0)
  }
})

it('no line of any help is broken by a terminal of 80 columns', async () => {
  const helps = await Promise.all(
    program.commands.map((command) => miio2mqtt(['help', command.name()], {cwd: folder})),
  )
  for (const {stdout} of [...helps, await miio2mqtt(['help'])])
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
})

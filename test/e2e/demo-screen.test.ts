/** The demo as a person in front of a terminal meets it. */
import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {connectAsync} from 'mqtt'
import {describe, expect, inject, it, onTestFinished} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {freePort} from '../support/mosquitto.ts'
import {TerminalScreen} from '../support/screen.ts'
import {until} from '../support/wait.ts'

const shell = promisify(execFile)
const CTRL_C = '\x03'

async function demoOn(columns: number, subnet: number): Promise<{screen: TerminalScreen; port: number}> {
  const port = await freePort()
  const args = ['demo', '--port', String(port), '--address', loopback(subnet, 1)]
  // From the folder of the clone, as the README says: its commands are then as short as they are for a newcomer.
  const screen = new TerminalScreen(args, {columns, cwd: process.cwd()})
  onTestFinished(async () => {
    screen.type(CTRL_C)
    await screen.ended()
  })
  await screen.shows(/Ctrl-C ends the demo/)
  return {screen, port}
}

/** The lines that are there to be typed. */
const commandsOn = ({lines}: TerminalScreen) => lines.flatMap((line) => /^ {2}(\S.*)/.exec(line)?.[1] ?? [])

/** The lines about changes. */
const changesOn = ({lines}: TerminalScreen) => lines.filter((line) => /^\d\d:\d\d:\d\d {2}/.test(line))

/** As typed in another terminal. */
const type = (command: string) => shell('sh', ['-c', command])

describe.each([80, 110])('the demo on a terminal of %s columns', (columns) => {
  it.skipIf(!inject('tools').mosquitto)(
    'suggests commands that fit, each of which changes something in its own window',
    async () => {
      const {screen} = await demoOn(columns, columns)
      const commands = commandsOn(screen)
      expect(commands).toEqual([
        expect.stringMatching(/^mosquitto_pub -p \d+ -t miio2mqtt\/desk\/set -m ON$/),
        expect.stringMatching(/^mosquitto_pub -p \d+ -t miio2mqtt\/kitchen\/kettle\/set\/state -m TOGGLE$/),
        expect.stringMatching(/^mosquitto_pub -p \d+ -t miio2mqtt\/bedroom\/set -m '\{.*\}'$/),
        expect.stringMatching(/^node dist\/main\.js toggle desk -c \/.*config\.yaml$/),
      ])
      // All of it ends before the last column, where a longer line would go on in the next one.
      for (const line of screen.lines) expect(line.length).toBeLessThan(columns)
      expect(screen.text).toContain('apt-get install mosquitto-clients')
      expect(screen.text).not.toContain('#')

      const shown = [
        /desk +state +OFF → ON +MQTT command/,
        /kitchen\/kettle +state +OFF → ON +MQTT command/,
        /bedroom +usb +OFF → ON +MQTT command/,
        /desk +state +ON → OFF +poll/,
      ]
      for (const [index, command] of commands.entries()) {
        await type(command)
        await screen.shows(shown[index] ?? /nothing/)
      }
      for (const line of changesOn(screen)) expect(line.length).toBeLessThan(80)
    },
  )

  it('switches a plug with a key, as its button does, and ends cleanly with Ctrl-C', async () => {
    const {screen} = await demoOn(columns, columns + 1)
    await screen.shows(/1 desk, 2 kitchen\/kettle, 3 bedroom/)
    screen.type('2')
    await screen.shows(/kitchen\/kettle +state +OFF → ON +button on the plug/)
    screen.type('3x1')
    await screen.shows(/bedroom +state +OFF → ON +button on the plug/)
    await screen.shows(/desk +state +OFF → ON +button on the plug/)
    await screen.shows(/desk +power +0 → [\d.]+ W +poll/)
    screen.type('2')
    await screen.shows(/kitchen\/kettle +state +ON → OFF +button on the plug/)
    expect(screen.text).not.toContain('3x1') // no echo
    screen.type(CTRL_C)
    expect(await screen.ended()).toBe(0)
    expect(screen.text).toMatch(/\nThe demo has ended\.$/)
    expect(screen.text).not.toContain('^C')
  })
})

it('the broker of the demo speaks MQTT 5, as Home Assistant requests, and 3.1.1', async () => {
  const {port} = await demoOn(80, 90)
  for (const [protocolVersion, state] of [
    [5, 'ON'],
    [4, 'OFF'],
  ] as const) {
    const user = await connectAsync(`mqtt://127.0.0.1:${port}`, {protocolVersion, reconnectPeriod: 0})
    onTestFinished(() => user.endAsync(true))
    const results: string[] = []
    user.on('message', (_topic, payload) => results.push(payload.toString()))
    await user.subscribeAsync('miio2mqtt/desk/response', {qos: 1})
    await user.publishAsync('miio2mqtt/desk/set', JSON.stringify({state}), {qos: 1})
    await until(() => results.length === 1, {what: 'the result'})
    expect(JSON.parse(results[0] ?? '')).toMatchObject({status: 'ok', data: {state}})
  }
})

it('the demo in the background of a terminal takes no keys, and is not stopped for it', async () => {
  const port = await freePort()
  const demo = [process.execPath, 'dist/main.js', 'demo', '--port', port, '--address', loopback(92, 1)]
  // `set -m`: as in a shell that a person types into, each job has a process group of its own.
  const command = `bash -c 'set -m; ${demo.join(' ')} & echo process $!; wait'`
  const screen = new TerminalScreen([], {command, cwd: process.cwd()})
  onTestFinished(() => screen.close())
  const [, pid] = await screen.shows(/process (\d+)/)
  try {
    await screen.shows(/Ctrl-C ends the demo/)
    expect(screen.text).not.toContain('Keys here')
  } finally {
    process.kill(Number(pid), 'SIGTERM')
  }
  await screen.shows(/The demo has ended/)
})

/** What a person reads in the log of the program, and at which level. */
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {freeAddress} from '../support/addresses.ts'
import {configText, startPlug, TOKEN} from '../support/bridge.ts'
import {CommandClient} from '../support/command-client.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-log-lines-'))
const file = join(folder, 'config.yaml')
const broker = await startMosquitto()
const user = await Watcher.open(broker)
const home = new CommandClient(broker, user)
let program: Program
let desk: SimulatedPlug
let kettle: SimulatedPlug
let requests = 0

beforeAll(async () => {
  desk = await startPlug({address: freeAddress()})
  kettle = await startPlug({address: freeAddress()})
  const config = {state_dir: join(folder, 'state'), groups: {evening: {members: ['desk']}}}
  await writeFile(file, configText({broker, plugs: {desk, 'kitchen/kettle': kettle}, config}))
  program = new Program(['run', '--config', file])
  await home.waitForAvailability('desk', 'online')
  await home.waitForAvailability('kitchen/kettle', 'online')
})

afterAll(async () => {
  program.signal('SIGTERM')
  await program.waitForEnd()
  await rm(folder, {recursive: true, force: true})
})

async function request(verb: string, payload: Record<string, unknown> = {}) {
  const transaction = `request ${++requests}`
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify({...payload, transaction}))
  const {payload: answer} = await user.waitFor(`miio2mqtt/bridge/response/${verb}`, ({payload}) =>
    payload.includes(`"${transaction}"`),
  )
  return JSON.parse(answer)
}

const linesWith = (part: string) => program.stdout.split('\n').filter((line) => line.includes(part))

describe('the log at the level info', () => {
  it('has one warning of a refused command, and so has bridge/logging', async () => {
    for (let times = 0; times < 3; times++) await home.mosquittoPub('desk', 'set', '{"POWER":"ON"}')
    await home.mosquittoPub('desk', 'set/State', 'ON')
    await program.waitForOutput(
      /refused State ON on miio2mqtt\/desk\/set\/State: .*, did you mean state\? \(unknown_property\)/,
    )
    await home.mosquittoPub('desk', 'set/led', 'blue')
    await program.waitForOutput(
      /WARN {2}desk: refused led blue on miio2mqtt\/desk\/set\/led: led: expected ON, OFF or TOGGLE, got "blue" \(invalid_payload\)/,
    )
    expect(linesWith('refused POWER ON')).toEqual([
      expect.stringMatching(
        /WARN {2}desk: refused POWER ON on miio2mqtt\/desk\/set: expected one of .*, got "POWER", did you mean state\? \(unknown_property\)/,
      ),
    ])
    expect(home.warnings().filter((text) => text.includes('refused POWER ON'))).toHaveLength(1)
  })

  it('has one warning of a refused request, which is answered in words', async () => {
    expect(await request('device/rename', {old: 'desk', new: 'table'})).toMatchObject({
      status: 'error',
      error: {
        code: 'invalid_payload',
        message:
          'from: expected the name of a plug, got nothing; to: expected a new name, got nothing; unknown key "old", did you mean "from"?; unknown key "new", did you mean "to"?; for example {"from":"lamp","to":"office/lamp"}',
      },
    })
    expect(await request('device/poll', {name: 'kettle'})).toMatchObject({
      error: {
        message: 'no plug is called "kettle": known are desk, kitchen/kettle, did you mean kitchen/kettle?',
      },
    })
    await program.waitForOutput(
      /WARN {2}request device\/rename: refused old, new, transaction|WARN {2}request device\/rename: refused old, new on /,
    )
    await program.waitForOutput(/WARN {2}request device\/poll: refused name kettle on /)
  })

  it('has nothing of what was carried out', async () => {
    expect(await home.mosquittoPub('desk', 'set', 'ON')).toMatchObject({status: 'ok'})
    await request('info')
    expect(program.stdout).not.toMatch(/DEBUG|over MQTT/)
  })
})

describe('the log at the level debug', () => {
  it('begins when a request asks for it, with a line for each command, change, request and announcement', async () => {
    expect(await request('options', {log_level: 'debug'})).toMatchObject({status: 'ok'})
    await program.waitForOutput(/DEBUG request options: log_level debug over MQTT → ok in \d+ ms/)
    await home.mosquittoPub('desk', 'set', 'OFF')
    await program.waitForOutput(/DEBUG desk: state OFF over MQTT → ok in \d+ ms device=desk/)
    await home.mosquittoPub('desk', 'set', 'ON')
    await program.waitForOutput(/DEBUG desk: state OFF → ON/)
    await home.mosquittoPub('evening', 'set', 'OFF')
    await program.waitForOutput(/DEBUG evening: state OFF over MQTT → ok in \d+ ms/)
    await user.publish('homeassistant/status', 'online')
    await program.waitForOutput(
      /DEBUG announced to Home Assistant: homeassistant\/device\/miio2mqtt_\S+\/config/,
    )
  })

  it('has the polls that failed, and why a plug is offline', async () => {
    await kettle.stop()
    await program.waitForOutput(/DEBUG kitchen\/kettle: a poll or command failed \(timeout|unreachable\): /)
    await program.waitForOutput(/DEBUG kitchen\/kettle: offline \((timeout|unreachable)\): /)
    await kettle.start()
    await program.waitForOutput(/DEBUG kitchen\/kettle: online/)
  })

  it('tells a rename by request as a rename, step by step', async () => {
    expect(await request('device/rename', {from: 'desk', to: 'office/desk'})).toMatchObject({status: 'ok'})
    await program.waitForOutput(
      /INFO {2}applied the configuration: renamed desk to office\/desk; groups changed: evening\n/,
    )
    await program.waitForOutput(/DEBUG reload: reading the configuration/)
    await program.waitForOutput(/DEBUG reload: plugs stopped: 1, started: 1/)
    await program.waitForOutput(
      /DEBUG request device\/rename: from desk, to office\/desk over MQTT → ok in \d+ ms/,
    )
    expect(await request('device/poll', {name: 'desk'})).toMatchObject({
      error: {
        message:
          'no plug is called "desk": known are office/desk, kitchen/kettle; it was renamed to office/desk',
      },
    })
  })

  it('tells a rename in the file as a rename', async () => {
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replaceAll('office/desk', 'study/desk'))
    program.signal('SIGHUP')
    await program.waitForOutput(
      /INFO {2}applied the configuration: renamed office\/desk to study\/desk; groups changed: evening\n/,
    )
    await home.waitForAvailability('study/desk', 'online')
  })

  it('ends when another request asks for info', async () => {
    await request('options', {log_level: 'info'})
    const before = linesWith('DEBUG').length
    await home.mosquittoPub('study/desk', 'set', 'ON')
    await request('info')
    await until(() => home.results('study/desk').length > 0, {what: () => 'the result'})
    expect(linesWith('DEBUG').length).toBe(before)
  })
})

it('no line of the log has a token in it, whatever was sent', async () => {
  const other = 'ffeeddccbbaa99887766554433221100'
  await request('options', {log_level: 'debug'})
  await request('device/add', {name: 'fan', host: '192.168.254.9', token: `${other}00`})
  await request('device/add', {nam: 'fan', token: other})
  await home.mosquittoPub('study/desk', 'set', `{"token":"${TOKEN}"}`)
  await home.mosquittoPub('study/desk', 'set', other)
  await program.waitForOutput(/refused state/)
  expect(program.stdout).not.toMatch(/00112233|ffeeddcc/i)
})

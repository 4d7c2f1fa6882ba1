/** `probe`, as a person runs it with a plug of an unknown model. docs/adding-a-plug.test.ts has the usual case. */
import {tmpdir} from 'node:os'
import {describe, expect, it} from 'vitest'
import type {Fixture} from '../../src/cli/fixture-recorder.ts'
import {miot, prop, relay, textSensor, watts} from '../../src/models/builders.ts'
import {builtIn, Catalogue} from '../../src/models/catalogue.ts'
import type {Model} from '../../src/models/model.ts'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {interpreted} from '../support/fixtures.ts'
import {miio2mqtt} from '../support/program.ts'

const described = {name: '', vendor: '', confidence: 'inferred', evidence: ''} as const
const probe = (host: string, ...options: string[]) =>
  miio2mqtt(['probe', '--host', host, '--token', TOKEN, ...options], {cwd: tmpdir()})

/** A plug of an unknown model. */
function unknown(address: string, id: string, properties: Model['properties'], state = {}) {
  const catalogue = new Catalogue([{...described, ids: [id], properties}])
  return startPlug({address, model: id, catalogue, state})
}

describe('probe', () => {
  it('warns before it sends requests, and prints every value and nothing that identifies the owner', async () => {
    const plug = await unknown(
      loopback(3, 1),
      'acme.plug.chatty',
      {state: relay(miot(2, 1)), note: textSensor('Note', miot(2, 2)), power: watts(miot(3, 2))},
      {power: 0, note: ''},
    )
    plug.state['note'] = `28:6C:07 at ${plug.address} in simulated, ${plug.did}`
    const {code, stdout, stderr} = await probe(plug.address)
    expect(code).toBe(0)
    expect(stderr).toMatch(/fridge/)
    expect(stdout.split('\n').slice(-4)).toEqual([
      '  # ?: {miot: 2.1}  # false',
      '  # ?: {miot: 2.2}  # "28:6C:07 at *** in ***, ***"',
      '  # ?: {miot: 3.2}  # 0',
      '',
    ])
    expect(stdout).toMatch(
      /^# acme\.plug\.chatty, firmware \S+, hardware \S+: dialect miot, probed by miio2mqtt \S+\n/,
    )
    expect(stdout + stderr).not.toMatch(new RegExp(`${TOKEN}|${plug.did}`))
  })

  it('requests from an older plug the names of others, one at a time, and has JSON for programs', async () => {
    const plug = await unknown(loopback(3, 2), 'acme.plug.old', {
      state: relay(prop('power', 'set_power')),
      temperature: watts(prop('temperature')),
    })
    const {stdout} = await probe(plug.address, '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'acme.plug.old',
      dialect: 'power',
      values: expect.arrayContaining([
        {address: '{get_prop: temperature}', value: '0'},
        {address: '{get_prop: power}', value: '"off"'},
      ]),
      ended: null,
      text: expect.stringContaining('\n  state: {get_prop: power, set: set_power}\n'),
    })
    const requested = plug.received.filter(({method}) => method === 'get_prop')
    expect(requested.every(({params}) => Array.isArray(params) && params.length === 1)).toBe(true)
  })

  it('does not scan a model whose firmware fails on unknown requests, and explains what was sent and why no more', async () => {
    const plug = await startPlug({address: loopback(3, 3), model: 'chuangmi.plug.v3'})
    const why = `${plug.address} was not probed: chuangmi.plug.v3 is supported already, and its firmware fails on requests that it does not know.`
    const advice = '`miio2mqtt models chuangmi.plug.v3` prints its definition.'
    const because = (sent: string) => ({code: 1, stdout: '', stderr: `${why}\n${sent}\n${advice}\n`})
    // Its model was given, so that no request is needed.
    expect(await probe(plug.address, '--model', 'chuangmi.plug.v3')).toMatchObject(
      because('Nothing was sent to the plug.'),
    )
    expect(plug.received).toEqual([])
    expect(await probe(plug.address)).toMatchObject(
      because('Only miIO.info was sent, which asks for the model.'),
    )
    expect(plug.received.map(({method}) => method)).toEqual(['miIO.info'])
    const {stderr} = await probe(plug.address, '--json')
    expect(JSON.parse(stderr)).toMatchObject({error: {code: 'not_probed'}})
  })

  it.each([
    ['chuangmi.plug.v3', 4],
    ['chuangmi.plug.m1', 5],
    ['qmi.powerstrip.v1', 6],
    ['zimi.powerstrip.v2', 7],
    ['cuco.plug.cp1', 8],
    ['cuco.plug.v3', 9],
    ['cuco.plug.wp12', 10],
  ])('--fixture records a fixture of %s that holds, and nothing of whose plug it is', async (id, host) => {
    const plug = await startPlug({address: loopback(3, host), model: id})
    const {code, stdout, stderr} = await probe(plug.address, '--fixture')
    const fixture: Fixture = JSON.parse(stdout)
    const {firmware, exchanges} = fixture
    expect(code).toBe(0)
    expect(fixture).toMatchObject({
      model: id,
      firmware: expect.stringMatching(/\S/),
      source: expect.any(String),
    })
    expect(stderr).toContain(`as test/fixtures/${id}@${firmware}.json`)
    // As test/unit/models/fixtures.test.ts looks at it.
    const model = builtIn.find(id) ?? expect.fail(id)
    expect(exchanges.map((exchange) => interpreted(exchange, model))).toEqual(exchanges)
    const recorded = exchanges.flatMap(({state, error}) => (error ? [] : [state]))
    expect(Object.assign({}, ...recorded)).toMatchObject({state: plug.state['state']})
    // The plug gets the requests of the bridge, each once.
    const requests = plug.received.filter(({method}) => method !== 'miIO.info')
    expect(requests.map(({method, params}) => ({method, params}))).toEqual(
      exchanges.map(({method, params}) => ({method, params})),
    )
    expect(stdout + stderr).not.toMatch(new RegExp(`${TOKEN}|${plug.did}|28:6c:07|simulated|ssid`, 'i'))
    expect(stdout).not.toContain(plug.address)
  })

  it('--fixture needs a definition, and explains how to begin one', async () => {
    const plug = await unknown(loopback(3, 11), 'acme.plug.new', {state: relay(miot(2, 1))})
    expect(await probe(plug.address, '--fixture')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `No fixture of ${plug.address}: acme.plug.new is not supported yet, so the meaning of its values is unknown.\nOnly miIO.info was sent, which asks for the model.\n\`miio2mqtt probe\` without --fixture prints a definition to start from (docs/adding-a-plug.md).\n`,
    })
    expect(plug.received.map(({method}) => method)).toEqual(['miIO.info'])
  })

  it('names the stage that failed like every other command', async () => {
    expect(await probe(loopback(3, 12))).toMatchObject({code: 1, stderr: expect.stringMatching(/^no hello/)})
    expect(await miio2mqtt(['probe'], {cwd: tmpdir()})).toMatchObject({code: 64})
    expect(await miio2mqtt(['probe', 'desk', 'power'], {cwd: tmpdir()})).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/expected nothing after the plug/),
    })
  })
})

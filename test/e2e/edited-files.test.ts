import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, afterEach, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Watcher} from '../support/mqtt-user.ts'
import {miio2mqtt, Program} from '../support/program.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-edited-'))
const file = join(folder, 'config.yaml')
const broker = await startMosquitto()
const user = await Watcher.open(broker)
const [desk, lamp] = [await startPlug({address: loopback(1, 1)}), await startPlug({address: loopback(1, 2)})]
let program: Program
let requests = 0

async function start(text: string): Promise<void> {
  await writeFile(file, text)
  user.forget()
  program = new Program(['run', '--config', file])
  await user.waitFor('miio2mqtt/bridge/state', ({payload}) => payload.includes('online'))
}

async function request(verb: string, payload: object = {}) {
  const transaction = `t${++requests}.`
  await user.publish(`miio2mqtt/bridge/request/${verb}`, JSON.stringify({...payload, transaction}))
  const {payload: answer} = await user.waitFor(`miio2mqtt/bridge/response/${verb}`, ({payload}) =>
    payload.includes(transaction),
  )
  return JSON.parse(answer)
}

afterEach(async () => {
  program.signal('SIGTERM')
  await program.waitForEnd()
})
afterAll(() => rm(folder, {recursive: true, force: true}))

const common = {mqtt: {url: broker.url}, network: {broadcast: []}, state_dir: join(folder, 'state')}

it('A configuration in JSON is renamed in, added to and removed from, and is JSON afterwards.', async () => {
  const devices = {desk: {host: desk.address, token: TOKEN}}
  await start(JSON.stringify({...common, devices}, null, 2))
  expect(await request('device/rename', {from: 'desk', to: 'office/desk'})).toMatchObject({status: 'ok'})
  const added = {name: 'lamp', host: lamp.address, token: TOKEN}
  expect(await request('device/add', added)).toMatchObject({status: 'ok'})
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
    ...common,
    devices: {'office/desk': {host: desk.address}, lamp: {host: lamp.address}},
  })
  expect(await request('device/remove', {name: 'lamp'})).toMatchObject({status: 'ok'})
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).devices)).toEqual(['office/desk'])
})

it('A request never changes a plug that shares its settings with the one it names.', async () => {
  const text = `${JSON.stringify(common).slice(1, -1).replaceAll(',"', '\n"').replaceAll('":', '": ')}
devices:
  desk: &desk
    host: ${desk.address}
    token: ${TOKEN}
    poll: &quick {interval: 60s}
  lamp:
    <<: *desk
    host: ${lamp.address}
`
  await start(text)
  for (const [name, options] of [
    ['desk', {disabled: true}],
    ['desk', {poll: {interval: 30}}],
    ['desk', {area: 'Office'}],
  ] as const) {
    const {status, error} = await request('device/options', {name, options})
    expect([status, error?.message]).toEqual([
      'error',
      expect.stringContaining('change a part with "&", "*" or "<<" by hand'),
    ])
  }
  expect(await readFile(file, 'utf8')).toBe(text)
  const own = {name: 'lamp', options: {disabled: true}}
  expect(await request('device/options', own)).toMatchObject({status: 'ok'})
  const {data} = await request('info')
  expect(data.config.devices).toMatchObject({desk: {disabled: false}, lamp: {disabled: true}})
})

it('A name that people would take for another, or a login that would be shown, is refused by requests and by check.', async () => {
  const text = JSON.stringify({...common, devices: {desk: {host: desk.address, token: TOKEN}}})
  await start(text)
  for (const name of ['lamp ', ' lamp', 'hall/ lamp', 'la\u200bmp', 'la\u00a0mp', 'DESK', 'ｄｅｓｋ', '..']) {
    const add = await request('device/add', {name, host: lamp.address, token: TOKEN})
    const group = await request('group/add', {name, members: ['desk']})
    const rename =
      name.normalize('NFKC').toLowerCase() === 'desk'
        ? add
        : await request('device/rename', {from: 'desk', to: name})
    for (const {status, error} of [add, group, rename])
      expect([name, status, typeof error?.message]).toEqual([name, 'error', 'string'])
  }
  for (const token of ['f'.repeat(32), '0'.repeat(32)]) {
    const {status, error} = await request('device/add', {name: 'lamp', host: lamp.address, token})
    expect([status, error.message]).toEqual([
      'error',
      expect.stringContaining('this is not the token itself'),
    ])
  }
  expect(await readFile(file, 'utf8')).toBe(text)
  const other = join(folder, 'other.yaml')
  for (const url of [
    `mqtt://plugs:42/s3cret@${broker.host}`,
    `ws://plugs:42/s3cret@${broker.host}:9001/mqtt`,
  ]) {
    await writeFile(other, `mqtt:\n  url: [${broker.url}, ${url}]\n`)
    for (const command of ['check', 'run']) {
      const {code, stdout, stderr} = await miio2mqtt([command, '--config', other])
      expect([code, stderr]).toEqual([78, expect.stringContaining('where a login would be shown')])
      expect(`${stdout}${stderr}`).not.toContain('s3cret')
    }
  }
})

/** What `--debug` prints is put into issues, packets and results together: nothing on the screen identifies the owner of the plug. */
import {tmpdir} from 'node:os'
import {describe, expect, it} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {miio2mqtt} from '../support/program.ts'
import {TerminalScreen} from '../support/screen.ts'

const desk = await startPlug({
  address: loopback(1, 1),
  model: 'chuangmi.plug.hmi206',
  profile: {infoShowsToken: true},
})
const at = (...args: string[]) => [...args, '--host', desk.address, '--token', TOKEN]
/** The Wi-Fi name of the simulated plug, and its token in any case. */
const SECRETS = new RegExp(`simulated|"b?ssid\\\\?": ?\\\\?"(?!\\*\\*\\*)|${TOKEN}`, 'i')

describe.each([
  ['call', at('call', 'miIO.info')],
  ['info', at('info')],
  ['probe', at('probe')],
  ['status', at('status')],
  ['toggle', at('toggle')],
])('%s', (_, args) => {
  it.each([[[]], [['--json']], [['--debug']], [['--debug', '--json']]])(
    'with %j shows neither token nor Wi-Fi, in a pipe',
    async (options) => {
      const {stdout, stderr} = await miio2mqtt([...args, ...options], {cwd: tmpdir()})
      expect(stdout + stderr).not.toMatch(SECRETS)
      if (options.includes('--debug')) expect(stderr).toMatch(/"ssid":"\*\*\*"/)
    },
  )
})

describe('the screen of a call with --debug', () => {
  it('shows packets and result without token and Wi-Fi, each packet as it came otherwise', async () => {
    const screen = new TerminalScreen(at('call', 'miIO.info', '--debug'), {columns: 400})
    expect(await screen.ended()).toBe(0)
    expect(screen.text).not.toMatch(SECRETS)
    const result = screen.lines.at(-1) ?? ''
    expect(JSON.parse(result)).toMatchObject({token: '***', ap: {ssid: '***', bssid: '***', primary: 6}})
    // The packet of the response has the very same text.
    expect(screen.lines.at(-2)).toContain(`"result":${result}}`)
  })
})

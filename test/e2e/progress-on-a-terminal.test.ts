/** What waits on the screen (`asking desk …`) is gone before anything else is written, however a command ends. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, describe, expect, it} from 'vitest'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {type ScreenOptions, TerminalScreen} from '../support/screen.ts'
import {until} from '../support/wait.ts'

const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-progress-'))
afterAll(() => rm(folder, {recursive: true, force: true}))

const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3', state: {state: 'OFF'}})
const silent = await startPlug({address: loopback(1, 2), faults: {wrongToken: 'silent'}})
await inReachOfBroadcasts([desk])
await writeFile(
  join(folder, 'config.yaml'),
  JSON.stringify({
    network: {broadcast: [BROADCAST]},
    devices: {
      desk: {host: desk.address, token: TOKEN},
      silent: {host: silent.address, token: TOKEN},
      gone: {id: 99, token: TOKEN},
    },
  }),
)

async function screenOf(args: readonly string[], options: ScreenOptions = {}) {
  const screen = new TerminalScreen(args, {cwd: folder, ...options})
  const code = await screen.ended()
  return {code, lines: screen.lines}
}

describe('the progress of a command on a terminal', () => {
  it.each([
    [['status', 'desk'], 'state        OFF'],
    [['--json', 'status', 'desk'], '{"state":"OFF","usb":"OFF","temperature":24,"led":"OFF","power":0}'],
    [['info', 'desk'], 'name       desk'],
    [['get', 'desk', 'usb'], 'OFF'],
    [['call', 'desk', 'get_power'], '[0]'],
    [['set', 'desk', 'led', 'off'], 'desk: led is OFF'],
    [['on', 'desk'], 'desk: state is ON'],
    [['toggle', 'desk'], 'desk: state is OFF'],
    [['off', 'desk'], 'desk: state is OFF'],
  ])('is gone before the result of %j', async (args, first) => {
    const {code, lines} = await screenOf(args)
    expect(code).toBe(0)
    expect(lines[0]).toBe(first)
    expect(lines.join('\n')).not.toContain('…')
  })

  it('is gone before packets, which come in the middle of it, and before the result after them', async () => {
    const {lines} = await screenOf(['get', 'desk', 'usb', '--debug'], {columns: 1000})
    expect(lines.at(-1)).toBe('OFF')
    for (const line of lines.slice(0, -1)) expect(line).toMatch(/^(?:->|<-) /)
  })

  it('is gone before the table of a scan', async () => {
    const lines = await until(
      async () => {
        const screen = await screenOf(['discover', '--timeout', '600ms'])
        return screen.code === 0 ? screen.lines : undefined // a busy machine may be too slow for the reply
      },
      {what: 'a scan that finds the plug'},
    )
    expect(lines[0]).toMatch(/^DEVICE ID +ADDRESS/)
  })

  it.each([
    [['probe', 'desk'], /^desk was not probed/],
    [['status', 'silent'], /^token wrong/],
    [['call', 'desk', 'get_nonsense'], /^request unsupported/],
    [['get', 'desk', 'watts'], /^expected one of state/],
    [['discover', '--timeout', '100ms', '--broadcast', loopback(9, 255)], /^no device answered/],
  ])('is gone before the failure of %j', async (args, first) => {
    const {code, lines} = await screenOf(args)
    expect(code).not.toBe(0)
    expect(lines[0]).toMatch(first)
    expect(lines.join('\n')).not.toContain('asking')
  })

  it('is gone before an internal error, which Node.js prints', async () => {
    const failing = join(folder, 'failing.cjs')
    await writeFile(
      failing,
      `const write = process.stderr.write.bind(process.stderr)
       process.stderr.write = (text, ...rest) => {
         if (String(text).startsWith('asking')) setImmediate(() => { throw new Error('unforeseen') })
         return write(text, ...rest)
       }`,
    )
    const {code, lines} = await screenOf(['status', 'silent'], {env: {NODE_OPTIONS: `--require=${failing}`}})
    expect(code).not.toBe(0)
    expect(lines.join('\n')).toContain('Error: unforeseen')
    expect(lines.join('\n')).not.toMatch(/^asking/m)
  })

  it.each([
    [['status', 'silent'], /^asking silent …/],
    [['get', 'gone', 'state'], /^asking gone …/],
    [['discover', '--timeout', '5m'], /^listening: 1 device so far …/],
  ])(
    'is gone when Ctrl-C ends %j, and the shell goes on at the beginning of a line',
    async (args, waiting) => {
      const command = [process.execPath, join(process.cwd(), 'dist/main.js'), ...args].join(' ')
      const screen = new TerminalScreen([], {
        cwd: folder,
        command: `sh -c 'trap : INT; ${command}; echo "ended with $?"'`,
      })
      await screen.shows(waiting)
      screen.type('\x03')
      await screen.shows(/ended with/)
      await screen.ended()
      // The signal itself ended it: a script around it depends on that.
      expect(screen.lines).toEqual(['ended with 130'])
    },
  )
})

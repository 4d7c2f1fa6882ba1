import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {chmod, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, inject, it} from 'vitest'
import {type SystemdEnvironment, SystemdNotifier, type SystemdOptions} from '../../../src/app/systemd.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {settle, VirtualClock} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'

/** A notifier in the environment `env`, and a list of what it sends. */
function startNotifier(env: SystemdEnvironment, options: Partial<SystemdOptions> = {}) {
  const sent: string[] = []
  const clock = new VirtualClock()
  const notifier = new SystemdNotifier(env, {
    clock,
    write: async (fd, message) => void sent.push(`fd ${fd}: ${message}`),
    run: async (program, args, its) =>
      void sent.push(`${program} ${args.join(' ')} to ${its['NOTIFY_SOCKET']}`),
    ...options,
  })
  return {notifier, sent, clock, env}
}

const pid = String(process.pid)

describe('the way of a message', () => {
  it('is the socket that systemd opened under the name "notify"', async () => {
    const env = {LISTEN_PID: pid, LISTEN_FDS: '2', LISTEN_FDNAMES: 'http:notify', NOTIFY_SOCKET: '/run/n'}
    const {notifier, sent} = startNotifier(env)
    await notifier.ready()
    expect(sent).toEqual(['fd 4: READY=1'])
  })

  it.each([
    ['no name is "notify"', {LISTEN_PID: pid, LISTEN_FDNAMES: 'http:connection'}],
    ['there are no names', {LISTEN_PID: pid, LISTEN_FDS: '1'}],
    ['they were passed to another process', {LISTEN_PID: '1', LISTEN_FDNAMES: 'notify'}],
  ])('is systemd-notify when sockets were passed but %s', async (_, passed) => {
    const {notifier, sent} = startNotifier({...passed, NOTIFY_SOCKET: '/run/n'})
    await notifier.ready()
    expect(sent).toEqual(['systemd-notify READY=1 to /run/n'])
  })

  it('is none without systemd, and then nothing happens', async () => {
    const {notifier, sent, clock} = startNotifier({
      LISTEN_PID: pid,
      LISTEN_FDNAMES: '',
      WATCHDOG_USEC: '3000000',
    })
    notifier.startWatchdog(() => true)
    await Promise.all([notifier.ready(), notifier.status('up'), notifier.stopping()])
    expect(sent).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('is closed to the programs that the daemon starts', () => {
    const all = {LISTEN_PID: pid, LISTEN_FDS: '1', LISTEN_FDNAMES: 'notify', LISTEN_PIDFDID: '7'}
    const {env} = startNotifier({
      ...all,
      NOTIFY_SOCKET: '/run/n',
      WATCHDOG_USEC: '1',
      WATCHDOG_PID: pid,
      PATH: '/bin',
    })
    expect(env).toEqual({PATH: '/bin'})
  })
})

describe('a message', () => {
  const env = {LISTEN_PID: pid, LISTEN_FDNAMES: 'notify'}

  it('of status is one line, whatever a plug is called', async () => {
    const {notifier, sent} = startNotifier({...env})
    await notifier.status('desk is offline\nWATCHDOG=trigger\r\n\0')
    expect(sent).toEqual(['fd 3: STATUS=desk is offline WATCHDOG=trigger'])
  })

  it('is sent after the one before, even when that one takes its time', async () => {
    const sent: string[] = []
    const {notifier} = startNotifier(
      {...env},
      {
        write: async (_, message) => {
          if (message.startsWith('RELOADING')) await settle()
          sent.push(message.slice(0, 5))
        },
      },
    )
    await Promise.all([notifier.reloading(), notifier.ready()])
    expect(sent).toEqual(['RELOA', 'READY'])
  })

  it('that cannot be sent is reported once, and harms neither the daemon nor the next message', async () => {
    const errors: string[] = []
    const sent: string[] = []
    const {notifier} = startNotifier(
      {...env},
      {
        write: async (_, message) => {
          if (message.startsWith('STATUS')) throw new Error('ENOTCONN')
          sent.push(message)
        },
        onError: ({message}) => errors.push(message),
      },
    )
    await notifier.status('one')
    await notifier.status('two')
    await notifier.ready()
    expect({errors, sent}).toEqual({errors: ['ENOTCONN'], sent: ['READY=1']})
  })
})

describe('the watchdog', () => {
  const env = {LISTEN_PID: pid, LISTEN_FDNAMES: 'notify', WATCHDOG_USEC: '30000000'}
  const NOTIFIED = 'fd 3: WATCHDOG=1'

  it('is notified twice in the timeout of systemd, and no longer once stopped', async () => {
    const {notifier, sent, clock} = startNotifier({...env, WATCHDOG_PID: pid})
    notifier.startWatchdog(() => true)
    await clock.advance(14_999)
    expect(sent).toEqual([])
    await clock.advance(60_000)
    expect(sent).toEqual([NOTIFIED, NOTIFIED, NOTIFIED, NOTIFIED])
    notifier.stop()
    expect(clock.pending).toBe(0)
  })

  it('is not notified while the daemon is unhealthy, and again when it is healthy', async () => {
    const {notifier, sent, clock} = startNotifier({...env})
    let isHealthy: () => boolean = () => false
    notifier.startWatchdog(() => isHealthy())
    await clock.advance(60_000)
    isHealthy = () => {
      throw new Error('unknown')
    }
    await clock.advance(60_000)
    expect(sent).toEqual([])
    isHealthy = () => true
    await clock.advance(15_000)
    expect(sent).toEqual([NOTIFIED])
  })

  it('is notified by one timer, however often it is started', async () => {
    const {notifier, sent, clock} = startNotifier({...env})
    notifier.startWatchdog(() => true)
    notifier.startWatchdog(() => true)
    await clock.advance(15_000)
    expect(sent).toEqual([NOTIFIED])
  })

  it.each([
    [{}],
    [{WATCHDOG_USEC: '0'}],
    [{WATCHDOG_USEC: 'soon'}],
    [{WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1'}],
  ])('is not notified with %j', async (given) => {
    const {notifier, sent, clock} = startNotifier({LISTEN_PID: pid, LISTEN_FDNAMES: 'notify', ...given})
    notifier.startWatchdog(() => true)
    await clock.advance(60_000)
    await settle()
    expect(sent).toEqual([])
  })
})

/**
 * In place of systemd: a datagram socket of the Unix family, which Node cannot open. With "fd" it passes a connected one as
 * descriptor 3, as `OpenFile=` does. Prints each datagram as JSON, with its sender.
 */
const LISTENER = `
import array, json, os, socket, struct, sys
way, path, *command = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(path)
listener.settimeout(0.05)
child = os.fork()
if child == 0:
    os.environ.update(LISTEN_PID=str(os.getpid()), WATCHDOG_PID=str(os.getpid()), WATCHDOG_USEC='200000')
    if way == 'fd':
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.connect(path)
        os.dup2(sender.fileno(), 3)
        os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='notify')
    else:
        os.environ.update(NOTIFY_SOCKET=path)
    os.execvp(command[0], command)
status = None
while status is None:
    try:
        data, ancillary, _, _ = listener.recvmsg(4096, 1024)
    except TimeoutError:
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended: status = code
        continue
    for _, kind, value in ancillary:
        if kind == socket.SCM_CREDENTIALS: sender = struct.unpack('3i', value[:12])[0]
        # systemd-notify waits until the descriptor that it sends along is closed.
        else: [os.close(fd) for fd in array.array('i', value)]
    if data != b'BARRIER=1': print(json.dumps({'message': data.decode(), 'direct': sender == child}), flush=True)
sys.exit(os.waitstatus_to_exitcode(status))
`

interface Datagram {
  message: string
  /** Whether the process of the daemon sent it, as `NotifyAccess=main` demands. */
  direct: boolean
}

describe.skipIf(!inject('tools').pythonMiio)('what arrives at a real notification socket', () => {
  const program = bundledProgram(new URL('systemd-daemon.ts', import.meta.url))
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-systemd-'))
  })

  afterEach(() => rm(folder, {recursive: true}))

  async function datagramsOfADaemon(way: 'fd' | 'program', path = process.env['PATH']): Promise<Datagram[]> {
    const node = [process.execPath, program]
    const args = ['-c', LISTENER, way, join(folder, 'notify'), ...node]
    const listener = spawn('/usr/bin/python3', args, {env: {...process.env, PATH: path}})
    const output = collect(listener)
    const [code] = await once(listener, 'close')
    expect({code, errors: output.errors}).toEqual({code: 0, errors: ''})
    return output.text
      .trim()
      .split('\n')
      .map((line): Datagram => JSON.parse(line))
  }

  const expected = [
    'STATUS=the broker is down',
    'READY=1',
    'WATCHDOG=1',
    expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
    'READY=1',
    'STOPPING=1',
  ]

  it('comes from the main process itself when systemd passed the socket', async () => {
    const before = await monotonic()
    const datagrams = await datagramsOfADaemon('fd')
    const after = await monotonic()
    expect(datagrams.map(({message}) => message)).toEqual(expected)
    expect(datagrams.every(({direct}) => direct)).toBe(true)
    const reloading = Number(datagrams[3]?.message.split('=').at(-1))
    expect(reloading).toBeGreaterThan(before)
    expect(reloading).toBeLessThan(after)
  })

  it('comes through systemd-notify otherwise', async () => {
    const datagrams = await datagramsOfADaemon('program', `${process.env['PATH']}:${await substitute()}`)
    expect(datagrams.map(({message}) => message)).toEqual(expected)
  })

  /** At the end of PATH, so that the real program is used wherever it is installed. */
  async function substitute(): Promise<string> {
    const program = join(folder, 'systemd-notify')
    await writeFile(
      program,
      `#!/usr/bin/python3
import os, socket, sys
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(os.environ['NOTIFY_SOCKET'])
sender.send('\\n'.join(sys.argv[1:]).encode())
`,
    )
    await chmod(program, 0o755)
    return folder
  }
})

/** Microseconds of CLOCK_MONOTONIC, from another implementation than ours. */
async function monotonic(): Promise<number> {
  const python = spawn('/usr/bin/python3', ['-c', 'import time; print(time.monotonic_ns() // 1000)'])
  const output = collect(python)
  await once(python, 'close')
  return Number(output.text)
}

function collect(child: ChildProcess): {text: string; errors: string} {
  const output = {text: '', errors: ''}
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.text += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.errors += text
  })
  return output
}

describe('a notifier whose systemd-notify is not installed', () => {
  it('reports it, and goes on', async () => {
    const errors: Error[] = []
    const env = {NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere'}
    const notifier = new SystemdNotifier(env, {
      clock: new VirtualClock(),
      onError: (error) => errors.push(error),
    })
    await notifier.ready()
    await until(() => errors.length, {what: 'a report'})
    expect(errors[0]?.message).toContain('systemd-notify ENOENT')
  })
})

describe('the unit', () => {
  /** Names to values, in order, without comments and section titles. */
  async function directives(path: string): Promise<[string, string][]> {
    const text = await readFile(path, 'utf8')
    const lines = text.split('\n').filter((line) => /^\w+=/.test(line))
    return lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
  }

  it('names the socket as the daemon expects it, and does not restart it with an invalid configuration', async () => {
    const unit = new Map(await directives('systemd/miio2mqtt.service'))
    expect(unit.get('OpenFile')).toBe('/run/systemd/notify:notify')
    expect(unit.get('Type')).toBe('notify-reload')
    expect(unit.get('NotifyAccess')).toBe('main')
    expect(unit.get('RestartPreventExitStatus')).toBe('78')
  })

  it('lets the JIT compiler and the list of network interfaces work', async () => {
    const unit = new Map(await directives('systemd/miio2mqtt.service'))
    expect(unit.has('MemoryDenyWriteExecute')).toBe(false)
    expect(unit.get('RestrictAddressFamilies')).toContain('AF_NETLINK')
  })

  it('has a drop-in that names nothing which systemd 252 does not know', async () => {
    const dropIn = await directives('systemd/miio2mqtt.service.d/debian12.conf')
    expect(dropIn).toEqual([
      ['Type', 'notify'],
      ['NotifyAccess', 'all'],
      ['ExecReload', '/bin/kill -HUP $MAINPID'],
    ])
  })
})

describe('the service', () => {
  it('may write where its configuration is, for requests that edit it', async () => {
    const unit = await readFile('systemd/miio2mqtt.service', 'utf8')
    const [, folder] = /^ExecStart=.*--config (\S+)\/config\.yaml$/m.exec(unit) ?? []
    expect(unit).toMatch(new RegExp(`^ReadWritePaths=-${folder}$`, 'm'))
  })
})

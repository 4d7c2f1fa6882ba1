import {spawn} from 'node:child_process'
import {once} from 'node:events'
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {Redactor} from '../../../src/common/redact.ts'
import {Secret} from '../../../src/common/secret.ts'
import {createLog, type LoggedWarning, type LogOptions, type PinoLog} from '../../../src/log/logger.ts'
import {bundledProgram} from '../../support/bundled-program.ts'
import {checkProperty} from '../../support/seeds.ts'

const TOKEN = '00112233445566778899aabbccddeeff'
const PASSWORD = 'p"4s\\s/wörd\n!'

function logged(options: LogOptions, logLines: (log: PinoLog) => void): string {
  const redactor = new Redactor()
  redactor.add(TOKEN)
  redactor.add(PASSWORD)
  let written = ''
  const write = (line: string) => {
    written += line
  }
  logLines(createLog({redactor, destination: {write}, ...options}))
  return written
}

const text = (logLines: (log: PinoLog) => void) => logged({level: 'info'}, logLines)
const json = (logLines: (log: PinoLog) => void) => logged({format: 'json'}, logLines)
/** What follows the time. */
const withoutTime = (line: string) => line.replace(/^\S+ /, '')

describe('a line of text', () => {
  it('has time, level, message and fields', () => {
    const line = text((log) =>
      log.info('plug online', {device: 'kitchen/kettle', model: 'a b', did: 7, ok: true, none: null}),
    )
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO {2}/)
    expect(withoutTime(line)).toBe(
      'INFO  plug online device=kitchen/kettle model="a b" did=7 ok=true none=null\n',
    )
  })

  it('names an error and its cause, and shows the stack only at the level error, or at debug', () => {
    const error = Object.assign(new Error('no answer', {cause: new TypeError('why')}), {code: 'timeout'})
    const expected = 'WARN  failed error="Error (timeout): no answer", because of "TypeError: why"\n'
    expect(withoutTime(text((log) => log.warn('failed', {error})))).toBe(expected)
    for (const line of [
      text((log) => log.error('failed', {error})),
      logged({level: 'debug'}, (log) => log.warn('failed', {error})),
    ]) {
      expect(line).toContain('\n    Error: no answer\n        at ')
      expect(line).toContain('\n    TypeError: why\n')
    }
  })

  it('never holds a raw control character, and nothing in it can look like another line', () => {
    const hostile = 'a\u001b[2J\r\nb\u009b31m\u007f\u202e\u2028c'
    const line = text((log) =>
      log.error(hostile, {[hostile]: hostile, error: Object.assign(new Error(hostile), {stack: hostile})}),
    )
    const parts = line.split('\n')
    expect(line.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
    expect(parts[0]).toContain('a\\u001b[2J\\u000d\\nb\\u009b31m\\u007f\\u202e\\u2028c')
    expect(parts.slice(1, -1).every((part) => part.startsWith('    '))).toBe(true)
  })
})

describe('a line of JSON', () => {
  it('is one object with the same content', () => {
    const line = json((log) => log.warn('plug offline', {device: 'desk', error: new Error('no answer')}))
    expect(JSON.parse(line)).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      message: 'plug offline',
      device: 'desk',
      error: {name: 'Error', message: 'no answer'},
    })
  })

  it('stays one object, with any texts, secrets included, and has no raw control character', () => {
    const anything = fc.oneof(fc.anything({maxDepth: 3}), fc.string({unit: 'binary'}), fc.constant(PASSWORD))
    checkProperty(
      fc.property(fc.string({unit: 'binary'}), fc.dictionary(fc.string(), anything), (message, fields) => {
        const line = json((log) => log.error(message, fields))
        expect(line.trimEnd()).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
        expect(JSON.parse(line)).toMatchObject({level: 'error'})
        expect(text((log) => log.error(message, fields)).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
      }),
    )
  })

  it('keeps its own fields apart from those of the same name', () => {
    const entry = JSON.parse(json((log) => log.info('hello', {level: 9, message: 'm', time: 't'})))
    expect(entry).toMatchObject({level: 'info', message: 'hello', level_: 9, message_: 'm', time_: 't'})
  })
})

describe('a secret', () => {
  const circle: Record<string, unknown> = {password: PASSWORD}
  circle['self'] = circle

  it.each([
    [
      'in the message',
      (log: PinoLog) => log.error(`connect mqtt://me:${encodeURIComponent(PASSWORD)}@h with ${TOKEN}`),
    ],
    ['in a field', (log: PinoLog) => log.error('x', {token: TOKEN, password: PASSWORD})],
    [
      'as a Secret',
      (log: PinoLog) => log.error('x', {token: new Secret(TOKEN), deep: [{password: new Secret(PASSWORD)}]}),
    ],
    [
      'deep in a field',
      (log: PinoLog) => log.error('x', {a: {b: [{c: new Map([[TOKEN, new Set([PASSWORD])]])}]}}),
    ],
    ['in a key', (log: PinoLog) => log.error('x', {[TOKEN]: {[PASSWORD]: 1}})],
    [
      'in an error, its stack, its fields, its cause',
      (log: PinoLog) =>
        log.error('x', {
          error: Object.assign(new Error(TOKEN, {cause: new Error(PASSWORD)}), {url: PASSWORD}),
        }),
    ],
    [
      'in bytes',
      (log: PinoLog) =>
        log.error('x', {packet: Buffer.from(`2131${TOKEN}`, 'hex'), raw: Buffer.from(PASSWORD)}),
    ],
    [
      'in JSON within JSON',
      (log: PinoLog) => log.error(JSON.stringify({a: JSON.stringify({PASSWORD, TOKEN})})),
    ],
    [
      'in what makes its own JSON',
      (log: PinoLog) => log.error('x', {date: {toJSON: () => ({PASSWORD, TOKEN})}}),
    ],
    ['in what contains itself', (log: PinoLog) => log.error('x', {circle})],
  ])('never gets into a line: %s', (_, logLines) => {
    for (const line of [text(logLines), json(logLines)]) {
      expect(line).toContain('***')
      for (const form of [
        TOKEN,
        PASSWORD,
        JSON.stringify(PASSWORD).slice(1, -1),
        Buffer.from(PASSWORD).toString('hex'),
        '4s\\',
      ]) {
        expect(line.toLowerCase()).not.toContain(form)
      }
    }
  })

  it('of digits only is hidden also where it is a number', () => {
    const redactor = new Redactor()
    redactor.add('12345678')
    const line = logged({redactor}, (log) => log.info('x', {a: 12345678, b: 12345678n, c: 1234567}))
    expect(withoutTime(line)).toBe('INFO  x a=*** b=*** c=1234567\n')
  })

  it('may be added after the log was made', () => {
    const redactor = new Redactor()
    const line = logged({redactor}, (log) => {
      redactor.add('hunter2')
      log.info('hunter2')
    })
    expect(withoutTime(line)).toBe('INFO  ***\n')
  })
})

it('The format can be changed at any time.', () => {
  const [first = '', second = ''] = text((log) => {
    log.info('before', {device: 'desk'})
    log.setFormat('json')
    log.info('after', {device: 'desk'})
  }).split('\n')
  expect(withoutTime(first)).toBe('INFO  before device=desk')
  expect(JSON.parse(second)).toMatchObject({level: 'info', message: 'after', device: 'desk'})
})

it('The level can be changed at any time.', () => {
  const lines = text((log) => {
    log.debug('no')
    log.setLevel('debug')
    expect(log.level).toBe('debug')
    log.debug('yes', {device: 'desk'})
    log.trace('no')
    log.setLevel('error')
    log.warn('no')
  })
  expect(withoutTime(lines)).toBe('DEBUG yes device=desk\n')
})

describe('a listener for warnings', () => {
  it('gets every warning and error, scrubbed, whatever the level, until it stops', () => {
    const warnings: LoggedWarning[] = []
    logged({level: 'error'}, (log) => {
      const stop = log.onWarning((warning) => warnings.push(warning))
      log.info('not this')
      log.warn(`token ${TOKEN}`, {device: 'desk'})
      log.error('broken')
      stop()
      log.error('not this either')
    })
    expect(warnings).toEqual([
      {level: 'warn', message: 'token ***', device: 'desk'},
      {level: 'error', message: 'broken'},
    ])
  })

  it('does not get the warnings that it logs itself', () => {
    let warnings = 0
    const lines = text((log) => {
      log.onWarning(() => {
        warnings++
        log.warn('could not publish')
      })
      log.warn('first')
      log.warn('second')
    })
    expect(warnings).toBe(2)
    expect(lines.match(/could not publish/g)).toHaveLength(2)
  })
})

/** Bundled, since a loader of TypeScript changes how standard output behaves. */
const program = bundledProgram(new URL('log-writer.ts', import.meta.url))
const writer = (lines: number) => [program, String(lines)]

describe('standard output', () => {
  const start = (lines: number) => spawn(process.execPath, writer(lines), {stdio: ['ignore', 'pipe', 'pipe']})

  it('gets every line, also the last before the process ends', async () => {
    // 50 kB: the kernel keeps that much for a reader that a busy machine holds up.
    const child = start(200)
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    await once(child, 'close')
    expect(output.trimEnd().split('\n')).toHaveLength(201)
    // A write that was under way when the process ended may come out after it: nothing is lost, and the last line is there.
    expect(output).toMatch(/INFO {2}the last line\n/)
  })

  it('without a reader blocks neither the work nor the end', async () => {
    const unread = '("$0" "$@"; echo "ended with $?" >&2) | sleep 60'
    const command = ['-c', unread, process.execPath, ...writer(20_000)]
    const shell = spawn('/bin/sh', command, {stdio: ['ignore', 'ignore', 'pipe'], detached: true})
    try {
      let report = ''
      for await (const data of shell.stderr) {
        report += data
        if (report.includes('ended')) break
      }
      expect(report).toBe('20 turns\nended with 0\n')
    } finally {
      process.kill(-(shell.pid ?? 0), 'SIGKILL')
    }
  })

  it('may be closed', async () => {
    const child = start(2000)
    child.stdout.destroy()
    const [[report], exit] = await Promise.all([once(child.stderr, 'data'), once(child, 'exit')])
    expect(String(report)).toBe('20 turns\n')
    expect(exit).toEqual([0, null])
  })
})

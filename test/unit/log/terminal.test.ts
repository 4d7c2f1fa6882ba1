import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'
import {Redactor} from '../../../src/common/redact.ts'
import type {TerminalFeatures} from '../../../src/common/terminal-text.ts'
import {createLog, type LogOptions, type PinoLog} from '../../../src/log/logger.ts'

const screen: TerminalFeatures = {columns: 60, coloured: true, rewritable: true}

const zone = process.env['TZ']
beforeEach(() => {
  process.env['TZ'] = 'Asia/Kolkata' // five and a half hours from UTC: no machine has this offset by chance
  vi.useFakeTimers({toFake: ['Date'], now: new Date('2026-11-22T17:29:58.500Z')})
})
afterEach(() => {
  vi.useRealTimers()
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

function logged(logLines: (log: PinoLog) => void, options: LogOptions = {}): string {
  let written = ''
  const write = (line: string) => {
    written += line
  }
  logLines(createLog({destination: {write}, screen, level: 'trace', ...options}))
  return written
}

describe('a line of the log on a terminal', () => {
  it('has the local time of day, the level, the message and its fields', () => {
    expect(logged((log) => log.info('connected', {device: 'desk', mqtt: 5}))).toBe(
      '22:59:58 INFO  connected device=desk mqtt=5\n',
    )
  })

  it('colours a warning yellow and an error red, and nothing else', () => {
    const logLines = (log: PinoLog) => {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) log[level]('written')
    }
    const plain = ['TRACE', 'DEBUG', 'INFO ', 'WARN ', 'ERROR'].map((level) => `22:59:58 ${level} written\n`)
    expect(logged(logLines)).toBe(
      plain
        .join('')
        .replace('WARN ', '\u001b[33mWARN \u001b[39m')
        .replace('ERROR', '\u001b[31mERROR\u001b[39m'),
    )
    expect(logged(logLines, {screen: {...screen, coloured: false}})).toBe(plain.join(''))
  })

  it('has a line with the date between two days', () => {
    const written = logged((log) => {
      log.info('before')
      vi.setSystemTime(new Date('2026-11-22T18:29:59Z'))
      log.info('still')
      vi.setSystemTime(new Date('2026-11-22T18:30:00Z'))
      log.info('after')
      log.info('and after')
      vi.setSystemTime(new Date('2026-12-01T03:00:00Z'))
      log.warn('days later')
    })
    expect(written.split('\n')).toEqual([
      '22:59:58 INFO  before',
      '23:59:59 INFO  still',
      '2026-11-23',
      '00:00:00 INFO  after',
      '00:00:00 INFO  and after',
      '2026-12-01',
      '08:30:00 \u001b[33mWARN \u001b[39m days later',
      '',
    ])
  })

  it('is wrapped between words, and loses none', () => {
    const message =
      'no plug answers any more: is our own network, Wi-Fi or router down? It is asked again and again.'
    const lines = logged((log) => log.warn(message, {device: 'desk', url: `mqtt://${'x'.repeat(70)}`}), {
      screen: {...screen, coloured: false},
    }).split('\n')
    expect(lines).toEqual([
      '22:59:58 WARN  no plug answers any more: is our own network,',
      '               Wi-Fi or router down? It is asked again and',
      '               again. device=desk',
      `               url=mqtt://${'x'.repeat(70)}`,
      '',
    ])
    const first = `${'x'.repeat(70)} is too long`
    expect(logged((log) => log.info(first))).toBe(
      `22:59:58 INFO  ${'x'.repeat(70)}\n               is too long\n`,
    )
  })

  it('is one line for a packet, however long, to be copied', () => {
    const packet = `-> {"params":["${'a b '.repeat(40)}"]}`
    expect(logged((log) => log.trace(packet))).toBe(`22:59:58 TRACE ${packet}\n`)
  })

  it('shows the stack of an error, no secret, and no control character but its own', () => {
    const redactor = new Redactor()
    redactor.add('hunter2hunter2')
    const error = Object.assign(new Error('\u001b[2Jhunter2hunter2'), {stack: 'Error: why\n    at here'})
    expect(logged((log) => log.error('\u001b[31mfailed\r\n', {error}), {redactor})).toBe(
      '22:59:58 \u001b[31mERROR\u001b[39m \\u001b[31mfailed\\u000d\\n error="Error:\n               \\u001b[2J***"\n    Error: why\n        at here\n',
    )
  })

  it('without a terminal is in UTC and with milliseconds, and JSON when that is configured', () => {
    const logLines = (log: PinoLog) => log.warn('written', {device: 'desk'})
    expect(logged(logLines, {screen: undefined})).toBe('2026-11-22T17:29:58.500Z WARN  written device=desk\n')
    expect(JSON.parse(logged(logLines, {format: 'json'}))).toEqual({
      level: 'warn',
      time: '2026-11-22T17:29:58.500Z',
      message: 'written',
      device: 'desk',
    })
  })
})

/**
 * `npm run picture`: records docs/demo.svg, the picture in the README. It runs the real demo on a real pseudo-terminal, presses keys,
 * sends MQTT commands, and draws what the terminal shows.
 *
 * Two recordings differ as little as possible: random numbers have a fixed seed, times of day are replaced by fixed ones, and the
 * temporary folder gets a fixed name. `script` (Debian package bsdutils) makes the pseudo-terminal. Port
 * 1883 must be free, because the demo's commands are longer with another port.
 */
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import xterm, {type IBufferLine} from '@xterm/headless'
import {connectAsync} from 'mqtt'
import {type Line, type Run, terminalSvg} from './terminal-svg.ts'

const FILE = 'docs/demo.svg'
const COLUMNS = 80
const ROWS = 60
const CTRL_C = '\x03'
const PATIENCE_MS = 30_000
/** Between two changes, as long as a person takes. */
const BETWEEN_MS = 2000
/** A line about a change begins with the time of day. */
const TIME = /^\d\d:\d\d:\d\d(?= {2}|$)/
/** The first change is shown at this time, in seconds after midnight. */
const FIRST_CHANGE_AT = 20 * 3600 + 15 * 60 + 4
const FOLDER = /\/\S*\/demo-\w{6}\//
const FIXED_FOLDER = '/tmp/demo-Xk3Q9w/'
/** The text of the demo is there first; the first change follows after this many seconds, each other change after the next number. */
const PAUSE = {first: 1.5, next: 1.2}
/** Numerical Recipes' generator in place of Math.random. */
const SEEDED = 'let s=7;Math.random=()=>(s=(Math.imul(s,1664525)+1013904223)>>>0)/2**32'

const terminal = new xterm.Terminal({cols: COLUMNS, rows: ROWS, allowProposedApi: true})
const home = await mkdtemp(join(tmpdir(), 'miio2mqtt-picture-'))
const demo = spawn(
  'script',
  [
    '--quiet',
    '--return',
    '--command',
    `stty cols ${COLUMNS} rows ${ROWS} && exec ${process.execPath} dist/main.js demo`,
    '/dev/null',
  ],
  {
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      SHELL: '/bin/sh',
      TERM: 'xterm-256color',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SEEDED)}`,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  },
)
demo.stdout.on('data', (chunk: Buffer) => terminal.write(chunk))

try {
  await shows(/Ctrl-C ends the demo/)
  if (!/The broker is 127\.0\.0\.1:1883,/.test(text())) {
    throw new Error('port 1883 is in use: stop the broker there, then run `npm run picture` again')
  }
  await play()
  await writeFile(FILE, picture())
  process.stdout.write(`${FILE} has been written\n`)
} finally {
  demo.stdin.write(CTRL_C)
  await once(demo, 'close')
  await rm(home, {recursive: true, force: true})
}

/** Switches plugs in each way that the demo shows. */
async function play(): Promise<void> {
  const client = await connectAsync('mqtt://127.0.0.1:1883')
  await client.publishAsync('miio2mqtt/desk/set', 'ON')
  await shows(/desk +state +OFF → ON +MQTT command/)
  await shows(/desk +power +0 → \S+ W +poll/)
  await sleep(BETWEEN_MS)
  demo.stdin.write('2')
  await shows(/kitchen\/kettle +state +OFF → ON +button on the plug/)
  await sleep(BETWEEN_MS)
  await client.publishAsync('miio2mqtt/bedroom/set', '{"usb":"ON"}')
  await shows(/bedroom +usb +OFF → ON +MQTT command/)
  await sleep(BETWEEN_MS)
  demo.stdin.write('1')
  await shows(/desk +state +ON → OFF +button on the plug/)
  await shows(/desk +power +\S+ → 0 W +poll/)
  await client.endAsync()
}

function picture(): string {
  const rows = Array.from({length: terminal.buffer.active.length}, (_, y) =>
    runsOf(terminal.buffer.active.getLine(y)),
  )
  const last = rows.findLastIndex((runs) => runs.length > 0)
  const prompt: Line = {
    runs: [
      {text: '$', column: 0, colour: 2},
      {text: 'npm run demo', column: 2, isBold: true},
    ],
  }
  const lines = [prompt, ...withFixedTimes(rows.slice(0, last + 1).map(withFixedFolder))]
  return terminalSvg({
    title: 'miio2mqtt demo',
    description: lines.map(({runs}) => textOf(runs)).join('\n'),
    columns: COLUMNS,
    lines,
  })
}

/** The cells of a row, joined where their style is the same. Spaces between two runs are left out. */
function runsOf(row: IBufferLine | undefined): Run[] {
  const runs: Run[] = []
  for (let column = 0; row && column < row.length; column++) {
    const cell = row.getCell(column)
    const text = cell?.getChars() ?? ''
    if (!cell || text.trim() === '') continue
    const style = {
      ...(cell.isFgDefault() ? {} : {colour: cell.getFgColor()}),
      ...(cell.isBold() ? {isBold: true} : {}),
    }
    const before = runs.at(-1)
    const gap = before ? column - before.column - before.text.length : 0
    const isSame = before?.colour === style.colour && before?.isBold === style.isBold
    if (before && isSame && gap <= 1) before.text += ' '.repeat(gap) + text
    else runs.push({text, column, ...style})
  }
  return runs
}

function withFixedFolder(runs: readonly Run[]): Run[] {
  return runs.map((run) => ({...run, text: run.text.replace(FOLDER, FIXED_FOLDER)}))
}

/** Gives the changes fixed times of day, a second apart, and lets them appear one after the other. */
function withFixedTimes(rows: readonly Run[][]): Line[] {
  let changes = 0
  return rows.map((runs) => {
    if (!TIME.test(textOf(runs))) return {runs}
    const time = new Date((FIRST_CHANGE_AT + changes) * 1000).toISOString().slice(11, 19)
    const seconds = round(PAUSE.first + changes * PAUSE.next)
    changes++
    return {runs: runs.map((run) => ({...run, text: run.text.replace(TIME, time)})), seconds}
  })
}

function textOf(runs: readonly Run[]): string {
  return runs.reduce((text, run) => text.padEnd(run.column) + run.text, '')
}

function text(): string {
  const {active} = terminal.buffer
  return Array.from({length: active.length}, (_, y) => active.getLine(y)?.translateToString(true) ?? '').join(
    '\n',
  )
}

/** @throws Error with the text on the screen when `pattern` does not come within 30 s */
async function shows(pattern: RegExp): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!pattern.test(text())) {
    if (Date.now() > deadline) throw new Error(`expected ${pattern} on the screen:\n${text()}`)
    await sleep(50)
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

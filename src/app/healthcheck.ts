/** What a container engine runs to ask whether the daemon is alive: exit code 0 or 1, and one line that says why. */
import {readFile, stat} from 'node:fs/promises'
import {HEALTH_FILE_VARIABLE, OLDEST_BEAT_MS} from './health-file.ts'

interface Verdict {
  healthy: boolean
  why: string
}

async function judge(path: string | undefined): Promise<Verdict> {
  if (!path)
    return {healthy: false, why: `${HEALTH_FILE_VARIABLE} is not set, so there is no heartbeat to read`}
  try {
    const age = Date.now() - (await stat(path)).mtimeMs
    return age < OLDEST_BEAT_MS ? judgeBeat(await readFile(path, 'utf8')) : {healthy: false, why: old(age)}
  } catch (error) {
    return {healthy: false, why: `no heartbeat: ${error instanceof Error ? error.message : String(error)}`}
  }
}

function judgeBeat(text: string): Verdict {
  const beat: unknown = JSON.parse(text)
  const healthy = typeof beat === 'object' && beat !== null && 'ok' in beat && beat.ok === true
  return {
    healthy,
    why: healthy ? 'the daemon is well' : `the daemon says that it is not well: ${text.trim()}`,
  }
}

function old(age: number): string {
  return `the last heartbeat is ${Math.round(age / 1000)} s old, expected less than ${OLDEST_BEAT_MS / 1000} s`
}

const verdict = await judge(process.env[HEALTH_FILE_VARIABLE])
process.stdout.write(`${verdict.why}\n`)
process.exitCode = verdict.healthy ? 0 : 1

/**
 * The health check that a container engine runs: exits with 0 when the heartbeat in the health file is recent and good, else with 1;
 * prints one line with the reason.
 */
import {readFile, stat} from 'node:fs/promises'
import {HEALTH_FILE_VARIABLE, OLDEST_BEAT_MS} from './health-file.ts'

interface Health {
  healthy: boolean
  reason: string
}

async function check(path: string | undefined): Promise<Health> {
  if (!path)
    return {healthy: false, reason: `${HEALTH_FILE_VARIABLE} is not set, so there is no heartbeat to read`}
  try {
    const age = Date.now() - (await stat(path)).mtimeMs
    return age < OLDEST_BEAT_MS ? checkBeat(await readFile(path, 'utf8')) : {healthy: false, reason: old(age)}
  } catch (error) {
    return {healthy: false, reason: `no heartbeat: ${error instanceof Error ? error.message : String(error)}`}
  }
}

function checkBeat(text: string): Health {
  const beat: unknown = JSON.parse(text)
  const healthy = typeof beat === 'object' && beat !== null && 'ok' in beat && beat.ok === true
  return {
    healthy,
    reason: healthy ? 'healthy' : `unhealthy: ${text.trim()}`,
  }
}

function old(age: number): string {
  return `the last heartbeat is ${Math.round(age / 1000)} s old, expected less than ${OLDEST_BEAT_MS / 1000} s`
}

const health = await check(process.env[HEALTH_FILE_VARIABLE])
process.stdout.write(`${health.reason}\n`)
process.exitCode = health.healthy ? 0 : 1

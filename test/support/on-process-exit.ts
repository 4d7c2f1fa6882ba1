const runs: (() => void)[] = []

function runAll(): void {
  for (const run of runs) run()
}

process.once('exit', runAll)
// Test processes are ended by a signal when a file cannot start, and then no hook of its tests runs.
process.once('SIGTERM', () => {
  runAll()
  process.kill(process.pid, 'SIGTERM')
})

/** Calls `run` when this process ends for any reason, to stop the processes that it started. Nothing can be awaited then. */
export function onProcessExit(run: () => void): void {
  runs.push(run)
}

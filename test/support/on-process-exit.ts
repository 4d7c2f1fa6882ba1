const runs: (() => void)[] = []

function runAll(): void {
  for (const run of runs) run()
}

process.once('exit', runAll)
// Test processes are ended by a signal when a file cannot begin, and then no hook of its tests runs.
process.once('SIGTERM', () => {
  runAll()
  process.kill(process.pid, 'SIGTERM')
})

/** Calls `run` when this process ends, however that happens: what it started must not outlive it. Nothing can be awaited then. */
export function onProcessExit(run: () => void): void {
  runs.push(run)
}

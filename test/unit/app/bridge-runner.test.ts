import {describe, expect, it} from 'vitest'
import {BridgeRunner, type BridgeRunnerOptions, type RunnableBridge} from '../../../src/app/bridge-runner.ts'
import {CommandFailed} from '../../../src/cli/errors.ts'
import {type Config, ConfigError, parseConfig} from '../../../src/config/config.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {settle, VirtualClock} from '../../support/virtual-clock.ts'
import {until} from '../../support/wait.ts'

/** What happened, in order: `start 1`, `stop 1`, … by the number that a configuration carries as its client id. */
function stage(choice: Partial<BridgeRunnerOptions> = {}) {
  const events: string[] = []
  const log = new RememberingLog()
  const lost: unknown[] = []
  let file: Config | ConfigError = numbered(1)
  /** By number: what its bridge does beside being started, reloaded and stopped. */
  const starts = new Map<number, () => Promise<void>>()
  const reloads = new Map<number, () => Promise<boolean>>()
  const stops = new Map<number, () => Promise<void>>()
  /** Configurations that an address or a folder is wrong with. */
  const refuse = new Set<number>()
  const alive = new Set<number>()
  const build = (config: Config): RunnableBridge => {
    const id = numberOf(config)
    return {
      start: async () => {
        events.push(`start ${id}`)
        expect([...alive], 'bridges beside the one that starts').toEqual([])
        alive.add(id)
        await starts.get(id)?.()
      },
      reload: async () => (await reloads.get(id)?.()) ?? false,
      stop: async () => {
        if (!alive.has(id)) return
        events.push(`stop ${id}`)
        await stops.get(id)?.()
        await settle()
        alive.delete(id)
      },
      isAlive: () => true,
      status: () => `bridge ${id}`,
    }
  }
  const load = async () => {
    if (file instanceof ConfigError) throw file
    return file
  }
  const runner = new BridgeRunner({
    load,
    edit: load,
    prepare: async (config) => {
      const id = numberOf(config)
      if (refuse.has(id)) throw new CommandFailed('network.bind: not an address of this machine')
      return {config, build: () => build(config), close: async () => void events.push(`close ${id}`)}
    },
    isRefusal: (error): error is Error => error instanceof ConfigError || error instanceof CommandFailed,
    onLost: (error) => lost.push(error),
    clock: new VirtualClock(),
    log,
    notifier: {ready: async () => {}, reloading: async () => {}},
    ...choice,
  })
  const write = (next: Config | ConfigError) => {
    file = next
  }
  return {runner, events, log, lost, starts, reloads, stops, refuse, alive, write}
}

function numbered(id: number): Config {
  return parseConfig(`mqtt: {client_id: "${id}"}`, {file: 'config.yaml', env: {}})
}

const numberOf = ({mqtt}: Config) => Number(mqtt.client_id)
const broken = new ConfigError([{file: 'config.yaml', path: 'poll', message: 'expected a mapping'}])

describe('a new start', () => {
  it('stops the old bridge before the new one starts', async () => {
    const {runner, events, write} = stage()
    await runner.start(numbered(1))
    write(numbered(2))
    expect(await runner.reload('restart')).toBeUndefined()
    await until(() => events.includes('start 2'), {what: 'the new bridge'})
    await runner.stop()
    expect(events).toEqual(['start 1', 'stop 1', 'start 2', 'close 1', 'stop 2', 'close 2'])
  })

  it('requested many times at once never leaves two bridges', async () => {
    const {runner, alive, events, write} = stage()
    await runner.start(numbered(1))
    const reloads = [2, 3, 4].map((id) => {
      write(numbered(id))
      return runner.reload(id % 2 ? 'reload' : 'restart')
    })
    expect(await Promise.all(reloads)).toEqual([undefined, undefined, undefined])
    await runner.reload('restart')
    await until(() => events.filter((event) => event.startsWith('start')).length === 5, {what: 'the fifth'})
    expect([...alive]).toEqual([4])
    await runner.stop()
    expect([...alive]).toEqual([])
  })

  it('that is requested while the first start is under way comes after it', async () => {
    const {runner, events, starts, write} = stage()
    let go = () => {}
    starts.set(1, () => new Promise((resolve) => (go = resolve)))
    const started = runner.start(numbered(1))
    write(numbered(2))
    const reload = runner.reload('restart')
    await settle()
    expect(events).toEqual(['start 1'])
    go()
    await started
    expect(await reload).toBeUndefined()
    await until(() => events.includes('start 2'), {what: 'the new bridge'})
    await runner.stop()
    expect(events).toEqual(['start 1', 'stop 1', 'start 2', 'close 1', 'stop 2', 'close 2'])
  })

  it('is not started any more once the bridge is to stop', async () => {
    const {runner, alive, events} = stage()
    await runner.start(numbered(1))
    const reload = runner.reload('restart')
    const late = runner.reload('restart')
    await runner.stop()
    expect(await Promise.all([reload, late])).toEqual(['the bridge is stopping', 'the bridge is stopping'])
    expect([...alive]).toEqual([])
    expect(events.filter((event) => event.startsWith('start'))).toEqual(['start 1'])
  })

  it('takes over no configuration that was still being read when the stop came', async () => {
    let isRead = () => {}
    const load = async () => {
      await new Promise<void>((resolve) => (isRead = resolve))
      return numbered(2)
    }
    const {runner, events, reloads} = stage({load})
    reloads.set(1, async () => events.push('reload 1') > 0)
    await runner.start(numbered(1))
    const reload = runner.reload('reload')
    await settle()
    const stopped = runner.stop()
    await settle()
    isRead()
    expect(await reload, 'the next start reads it').toBeUndefined()
    await stopped
    expect(events).toEqual(['start 1', 'stop 1', 'close 1'])
  })
})

describe('a configuration that cannot be used', () => {
  it('leaves the old bridge running when it is invalid', async () => {
    const {runner, alive, log, events, write} = stage()
    await runner.start(numbered(1))
    write(broken)
    for (const how of ['reload', 'restart'] as const)
      expect(await runner.reload(how)).toBe('config.yaml poll: expected a mapping')
    expect(log.messages('error').slice(0, 2)).toEqual([
      'the new configuration is refused, the old one stays: 1 problem',
      'config.yaml poll: expected a mapping',
    ])
    expect([...alive]).toEqual([1])
    expect(events).toEqual(['start 1'])
  })

  it('leaves the old bridge running when an address or a folder cannot be used', async () => {
    const {runner, alive, log, refuse, write} = stage()
    await runner.start(numbered(1))
    write(numbered(2))
    refuse.add(2)
    expect(await runner.reload('restart')).toBe('network.bind: not an address of this machine')
    expect(log.messages('error')).toContain('network.bind: not an address of this machine')
    expect([...alive]).toEqual([1])
  })

  it('leaves the old bridge running when reading it fails for an unknown reason', async () => {
    const {runner, alive, write} = stage({
      load: async () => {
        throw new TypeError('a mistake')
      },
    })
    await runner.start(numbered(1))
    await expect(runner.reload('reload')).rejects.toThrow('a mistake')
    write(numbered(2))
    expect([...alive]).toEqual([1])
    await runner.stop()
  })

  it('is replaced by the old one when the new bridge does not start', async () => {
    const {runner, alive, log, lost, starts, events, write} = stage()
    await runner.start(numbered(1))
    write(numbered(2))
    starts.set(2, async () => {
      throw new Error('no descriptor is left')
    })
    expect(await runner.reload('restart')).toBeUndefined()
    expect(await runner.reload('restart')).toBeUndefined() // comes after it
    expect(log.messages('error')).toContain(
      'the bridge cannot start with the new configuration: the old one stays in use',
    )
    expect(lost).toEqual([])
    starts.delete(2)
    await runner.stop()
    expect([...alive]).toEqual([])
    expect(events.slice(0, 6)).toEqual(['start 1', 'stop 1', 'start 2', 'stop 2', 'start 1', 'close 2'])
  })

  it('ends the process when the old one does not start any more either', async () => {
    const {runner, lost, starts, write} = stage()
    await runner.start(numbered(1))
    write(numbered(2))
    const error = new Error('no descriptor is left')
    for (const id of [1, 2]) starts.set(id, () => Promise.reject(error))
    await runner.reload('restart')
    await runner.reload('reload')
    expect(lost).toEqual([error])
  })
})

it('A bridge that fails in the middle of a reload is replaced by one with the new configuration.', async () => {
  const {runner, reloads, events, write} = stage()
  await runner.start(numbered(1))
  write(numbered(2))
  reloads.set(1, () => Promise.reject(new Error('half done')))
  expect(await runner.reload('reload')).toBeUndefined()
  await until(() => events.includes('start 2'), {what: 'the new bridge'})
  await runner.stop()
  expect(events).toEqual(['start 1', 'stop 1', 'start 2', 'close 1', 'stop 2', 'close 2'])
})

it('A start that never comes to its end is ended by a stop.', async () => {
  const {runner, starts, stops, alive} = stage()
  let end = () => {}
  starts.set(1, () => new Promise((resolve) => (end = resolve)))
  stops.set(1, async () => end())
  const started = runner.start(numbered(1))
  await settle()
  await runner.stop()
  await started
  expect([...alive]).toEqual([])
})

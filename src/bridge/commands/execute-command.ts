/**
 * Executes a command on its plugs: one plug, or all members of a group in parallel, each through its own request queue and with an
 * outcome of its own (docs/topics.md, "Commands" and "Groups").
 */
import type {Clock} from '../../common/clock.ts'
import {unknownProperty} from '../../device/codec/validation.ts'
import {CommandError, toCommandError} from '../../device/command-error.ts'
import {MOST_WAITING, tooMany} from '../../device/request-queue.ts'
import type {Value} from '../../models/model.ts'
import {Group} from '../group.ts'
import {assertUsable, type Plug} from '../plug.ts'
import {displayedState, type PlugStates} from '../status/states.ts'
import type {Command} from './payload.ts'

/** What a command did at one plug. */
export interface CommandOutcome {
  /** Of the plug. */
  name: string
  /** What the plug confirmed or reported. Not empty beside a failure: of two properties, one may be set before the other fails. */
  data: Record<string, Value>
  failure: CommandError | undefined
}

/** How long TOGGLE waits for what one member reports. A member that is online responds within that time. */
const TOGGLE_READ_MS = 2000

/** What a member reports of a property that is to be toggled. */
type Reading = Value | CommandError

/** A plug, and the end of the time for which the command to it is valid, on the clock. */
interface Target {
  plug: Plug
  deadline: number
}

/** Executes commands on plugs and groups. */
export class CommandExecutor {
  readonly #clock: Clock
  readonly #plugStates: Pick<PlugStates, 'publishState'>
  /** The commands of each group that wait while the direction of a TOGGLE is found out: they must not overtake it. */
  readonly #groupQueues = new WeakMap<Group, {waiting: number; last: Promise<unknown>}>()

  /** @param plugStates publishes what `get` has read */
  constructor(clock: Clock, plugStates: Pick<PlugStates, 'publishState'>) {
    this.#clock = clock
    this.#plugStates = plugStates
  }

  /**
   * @param deadlineOf how long the command to a plug is valid, on the clock
   * @returns the outcome at every plug of the target: one for a plug, one for each member of a group, in the order of the group
   * @throws CommandError `queue_full` when too many commands of the group wait
   */
  async execute(
    target: Plug | Group,
    command: Command,
    deadlineOf: (plug: Plug) => number,
  ): Promise<CommandOutcome[]> {
    if (!(target instanceof Group))
      return [await this.#executeOnPlug({plug: target, deadline: deadlineOf(target)}, command)]
    const targets = target.members.map((plug) => ({plug, deadline: deadlineOf(plug)}))
    const {outcomes} = await this.#inTurn(target, async () => {
      const {command: resolved, failures} = await this.#resolveToggles(targets, command)
      const started = targets.map((member, index) => {
        const failure = failures[index]
        if (failure) return {name: member.plug.name, data: {}, failure}
        return this.#executeOnPlug(member, resolved)
      })
      // Started, not awaited: the next command may read the members now. Its reads stand behind these writes in each plug's queue.
      return {outcomes: Promise.all(started)}
    })
    return outcomes
  }

  /** Never rejects. */
  async #executeOnPlug({plug, deadline}: Target, command: Command): Promise<CommandOutcome> {
    const data: Record<string, Value> = {}
    try {
      assertUsable(plug)
      // Without a wait the request is sent at once: before the command is acknowledged to the broker, which takes as long.
      if (!plug.device.model) await plug.device.ready({deadline})
      if ('set' in command) await write(plug, command.set, deadline, data)
      else {
        Object.assign(data, await read(plug, command.get, deadline))
        this.#plugStates.publishState(plug)
      }
      return {name: plug.name, data, failure: undefined}
    } catch (error) {
      return {name: plug.name, data, failure: toCommandError(error)}
    }
  }

  /** Runs `work` after all earlier work of the group. @throws CommandError `queue_full` */
  async #inTurn<T>(group: Group, work: () => Promise<T>): Promise<T> {
    const queue = this.#groupQueues.get(group) ?? {waiting: 0, last: Promise.resolve()}
    if (queue.waiting >= MOST_WAITING) throw tooMany()
    const turn = queue.last.then(work)
    this.#groupQueues.set(group, queue)
    queue.waiting++
    const finished = () => {
      queue.waiting--
    }
    queue.last = turn.then(finished, finished)
    return turn
  }

  /**
   * Replaces every TOGGLE with ON or OFF, the same for all members.
   * @returns the failure of each member, in order, when no member reports whether it is on
   */
  async #resolveToggles(
    targets: readonly Target[],
    command: Command,
  ): Promise<{command: Command; failures: readonly CommandError[]}> {
    if (!('set' in command)) return {command, failures: []}
    const values = new Map(Object.entries(command.set))
    for (const [property, value] of values) {
      if (!isToggle(value)) continue
      const readings = await this.#readMembers(targets, property)
      const state = toggleTarget(readings)
      if (state === undefined)
        return {command, failures: readings.map((reading) => toggleFailure(property, reading))}
      values.set(property, state)
    }
    return {command: {set: Object.fromEntries(values)}, failures: []}
  }

  /**
   * Reads the property of the members until one of them reports ON or OFF: responses may have been lost on the network.
   * @returns what the members that are online report, or, when none of those reports ON or OFF, what all members do
   */
  async #readMembers(targets: readonly Target[], property: string): Promise<readonly Reading[]> {
    const latest = Math.max(...targets.map(({deadline}) => deadline))
    for (;;) {
      const startedAt = this.#clock.now()
      const reads = targets.map((target) => ({target, reading: this.#readMember(target, property)}))
      const online = reads.filter(({target}) => target.plug.device.availability.state === 'online')
      const fromOnline = await Promise.all(online.map(({reading}) => reading))
      if (toggleTarget(fromOnline)) return fromOnline
      const readings = await Promise.all(reads.map(({reading}) => reading))
      const now = this.#clock.now()
      // A read that fails at once, as of plugs that are stopped, would fail again.
      if (toggleTarget(readings) || !readings.some(isTimeout) || now >= latest || now === startedAt)
        return readings
    }
  }

  async #readMember({plug, deadline}: Target, property: string): Promise<Reading> {
    const now = this.#clock.now()
    const readDeadline = Math.min(deadline, now + TOGGLE_READ_MS)
    try {
      if (readDeadline <= now)
        throw new CommandError('expired', 'its deadline passed before it could be sent')
      assertUsable(plug)
      const {device} = plug
      await device.ready({deadline: readDeadline})
      device.validate(property, 'TOGGLE')
      return await device.readProperty(property, readDeadline)
    } catch (error) {
      return toCommandError(error)
    }
  }
}

/** Adds each property to `data` once the plug has confirmed it. @throws CommandError, or the error of the transport */
async function write(
  {device}: Plug,
  values: Record<string, unknown>,
  deadline: number,
  data: Record<string, Value>,
): Promise<void> {
  // All or nothing as far as that can be known beforehand: a typo in one property switches none.
  const validated = Object.entries(values).map(
    ([property, value]) => [property, device.validate(property, value)] as const,
  )
  const writes = await Promise.allSettled(
    validated.map(async ([property, value]) => {
      data[property] = await device.write(property, value, deadline)
    }),
  )
  const failed = writes.find(({status}) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** @param property one property; `null` for the whole state. @throws CommandError, or the error of the transport */
async function read(plug: Plug, property: string | null, deadline: number): Promise<Record<string, Value>> {
  const {device} = plug
  const known = Object.keys(device.state)
  if (property !== null && !Object.hasOwn(device.state, property))
    throw unknownProperty(property, known, known)
  const state = await device.read(deadline, property ?? undefined)
  return property === null ? displayedState(plug) : {[property]: state[property] ?? null}
}

/**
 * What TOGGLE means for several plugs: OFF when any of them is on, ON when one is off and none is on.
 * @param readings what each plug reports
 * @returns `undefined` when none reports whether it is on: then nothing is switched
 */
export function toggleTarget(readings: readonly unknown[]): 'ON' | 'OFF' | undefined {
  if (readings.includes('ON')) return 'OFF'
  return readings.includes('OFF') ? 'ON' : undefined
}

function isTimeout(reading: Reading): boolean {
  return reading instanceof CommandError && reading.code === 'timeout'
}

/** In every spelling of TOGGLE that a plug takes. */
function isToggle(value: unknown): boolean {
  return typeof value === 'string' && value.trim().toUpperCase() === 'TOGGLE'
}

function toggleFailure(property: string, reading: Reading): CommandError {
  if (reading instanceof CommandError) return reading
  return new CommandError(
    'refused',
    `cannot toggle: the plug does not report whether ${property} is on or off`,
  )
}

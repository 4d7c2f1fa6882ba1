/** A command to a group: its members carry it out in parallel, each through its own queue and with an outcome of its own (contract §4). */
import type {Clock} from '../../common/clock.ts'
import {CommandError, toCommandError} from '../../device/command-error.ts'
import {MOST_WAITING, tooMany} from '../../device/request-queue.ts'
import type {Value} from '../../models/model.ts'
import type {Group} from '../group.ts'
import {assertUsable, type Plug} from '../plug.ts'
import type {Command} from './command.ts'

/** What became of a command at one member. */
export interface CommandOutcome {
  name: string
  done: Record<string, Value>
  failure: CommandError | undefined
}

export interface GroupCommandsOptions {
  clock: Clock
  /** Has one plug carry out an order, and puts into `done` what came of it. Rejects as plugs do. */
  obey: (plug: Plug, order: Command, deadline: number, done: Record<string, Value>) => Promise<void>
}

/** A member that is there answers within that; for others, nobody waits before TOGGLE switches. */
const TELLING_MS = 2000

/** What a member says of a property that is to be toggled. */
type Told = Value | CommandError

export class GroupCommands {
  readonly #options: GroupCommandsOptions
  /** Commands of each group that wait while the direction of a TOGGLE is being found out: they must not overtake it. */
  readonly #lines = new WeakMap<Group, {waiting: number; last: Promise<unknown>}>()

  constructor(options: GroupCommandsOptions) {
    this.#options = options
  }

  /**
   * The outcome of every member, in their order.
   * @param deadlineOf on the clock, for each member
   * @throws CommandError `queue_full`
   */
  async carryOut(
    group: Group,
    order: Command,
    deadlineOf: (plug: Plug) => number,
  ): Promise<CommandOutcome[]> {
    const {members} = group
    const {outcomes} = await this.#inTurn(group, async () => {
      const {order: absolute, failures} = await this.#resolve(members, order, deadlineOf)
      const begun = members.map((plug, index) => {
        const failure = failures[index]
        if (failure) return {name: plug.name, done: {}, failure}
        return this.#outcome(plug, absolute, deadlineOf(plug))
      })
      // Begun, not awaited: the next in line may ask its question, which stands behind these commands in each plug's queue.
      return {outcomes: Promise.all(begun)}
    })
    return outcomes
  }

  async #inTurn<T>(group: Group, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(group) ?? {waiting: 0, last: Promise.resolve()}
    if (line.waiting >= MOST_WAITING) throw tooMany()
    const turn = line.last.then(work)
    this.#lines.set(group, line)
    line.waiting++
    const over = () => {
      line.waiting--
    }
    line.last = turn.then(over, over)
    return turn
  }

  async #outcome(plug: Plug, order: Command, deadline: number): Promise<CommandOutcome> {
    const done: Record<string, Value> = {}
    const failure = await this.#options
      .obey(plug, order, deadline, done)
      .then(() => undefined, toCommandError)
    return {name: plug.name, done, failure}
  }

  /** Makes every TOGGLE absolute, the same for all members; or tells for each why that cannot be. */
  async #resolve(
    members: readonly Plug[],
    order: Command,
    deadlineOf: (plug: Plug) => number,
  ): Promise<{order: Command; failures: readonly (CommandError | undefined)[]}> {
    if (!('set' in order)) return {order, failures: []}
    const values = new Map(Object.entries(order.set))
    for (const [name, value] of values) {
      if (!isToggle(value)) continue
      const told = await this.#told(members, name, deadlineOf)
      if (told.includes('ON')) values.set(name, 'OFF')
      else if (told.includes('OFF')) values.set(name, 'ON')
      else return {order, failures: told.map((said) => untold(name, said))}
    }
    return {order: {set: Object.fromEntries(values)}, failures: []}
  }

  /** What members say. They are asked until one does: their answers may have been lost. */
  async #told(
    members: readonly Plug[],
    name: string,
    deadlineOf: (plug: Plug) => number,
  ): Promise<readonly Told[]> {
    const {clock} = this.#options
    const latest = Math.max(...members.map(deadlineOf))
    for (;;) {
      const begun = clock.now()
      const told = await this.#toldNow(members, name, deadlineOf)
      const now = clock.now()
      // What ends at once, as with plugs that are stopped, would do so again.
      if (told.some(isRelay) || !told.some(isSilent) || now >= latest || now === begun) return told
    }
  }

  /** What the members that are online say, or, where that is nothing, what all do. */
  async #toldNow(
    members: readonly Plug[],
    name: string,
    deadlineOf: (plug: Plug) => number,
  ): Promise<readonly Told[]> {
    const asked = members.map((plug) => ({plug, told: this.#ask(plug, name, deadlineOf(plug))}))
    const there = asked.filter(({plug}) => plug.device.availability.state === 'online')
    const told = await Promise.all(there.map(({told}) => told))
    if (told.some(isRelay)) return told
    return Promise.all(asked.map(({told}) => told))
  }

  async #ask(plug: Plug, name: string, deadline: number): Promise<Told> {
    const now = this.#options.clock.now()
    const soon = Math.min(deadline, now + TELLING_MS)
    try {
      if (soon <= now) throw new CommandError('expired', 'its time was over before its turn came')
      assertUsable(plug)
      const {device} = plug
      await device.ready({deadline: soon})
      device.validate(name, 'TOGGLE')
      return await device.ask(name, soon)
    } catch (error) {
      return toCommandError(error)
    }
  }
}

function isRelay(said: Told): boolean {
  return said === 'ON' || said === 'OFF'
}

function isSilent(said: Told): boolean {
  return said instanceof CommandError && said.code === 'timeout'
}

/** In the spellings that a plug takes. */
function isToggle(value: unknown): boolean {
  return typeof value === 'string' && value.trim().toUpperCase() === 'TOGGLE'
}

function untold(name: string, said: Told): CommandError {
  if (said instanceof CommandError) return said
  return new CommandError('refused', `cannot toggle: the plug does not say whether ${name} is on or off`)
}

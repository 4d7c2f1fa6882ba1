import {sleep} from '../../src/common/clock.ts'
import type {CallOptions, Transport} from '../../src/device/transport.ts'
import type {VirtualClock} from './virtual-clock.ts'

/** The error of a call, as the miIO client throws it. */
export class CallFailed extends Error {
  readonly code: 'timeout' | 'bad_token' | 'unreachable' | 'refused'
  readonly deviceCode: number | undefined

  constructor(code: CallFailed['code'], deviceCode?: number) {
    super(`the scripted plug fails with ${code}`)
    this.code = code
    this.deviceCode = deviceCode
  }
}

/**
 * A fake transport for a `Device`, on virtual time, without packets: it responds to `get_prop`, `set_*` and `miIO.info` from `values` after
 * `delayMs`, and records all calls.
 */
export class ScriptedPlug implements Transport {
  readonly calls: {method: string; params: unknown; at: number; options: CallOptions}[] = []
  bootedAt: number | undefined
  inFlight = 0
  mostInFlight = 0
  delayMs = 20
  /** While set, every call fails with this error. */
  failure: CallFailed | undefined
  /** Method -> the error with which its calls fail. */
  readonly failing = new Map<string, CallFailed>()
  /** The state of the plug, by the names of its firmware. */
  readonly values: Record<string, unknown>
  info: unknown = {
    model: 'chuangmi.plug.m1',
    fw_ver: '1.2.4_16',
    hw_ver: 'MW300',
    mac: '28:6C:07:0A:0B:0C',
    token: 'secret',
  }
  /** Whether the response to commands is "ok" and they are not executed, as in some firmware for a repeated id. */
  deaf = false
  closed = false
  readonly #clock: VirtualClock

  constructor(
    clock: VirtualClock,
    values: Record<string, unknown> = {power: 'off', temperature: 32, wifi_led: 'on'},
  ) {
    this.#clock = clock
    this.values = values
  }

  async call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    this.calls.push({method, params, at: this.#clock.now(), options})
    this.inFlight++
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    try {
      const asOf = {...this.values}
      const failure = this.failure ?? this.failing.get(method)
      if (failure?.code === 'timeout') return await this.#silence(options, failure)
      await sleep(this.#clock, this.delayMs)
      if (failure) throw failure
      return this.#answer(method, params, asOf)
    } finally {
      this.inFlight--
    }
  }

  close(): void {
    this.closed = true
  }

  /** The commands of all calls, in order: `set_power on`. */
  get commands(): string[] {
    return this.calls
      .filter(({method}) => method.startsWith('set_'))
      .map(({method, params}) => [method, ...asList(params)].join(' '))
  }

  /** The times at which `method` was called. */
  polls(method = 'get_prop'): number[] {
    return this.calls.filter((call) => call.method === method).map(({at}) => at)
  }

  /** Waits like the real client: tries of 2 s, none after the deadline or after the signal. */
  async #silence(
    {tries = 3, deadline = Number.POSITIVE_INFINITY, signal}: CallOptions,
    failure: CallFailed,
  ): Promise<never> {
    for (let number = 0; number < tries && this.#clock.now() < deadline; number++) {
      if (number > 0 && signal?.aborted) break
      await sleep(this.#clock, Math.min(2000, deadline - this.#clock.now()))
    }
    throw failure
  }

  #answer(method: string, params: unknown, asOf: Record<string, unknown>): unknown {
    if (method === 'miIO.info') return this.info
    if (method === 'get_prop') return asList(params).map((name) => asOf[String(name)] ?? null)
    if (method === 'get_power') return [asOf['watts']]
    const relay = 'on' in this.values ? 'on' : 'power'
    if (!this.deaf) this.values[method === 'set_wifi_led' ? 'wifi_led' : relay] = asList(params)[0]
    return ['ok']
  }
}

function asList(params: unknown): unknown[] {
  return Array.isArray(params) ? params : []
}

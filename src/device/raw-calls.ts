/** Calls that nobody described, sent as they are. */

/** These brick a plug, or take it off the network (docs/protocol.md §4). */
const NEVER =
  /^(miIO\.)?(ota|config_router|config|restore|psm_(set|get)|cli|rpc_test|stop_diag_mode|set_enable_recovery)$/i

export function isDangerous(method: string): boolean {
  return NEVER.test(method)
}

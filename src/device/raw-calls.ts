/** Raw calls: which methods are never sent, and secrets masked in their responses. */
import {isSecretMember, MASK} from '../common/secret.ts'

/** The spelling of every documented method (docs/protocol.md §4). */
const METHOD = /^[a-zA-Z0-9_.]{1,64}$/

/**
 * Parts of methods that brick a plug, take it off the network, or change or reveal its key (docs/protocol.md §4). Vendors have
 * their own spellings, so any method with one of these parts is refused: one call too few does no harm.
 */
const DANGEROUS_PARTS =
  /config_?router|restore|recover|factory|psm|token|erase|firmware|upgrade|boot_?loader|dump|rpc_?test|diag|provision|unbind|bind_?key|telnet|uninstall|passw|^_?internal/
/** Dangerous as whole words only, since other words (`information`, `configured`) contain them, too. */
const DANGEROUS_WORDS = new Set([
  ...['cli', 'exec', 'shell', 'ssh', 'install', 'wipe', 'format'],
  ...['flash', 'nvram', 'uboot', 'efuse', 'bind', 'unpair', 'fwup'],
])

/** Words that are joined with others: `bleota`, `wifireset`, `resetwifi`, `apconfig`; `preset` is no reset. */
const DANGEROUS_ENDS = /^ota|ota$|^reset|(?<!p)reset$|config$/

/** Why a method is never sent to a plug, or `undefined` when it may be sent. */
export function callProblem(method: string): string | undefined {
  const shown = METHOD.test(method) ? method : JSON.stringify(method.slice(0, 40))
  if (isDangerous(method))
    return `${shown} can brick a plug or disconnect it from the network: it is never sent`
  if (METHOD.test(method)) return undefined
  return `expected a method of 1 to 64 letters, digits, "_" and ".", got ${shown}`
}

/** Firmware in C ends a text at its first NUL, and may skip blanks: `miIO.ota\0x` is `miIO.ota` there. Case is ignored. */
function isDangerous(method: string): boolean {
  const [name = ''] = method.trim().split('\0')
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return (
    DANGEROUS_PARTS.test(name.trim().toLowerCase()) ||
    words.some((word) => DANGEROUS_WORDS.has(word) || DANGEROUS_ENDS.test(word))
  )
}

/** A plug's response with `***` in place of every secret member, at any depth. */
export function withoutSecrets(response: unknown): unknown {
  if (typeof response === 'string') return withoutSecretsInText(response)
  if (Array.isArray(response)) return response.map(withoutSecrets)
  if (typeof response !== 'object' || response === null) return response
  const entries = Object.entries(response).map(([key, value]) => {
    const isSecret = value !== null && isSecretMember(key)
    return [key, isSecret ? MASK : withoutSecrets(value)]
  })
  return Object.fromEntries(entries)
}

/** Some methods answer with a text that is JSON itself. */
function withoutSecretsInText(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    const response: unknown = JSON.parse(text)
    const shown = JSON.stringify(withoutSecrets(response))
    return shown === JSON.stringify(response) ? text : shown
  } catch {
    return text
  }
}

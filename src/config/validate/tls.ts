/** Checks certificates and private keys for TLS, so that the connection to the broker does not throw over them later. */
import {createPrivateKey, type KeyObject, X509Certificate} from 'node:crypto'
import {createSecureContext} from 'node:tls'
import {Secret} from '../../common/secret.ts'

interface TlsFiles {
  ca?: string | undefined
  cert?: string | undefined
  key?: Secret | undefined
}

interface TlsProblem {
  setting: keyof TlsFiles
  /** What was expected and what came. Repeats nothing of the content. */
  message: string
}

/** Problems of each of the three, or else of all together. Expiry is not checked. */
export function tlsProblems({ca, cert, key}: TlsFiles): TlsProblem[] {
  if (ca === undefined && cert === undefined && key === undefined) return []
  const authorities = ca === undefined ? [] : certificatesIn('ca', ca)
  const own = cert === undefined ? [] : certificatesIn('cert', cert)
  const secret = key === undefined ? undefined : keyIn(key.reveal())
  const problems = [...authorities, ...own, ...(secret && 'message' in secret ? [secret] : [])].flatMap(
    (each) => ('message' in each ? [each] : []),
  )
  if (problems.length > 0) return problems
  const [first] = own
  if (first instanceof X509Certificate && secret && 'key' in secret && !first.checkPrivateKey(secret.key))
    return [problem('key', 'the key of the first certificate in mqtt.cert, got that of another')]
  return openSslProblems(normalizedPems({ca, cert, key}))
}

/**
 * The certificates and the key alone, each block on lines of its own. OpenSSL silently leaves out everything after an indented block,
 * and after a block that is glued to the one before it (`cat` of two files without a line break). Only for files without `tlsProblems`.
 */
export function normalizedPems({ca, cert, key}: TlsFiles): TlsFiles {
  const privateKey = key && keyBlocks(key.reveal()).map(({text}) => text)
  return {
    ...(ca === undefined ? {} : {ca: certificatesIn('ca', ca).join('')}),
    ...(cert === undefined ? {} : {cert: certificatesIn('cert', cert).join('')}),
    ...(privateKey === undefined ? {} : {key: new Secret(privateKey.join(''))}),
  }
}

/** OpenSSL has rules of its own, such as the least size of a key. Its message names the rule, and repeats nothing of the content. */
function openSslProblems({ca, cert, key}: TlsFiles): TlsProblem[] {
  try {
    createSecureContext({ca, cert, key: key?.reveal()})
    return []
  } catch (error) {
    const why = error instanceof Error && 'reason' in error ? String(error.reason) : 'unknown reason'
    const setting = cert === undefined ? 'ca' : 'cert'
    return [problem(setting, `what OpenSSL can use, got what it refuses: ${why}`)]
  }
}

/** One by one: OpenSSL stops silently at the first block that it cannot read, and leaves out the others. */
function certificatesIn(setting: 'ca' | 'cert', pem: string): (X509Certificate | TlsProblem)[] {
  const blocks = pemBlocks(pem)
  if (blocks.some(({label}) => label.endsWith('PRIVATE KEY')))
    return [
      problem(setting, 'certificates only, got a private key among them: the key belongs into mqtt.key'),
    ]
  const certificates = blocks.filter(({label}) => label.endsWith('CERTIFICATE'))
  if (certificates.length === 0) return [problem(setting, 'certificates, got none')]
  return certificates.map(({text, isClosed}, index) => {
    const which = certificates.length === 1 ? 'one' : `number ${index + 1} of ${certificates.length}`
    if (!isClosed) return problem(setting, `whole certificates, got ${which} that is cut off`)
    try {
      return new X509Certificate(text)
    } catch {
      return problem(setting, `certificates that can be read, got ${which} that is damaged`)
    }
  })
}

function keyIn(pem: string): {key: KeyObject} | TlsProblem {
  const keys = keyBlocks(pem)
  const [only, second] = keys
  if (!only || second) return problem('key', `one private key, got ${keys.length || 'none'}`)
  if (!only.isClosed) return problem('key', 'a whole private key, got one that is cut off')
  if (only.label.startsWith('ENCRYPTED') || only.text.includes('\nProc-Type: 4,ENCRYPTED'))
    return problem(
      'key',
      'a private key without a passphrase, got an encrypted one: `openssl pkey -in key.pem -out plain.pem` removes it',
    )
  try {
    return {key: createPrivateKey(only.text)}
  } catch {
    return problem('key', 'a private key that can be read, got one that is damaged, or of an unknown kind')
  }
}

function keyBlocks(pem: string): PemBlock[] {
  return pemBlocks(pem).filter(({label}) => label.endsWith('PRIVATE KEY'))
}

interface PemBlock {
  /** `CERTIFICATE`, `EC PRIVATE KEY` */
  label: string
  text: string
  isClosed: boolean
}

const BEGIN = '-----BEGIN '

/** Whether `text` may have a certificate or key in it. Tools put remarks before it (`openssl x509 -text`, `openssl pkcs12`). */
export function isPem(text: string): boolean {
  return text.includes(BEGIN)
}

function pemBlocks(pem: string): PemBlock[] {
  return pem
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .split(BEGIN)
    .slice(1)
    .map((part) => {
      const label = part.slice(0, Math.max(0, part.indexOf('-----')))
      const end = `-----END ${label}-----`
      const at = part.indexOf(end)
      return {label, text: BEGIN + (at < 0 ? part : part.slice(0, at + end.length)), isClosed: at >= 0}
    })
}

function problem(setting: keyof TlsFiles, message: string): TlsProblem {
  return {setting, message: `expected ${message}`}
}

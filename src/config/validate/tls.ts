/** Whether certificates and keys can be used: what the broker's connection would throw over is found here. */
import {createPrivateKey, type KeyObject, X509Certificate} from 'node:crypto'
import {createSecureContext} from 'node:tls'
import {Secret} from '../../common/secret.ts'

export interface TlsFiles {
  ca?: string | undefined
  cert?: string | undefined
  key?: Secret | undefined
}

export interface TlsProblem {
  setting: keyof TlsFiles
  /** What was expected and what came, without anything of the content. */
  message: string
}

/** What is wrong with each of them, and with all together. Whether they have expired is not looked at. */
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
  return together(normalizedPems({ca, cert, key}))
}

/**
 * The same with the certificates and the key alone, each on lines of its own: OpenSSL silently leaves out what follows an indented
 * block, or one that is glued to the block before it (`cat` of two files without a line break). To be called without `pemProblems`.
 */
export function normalizedPems({ca, cert, key}: TlsFiles): TlsFiles {
  return {
    ...(ca === undefined ? {} : {ca: certificatesIn('ca', ca).join('')}),
    ...(cert === undefined ? {} : {cert: certificatesIn('cert', cert).join('')}),
    ...(key === undefined
      ? {}
      : {
          key: new Secret(
            keysIn(key.reveal())
              .map(({text}) => text)
              .join(''),
          ),
        }),
  }
}

/** OpenSSL has rules of its own, such as the least size of a key: its words name the rule, and nothing of the content. */
function together({ca, cert, key}: TlsFiles): TlsProblem[] {
  try {
    createSecureContext({ca, cert, key: key?.reveal()})
    return []
  } catch (error) {
    const why = error instanceof Error && 'reason' in error ? String(error.reason) : 'unknown reason'
    const setting = cert === undefined ? 'ca' : 'cert'
    return [problem(setting, `what OpenSSL can use, got what it refuses: ${why}`)]
  }
}

/** OpenSSL stops silently at the first block that it cannot read, and leaves out the rest. */
function certificatesIn(setting: 'ca' | 'cert', pem: string): (X509Certificate | TlsProblem)[] {
  const blocks = blocksIn(pem)
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
  const keys = keysIn(pem)
  const [only, second] = keys
  if (!only || second) return problem('key', `one private key, got ${keys.length || 'none'}`)
  if (!only.isClosed) return problem('key', 'a whole private key, got one that is cut off')
  if (only.label.startsWith('ENCRYPTED') || only.text.includes('\nProc-Type: 4,ENCRYPTED'))
    return problem(
      'key',
      'a private key without a passphrase, got an encrypted one: `openssl pkey -in key.pem -out plain.pem` takes it off',
    )
  try {
    return {key: createPrivateKey(only.text)}
  } catch {
    return problem('key', 'a private key that can be read, got one that is damaged, or of an unknown kind')
  }
}

function keysIn(pem: string): Block[] {
  return blocksIn(pem).filter(({label}) => label.endsWith('PRIVATE KEY'))
}

interface Block {
  /** `CERTIFICATE`, `EC PRIVATE KEY` */
  label: string
  text: string
  isClosed: boolean
}

const BEGIN = '-----BEGIN '

/** Whether there is anything in it that could be a certificate or key. Tools put remarks before (`openssl x509 -text`, `openssl pkcs12`). */
export function isPem(text: string): boolean {
  return text.includes(BEGIN)
}

function blocksIn(pem: string): Block[] {
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

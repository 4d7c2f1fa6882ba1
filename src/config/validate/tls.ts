/** Checks certificates and private keys for TLS, so that the connection to the broker does not fail over them later. */
import {createPrivateKey, type KeyObject, X509Certificate} from 'node:crypto'
import {createSecureContext} from 'node:tls'
import {Secret} from '../../common/secret.ts'

interface TlsFiles {
  ca?: string | undefined
  cert?: string | undefined
  key?: Secret | undefined
}

/** Takes what was expected and what came. Repeats nothing of the content. */
type Report = (message: string) => undefined

/**
 * Checks each of the three, and then all together. Expiry is not checked.
 * @returns the certificates and the key alone, each block on lines of its own; nothing when one of them has a problem. OpenSSL silently
 * leaves out everything after an indented block, and after a block that begins on the last line of the one before it (`cat` of two
 * files without a line break).
 */
export function checkTls(
  {ca, cert, key}: TlsFiles,
  report: (setting: keyof TlsFiles, message: string) => void,
): TlsFiles {
  let isValid = true
  const reportIn = (setting: keyof TlsFiles) => (message: string) => {
    isValid = false
    report(setting, `expected ${message}`)
    return undefined
  }
  const authorities = ca === undefined ? undefined : certificatesIn(ca, reportIn('ca'))
  const own = cert === undefined ? undefined : certificatesIn(cert, reportIn('cert'))
  const secret = key === undefined ? undefined : keyIn(key.reveal(), reportIn('key'))
  if (isValid && own?.[0] && secret && !own[0].checkPrivateKey(secret.key))
    reportIn('key')('the key of the first certificate in mqtt.cert, got that of another')
  if (!isValid || !(authorities || own || secret)) return {}
  const pems = {ca: authorities?.join(''), cert: own?.join('')}
  try {
    createSecureContext({...pems, key: secret?.text})
  } catch (error) {
    // OpenSSL has rules of its own, such as the least size of a key. Its message names the rule, and repeats nothing of the content.
    const why = error instanceof Error && 'reason' in error ? String(error.reason) : 'unknown reason'
    reportIn(own ? 'cert' : 'ca')(`what OpenSSL can use, got what it refuses: ${why}`)
    return {}
  }
  return {
    ...(pems.ca === undefined ? {} : {ca: pems.ca}),
    ...(pems.cert === undefined ? {} : {cert: pems.cert}),
    ...(secret ? {key: new Secret(secret.text)} : {}),
  }
}

/** One by one: OpenSSL stops silently at the first block that it cannot read, and leaves out the others. */
function certificatesIn(pem: string, report: Report): X509Certificate[] | undefined {
  const blocks = pemBlocks(pem)
  if (blocks.some(({label}) => label.endsWith('PRIVATE KEY')))
    return report('certificates only, got a private key among them: the key belongs into mqtt.key')
  const certificates = blocks.filter(({label}) => label.endsWith('CERTIFICATE'))
  if (certificates.length === 0) return report('certificates, got none')
  return certificates.flatMap(({text, isClosed}, index) => {
    const which = certificates.length === 1 ? 'one' : `number ${index + 1} of ${certificates.length}`
    if (!isClosed) return report(`whole certificates, got ${which} that is cut off`) ?? []
    try {
      return new X509Certificate(text)
    } catch {
      return report(`certificates that can be read, got ${which} that is damaged`) ?? []
    }
  })
}

function keyIn(pem: string, report: Report): {text: string; key: KeyObject} | undefined {
  const keys = pemBlocks(pem).filter(({label}) => label.endsWith('PRIVATE KEY'))
  const [only, second] = keys
  if (!only || second) return report(`one private key, got ${keys.length || 'none'}`)
  if (!only.isClosed) return report('a whole private key, got one that is cut off')
  if (only.label.startsWith('ENCRYPTED') || only.text.includes('\nProc-Type: 4,ENCRYPTED'))
    return report(
      'a private key without a passphrase, got an encrypted one: `openssl pkey -in key.pem -out plain.pem` removes it',
    )
  try {
    return {text: only.text, key: createPrivateKey(only.text)}
  } catch {
    return report('a private key that can be read, got one that is damaged, or of an unknown kind')
  }
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

/** Finds a secret in any spelling. It shares no code with the redactor, which it tests. */

interface Spelling {
  name: string
  bytes: Buffer
  /** Hex digits and escapes occur in either case. */
  anyCase?: true
}

/** Every spelling of `secret` (a token's hex digits, or a password) in a text or a packet. */
export function spellings(secret: string): Spelling[] {
  const text = Buffer.from(secret)
  const token = /^[0-9a-f]{32}$/i.test(secret) ? Buffer.from(secret, 'hex') : undefined
  const bytes: Spelling[] = token
    ? [{name: 'raw bytes', bytes: token}, ...inBase64('of its bytes', token)]
    : []
  return [
    {name: 'itself', bytes: text, ...(token && {anyCase: true})},
    {name: 'hex', bytes: Buffer.from(text.toString('hex')), anyCase: true},
    {name: 'URL', bytes: Buffer.from(encodeURIComponent(secret)), anyCase: true},
    {name: 'URL, every character', bytes: Buffer.from(everyByte(text, '%')), anyCase: true},
    {name: 'JSON', bytes: Buffer.from(JSON.stringify(secret).slice(1, -1))},
    ...inBase64('of its text', text),
    ...bytes,
  ]
}

/** The spellings of `secret` in `output`. */
export function leaks(output: Buffer, secret: string): string[] {
  const folded = lower(output)
  const isIn = ({bytes, anyCase}: Spelling) =>
    anyCase ? folded.includes(lower(bytes)) : output.includes(bytes)
  return spellings(secret)
    .filter(isIn)
    .map(({name}) => name)
}

/** The digits depend on the position of the bytes, which has three cases: for each, the digits that only the bytes decide. */
function inBase64(what: string, bytes: Buffer): Spelling[] {
  return [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
    const from = Math.ceil((shift * 8) / 6)
    const to = Math.floor((shifted.length * 8) / 6)
    return (['base64', 'base64url'] as const).map((encoding) => ({
      name: `${encoding} ${what}, shifted by ${shift}`,
      bytes: Buffer.from(shifted.toString(encoding).slice(from, to)),
    }))
  })
}

function everyByte(bytes: Buffer, prefix: string): string {
  return Array.from(bytes, (byte) => prefix + byte.toString(16).padStart(2, '0')).join('')
}

/** ASCII letters only: everything else keeps its bytes. */
function lower(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)))
}

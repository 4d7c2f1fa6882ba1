/** Checks of texts, topics and names: which texts MQTT can carry, and which names a plug or group can have. */
import {MAX_TEXT_BYTES, TOPIC_WORDS} from '../../mqtt/topics.ts'

/** Control characters except tab and line breaks, and halves of characters, which strict JSON parsers refuse. */
const NO_TEXT = /(?![\t\n\r])[\p{Cc}\p{Cs}]/u

/** Whether `text` can be shown, and sent as JSON. */
export function isPlainText(text: string): boolean {
  return !NO_TEXT.test(text)
}

/** Why `text` cannot be a text in an MQTT packet, or `undefined` when it can. The reason repeats nothing of the text. */
export function mqttTextProblem(text: string): string | undefined {
  return /\p{Cc}/u.test(text) ? 'some with a control character in it' : mqttSecretProblem(text)
}

/** Why `text` cannot be a password in an MQTT packet, or `undefined` when it can. */
export function mqttSecretProblem(text: string): string | undefined {
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_TEXT_BYTES) return `${bytes} bytes, more than the ${MAX_TEXT_BYTES} that MQTT has room for`
  if (text.includes('\0')) return 'some with a NUL character in it'
  return /\p{Cs}/u.test(text) ? 'some with half a character in it' : undefined
}

/** Brokers close the connection over these, or should. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/u
/** Invisible characters, and characters that change how others look: a name with one looks like another name, or like none. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u
/** Invisible characters join the parts of an emoji: there they are allowed. */
const PICTURE = String.raw`(?:\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?|[0-9*]\ufe0f?\u20e3)`
const EMOJI = new RegExp(`${PICTURE}(?:\u200d${PICTURE})*`, 'gu')
const LIKE_A_TOKEN = /[0-9a-f]{32}/i
/** Bytes: far fewer than a topic may have (65,535), and more than a readable name needs. */
const LONGEST = 200
/** Brokers take from 8 levels (AWS IoT Core) to 200 (mosquitto), and this is a part of a topic only. */
const MOST_LEVELS = 8

/** Why `topic` cannot stand at the start of topics, or `undefined` when it can. */
export function configTopicProblem(topic: string): string | undefined {
  if (topic.startsWith('$')) return 'it starts with "$", which is reserved for brokers'
  return levelsProblem(topic) ?? spaceProblem(topic)
}

/** Why a plug or group cannot be called `name`, or `undefined` when it can. */
export function nameProblem(name: string): string | undefined {
  const [first = '', ...rest] = name.split('/')
  const reserved = rest.find((level) => TOPIC_WORDS.has(level))
  if (first === 'bridge') return 'its first level is "bridge", where the bridge has its own topics'
  if (first.startsWith('$')) return 'it starts with "$", which is reserved for brokers'
  if (reserved) return `its level "${reserved}" is a word of the topics themselves`
  const problem = levelsProblem(name) ?? spaceProblem(name)
  if (problem !== undefined) return problem
  if (name.split('/').some((level) => level === '.' || level === '..'))
    return 'it has a level "." or "..", which is a folder elsewhere'
  return LIKE_A_TOKEN.test(name) ? 'it looks like a token, which no topic may show' : undefined
}

function levelsProblem(topic: string): string | undefined {
  if (topic === '') return 'it is empty'
  if (Buffer.byteLength(topic) > LONGEST) return `it is longer than ${LONGEST} bytes`
  if (/[+#]/.test(topic)) return 'it has a "+" or "#", which stand for other topics in MQTT'
  if (UNPRINTABLE.test(topic)) return 'it has a control character'
  if (topic.startsWith('/') || topic.endsWith('/')) return 'it starts or ends with "/"'
  if (topic.includes('//')) return 'it has an empty level ("//")'
  if (topic.split('/').length > MOST_LEVELS) return `it has more than ${MOST_LEVELS} levels`
  return undefined
}

/** Spaces and invisible characters. */
function spaceProblem(name: string): string | undefined {
  if (name.split('/').some((level) => level !== level.trim()))
    return 'it, or a level of it, starts or ends with a space'
  return INVISIBLE.test(name.replace(EMOJI, ''))
    ? 'it has an invisible character or a non-breaking space'
    : undefined
}

/** The same for two names that people cannot distinguish: case, repeated spaces and other ways to write a letter do not count. */
export function normalizedName(name: string): string {
  const letters = name.normalize('NFKC').toUpperCase().toLowerCase()
  return letters.normalize('NFKC').replace(/ {2,}/g, ' ')
}

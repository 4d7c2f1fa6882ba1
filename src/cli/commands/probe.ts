/** `probe`: what a plug answers, as a definition to start from. Nothing in it tells whose plug it is: it is made for an issue. */

import {version} from '../../app/version.ts'
import {sleep, systemClock} from '../../common/clock.ts'
import {Redactor} from '../../common/redact.ts'
import {formatDefinition} from '../../config/definitions/definition-writer.ts'
import {type DialectName, detectDialect, type Identity, parseIdentity} from '../../device/model-resolver.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import {dialects} from '../../models/dialects.ts'
import type {Model} from '../../models/model.ts'
import type {CommandFailed} from '../errors.ts'
import {failed} from '../failed-call.ts'
import type {PlugCommandContext} from '../plug-commands.ts'
import {ProbeScan, type ProbeScanResult} from '../probe-scan.ts'
import {printable} from '../terminal.ts'

const WARNING =
  'This asks the plug up to some hundred unusual questions, which takes a minute or two. Plugs have been seen to restart over less, and that switches what hangs on them: it is not for one with a fridge or a computer behind it. Ctrl-C ends it.'

const LONGEST_MS = 300_000
/** Beside what lies between two requests anyway. */
const PAUSE_MS = 100
const LONGEST_SHOWN = 120

/** A place, and what the plug said there, as it may be shown to everybody. */
interface Told {
  address: string
  value: string
}

/** @throws CommandFailed for a plug that speaks no dialect, or whose firmware is known to fail on unknown requests: it is left alone */
export async function probe({name, client, device, catalogue, terminal}: PlugCommandContext): Promise<void> {
  if (device.model?.exactList) throw tooDelicate(name, device.identity, 'Nothing was sent to the plug.')
  const info = await client.call('miIO.info', [])
  const identity = parseIdentity(info)
  const described = catalogue.find(identity.model ?? '')
  if (described?.exactList)
    throw tooDelicate(name, identity, 'Nothing was sent but miIO.info, which asks for the model.')
  terminal.note(WARNING)
  if (described)
    terminal.note(`It is described already: \`miio2mqtt models ${identity.model}\` prints the definition.`)
  const ask = (method: string, params: unknown) => client.call(method, params, {tries: 1})
  const dialect = await detectDialect(identity.model ?? '', ask)
  if (!dialect) throw noDialect(name)
  const until = systemClock.now() + LONGEST_MS
  const scan = new ProbeScan({
    ask,
    pause: () => sleep(systemClock, PAUSE_MS),
    onQuestion: (about, heard) => terminal.progress(`asking ${name} for ${about}: ${heard} values so far …`),
    isLate: () => systemClock.now() > until,
  })
  const {names, methods} = known(catalogue)
  const scanned = await (dialect === 'miot' ? scan.miot() : scan.legacy(names, methods))
  const told = anonymous(scanned, info, client.did)
  const text = report(identity, dialect, told, scanned.ended)
  const {model = null, firmware = null, hardware = null} = identity
  terminal.yaml({model, firmware, hardware, dialect, told, ended: scanned.ended ?? null, text}, text)
}

/** The definition as far as it is certain, which is that it switches, and everything else as comments. */
function report(
  {model = 'unknown.plug.unknown', firmware = 'unknown', hardware = 'unknown'}: Identity,
  dialect: DialectName,
  told: readonly Told[],
  ended: string | undefined,
): string {
  const definition: Model = {
    ...dialects[dialect],
    ids: [model],
    name: model,
    vendor: model.split('.')[0] ?? model,
    confidence: 'hardware',
    evidence: `miio2mqtt probe, firmware ${firmware}`,
  }
  const width = Math.max(0, ...told.map(({address}) => address.length))
  return [
    printable(
      `# ${model}, firmware ${firmware}, hardware ${hardware}: dialect ${dialect}, asked by miio2mqtt ${version}`,
    ),
    ...(ended ? [`# It was not asked for everything: ${ended}.`] : []),
    formatDefinition(definition).trimEnd(),
    '  # All that it answers. What is understood gets a name in place of "# ?" (docs/adding-a-plug.md):',
    ...told.map(({address, value}) => `  # ?: ${address.padEnd(width)}  # ${value}`),
  ].join('\n')
}

/** Every name and method by which any described plug is asked. */
function known({models}: Catalogue): {names: readonly string[]; methods: readonly string[]} {
  const addresses = [...models.values()].flatMap(({properties}) =>
    Object.values(properties).map(({address}) => address),
  )
  const names = addresses.flatMap((address) => (address.via === 'get_prop' ? [address.name] : []))
  const methods = addresses.flatMap((address) => (address.via === 'method' ? [address.method] : []))
  return {names: [...new Set(names)], methods: [...new Set(methods)]}
}

/** Whatever `miIO.info` says of the plug's home, and its id, is masked wherever it turns up again. */
function anonymous({heard}: ProbeScanResult, info: unknown, did: number | undefined): Told[] {
  const {model, firmware, hardware} = parseIdentity(info)
  const hide = new Redactor()
  for (const text of [String(did ?? ''), ...textsIn(info)])
    if (![model, firmware, hardware].includes(text)) hide.add(text)
  return heard.map(({address, raw}) => {
    const text = hide.scrub(JSON.stringify(raw))
    return {address, value: text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text}
  })
}

/** And numbers long enough to be somebody's: of an account, say. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return value >= 1e6 ? [String(value)] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function tooDelicate(name: string, {model = 'unknown'}: Identity, sent: string): CommandFailed {
  return failed(
    {
      code: 'not_probed',
      title: `${name} was not probed: ${model} is supported already, and its firmware fails on requests that it does not know.`,
      advice: `\`miio2mqtt models ${model}\` prints its definition.`,
    },
    sent,
  )
}

function noDialect(name: string): CommandFailed {
  return failed(
    {
      code: 'request_unsupported',
      title: 'request unsupported: the plug understood us and said no',
      advice:
        'It may be no plug at all, or one that only answers the cloud: an issue with its model may help the next one.',
    },
    `${name} says in no dialect known here whether it is on`,
  )
}

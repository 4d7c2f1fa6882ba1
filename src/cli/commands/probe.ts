/**
 * `probe`: prints a definition to start from, with every value that a plug of an unknown model has. With `--fixture` it records a test fixture
 * of a model that has a definition. Both are made to be published: nothing in them identifies the plug, its home or its owner.
 */
import {version} from '../../app/version.ts'
import {sleep, systemClock} from '../../common/clock.ts'
import {Redactor} from '../../common/redact.ts'
import {count, shortened} from '../../common/text.ts'
import {formatDefinition} from '../../config/definitions/definition.ts'
import {type DialectName, detectDialect, type Identity, parseIdentity} from '../../device/model-resolver.ts'
import {type Catalogue, dialects} from '../../models/catalogue.ts'
import type {Model} from '../../models/model.ts'
import {type CommandFailed, failed} from '../errors.ts'
import {fixtureFile, personalTexts, type ResponseRecorder, recordFixture} from '../fixture-recorder.ts'
import type {PlugSession} from '../plug-session.ts'
import {type ProbedValue, ProbeScan} from '../probe-scan.ts'
import {printable, type Terminal} from '../terminal.ts'

const WARNING =
  'This sends up to some hundred unusual requests to the plug, which takes a minute or two. Some plugs restart after fewer, and a restart switches the devices that they power: do not probe a plug with a fridge or a computer. Ctrl-C ends it.'

/** The scan ends after this time. */
const MAX_SCAN_MS = 300_000
/** Added to the gap that the client keeps between two requests. */
const PAUSE_MS = 100
/** A longer value is cut, in characters. */
const MAX_SHOWN_LENGTH = 120

/** A value of the plug and where it is, without anything personal. */
interface PublicValue {
  address: string
  /** JSON, cut after `MAX_SHOWN_LENGTH` characters. */
  value: string
}

/** @throws CommandFailed for a plug of no known dialect, or whose firmware is known to fail on unknown requests: such a plug is not scanned */
export async function probe(session: PlugSession, terminal: Terminal): Promise<void> {
  const {target, client, device, recorder} = session
  const {name, catalogue} = target
  if (recorder) return printFixture(session, recorder, terminal)
  if (device.model?.exactList) throw notProbed(name, device.identity, 'Nothing was sent to the plug.')
  const info = await client.call('miIO.info', [])
  const identity = parseIdentity(info)
  const supported = catalogue.find(identity.model ?? '')
  if (supported?.exactList)
    throw notProbed(name, identity, 'Only miIO.info was sent, which asks for the model.')
  terminal.note(WARNING)
  if (supported)
    terminal.note(`It is supported already: \`miio2mqtt models ${identity.model}\` prints the definition.`)
  const request = (method: string, params: unknown) => client.call(method, params, {tries: 1})
  const dialect = await detectDialect(identity.model ?? '', request)
  if (!dialect) throw noDialect(name)
  const until = systemClock.now() + MAX_SCAN_MS
  const scan = new ProbeScan({
    request,
    pause: () => sleep(systemClock, PAUSE_MS),
    onRequest: (address, found) =>
      terminal.progress(`reading ${address} of ${name}: ${found} values so far …`),
    isLate: () => systemClock.now() > until,
  })
  const {names, methods} = readAddresses(catalogue)
  const scanned = await (dialect === 'miot' ? scan.miot() : scan.legacy(names, methods))
  const values = publicValues(scanned.values, personalTexts(info, identity, client.did))
  const text = report(identity, dialect, values, scanned.ended)
  const {model = null, firmware = null, hardware = null} = identity
  terminal.yaml({model, firmware, hardware, dialect, values, ended: scanned.ended ?? null, text}, text)
}

/** `--fixture`: the same with `--json`. @throws CommandFailed for a model without a definition */
async function printFixture(
  {target: {name, catalogue}, client}: PlugSession,
  recorder: ResponseRecorder,
  terminal: Terminal,
): Promise<void> {
  const info = await client.call('miIO.info', [])
  const identity = parseIdentity(info)
  const model = catalogue.find(identity.model ?? '')
  if (!model) throw withoutDefinition(name, identity)
  const fixture = await recordFixture({
    identity,
    model,
    personal: personalTexts(info, identity, client.did),
    recorder,
    call: (method, params) => client.call(method, params),
    pause: (ms) => sleep(systemClock, ms),
    onRequest: (properties) => terminal.progress(`asking ${name} for ${properties.join(', ')} …`),
  })
  terminal.line(JSON.stringify(fixture, null, 2))
  terminal.note(
    `${count(fixture.exchanges.length, 'response')} of ${name}. Save the fixture as test/fixtures/${fixtureFile(fixture)}, and run \`npm run fix\`: CONTRIBUTING.md has the rest.`,
  )
}

/** A definition of the relay, which is certain, with every other value as a comment. */
function report(
  {model = 'unknown.plug.unknown', firmware = 'unknown', hardware = 'unknown'}: Identity,
  dialect: DialectName,
  values: readonly PublicValue[],
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
  const width = Math.max(0, ...values.map(({address}) => address.length))
  return [
    printable(
      `# ${model}, firmware ${firmware}, hardware ${hardware}: dialect ${dialect}, probed by miio2mqtt ${version}`,
    ),
    ...(ended ? [`# Not all values were requested: ${ended}.`] : []),
    formatDefinition(definition).trimEnd(),
    '  # All reported values. Replace "# ?" by a name (docs/adding-a-plug.md):',
    ...values.map(({address, value}) => `  # ?: ${address.padEnd(width)}  # ${value}`),
  ].join('\n')
}

/** Every property name and every method that a model of the catalogue reads. */
function readAddresses({models}: Catalogue): {names: readonly string[]; methods: readonly string[]} {
  const addresses = [...models.values()].flatMap(({properties}) =>
    Object.values(properties).map(({address}) => address),
  )
  const names = addresses.flatMap((address) => (address.via === 'get_prop' ? [address.name] : []))
  const methods = addresses.flatMap((address) => (address.via === 'method' ? [address.method] : []))
  return {names: [...new Set(names)], methods: [...new Set(methods)]}
}

/** The values as JSON, with `***` in place of every personal text, in any spelling. */
function publicValues(values: readonly ProbedValue[], personal: readonly string[]): PublicValue[] {
  const redactor = new Redactor()
  for (const text of personal) redactor.add(text)
  return values.map(({address, raw}) => {
    const text = redactor.scrub(JSON.stringify(raw))
    return {address, value: shortened(text, MAX_SHOWN_LENGTH)}
  })
}

function withoutDefinition(name: string, {model = 'unknown'}: Identity): CommandFailed {
  return failed(
    'no_definition',
    `No fixture of ${name}: ${model} is not supported yet, so the meaning of its values is unknown.`,
    'Only miIO.info was sent, which asks for the model.',
    '`miio2mqtt probe` without --fixture prints a definition to start from (docs/adding-a-plug.md).',
  )
}

function notProbed(name: string, {model = 'unknown'}: Identity, sent: string): CommandFailed {
  return failed(
    'not_probed',
    `${name} was not probed: ${model} is supported already, and its firmware fails on requests that it does not know.`,
    sent,
    `\`miio2mqtt models ${model}\` prints its definition.`,
  )
}

function noDialect(name: string): CommandFailed {
  return failed(
    'request_unsupported',
    'request unsupported: the plug rejected the request',
    `${name} answers in no known dialect`,
    'It may be another kind of device, or a plug that answers only the cloud. Please report its model in an issue.',
  )
}

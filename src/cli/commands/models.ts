/** `miio2mqtt models` and `models import`: prints the models of the catalogue, and definitions made of MIoT specifications. */
import * as z from 'zod'
import {describeValue, parseWithMessages} from '../../common/schema-errors.ts'
import {formatDefinition} from '../../config/definitions/definition.ts'
import {fileErrorText, LONGEST_DOCUMENT, readText} from '../../config/read/read-file.ts'
import {modelId} from '../../config/schema/fields.ts'
import {isWritable} from '../../device/codec/values.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import {
  definitionFrom,
  type ImportedDefinition,
  type MiotSpec,
  NoPlugError,
} from '../../models/import/miot-spec.ts'
import type {Model} from '../../models/model.ts'
import {CommandFailed, readOption, UsageError, unknownModel} from '../errors.ts'
import {loadCatalogue} from '../load-config.ts'
import type {Terminal} from '../terminal.ts'

/** `models`: prints a table of all models, or the definition of one. @throws UsageError when that is not supported */
export async function showModels(
  id: string | undefined,
  {config}: {config?: string},
  terminal: Terminal,
): Promise<void> {
  const catalogue = await loadCatalogue(config, terminal)
  if (id === undefined) return listModels(catalogue, terminal)
  const model = catalogue.find(id)
  if (!model) throw new UsageError(unknownModel(id, catalogue.ids))
  terminal.yaml(model, formatDefinition(model).trimEnd())
}

function listModels(catalogue: Catalogue, terminal: Terminal): void {
  const rows = [...catalogue.models].map(([id, {name, properties}]) => ({
    id,
    name,
    own: catalogue.own.has(id),
    properties: Object.entries(properties).map(([name, property]) => ({
      name,
      unit: 'unit' in property ? property.unit : null,
      writable: isWritable(property),
    })),
  }))
  const cells = [...catalogue.models].map(([id, model]) => [id, model.name, summaryOf(model)])
  const shrinking = ['name', 'properties (* can be set)']
  const table = terminal.table(['model', ...shrinking], cells, {shrinking})
  terminal.result(rows, table)
  if (table.includes('…')) terminal.note('`miio2mqtt models <model>` prints one in full.')
}

/** The names of the properties that Home Assistant shows by default, and the number of the others: strips have dozens. */
function summaryOf({properties}: Model): string {
  const ofThePlug = Object.entries(properties).filter(
    ([, {address}]) => address.via !== 'bridge' && address.via !== 'info',
  )
  const shown = ofThePlug.filter(([, {disabledByDefault}]) => !disabledByDefault)
  const names = shown.map(([name, property]) => `${name}${isWritable(property) ? '*' : ''}`)
  const rest = ofThePlug.length - shown.length
  return [...names, ...(rest > 0 ? [`+${rest}`] : [])].join(' ')
}

/** `models import`: prints the definition that a MIoT specification makes. @throws CommandFailed for any other file */
export async function importModel(file: string, {id}: {id?: string}, terminal: Terminal): Promise<void> {
  const wanted = id === undefined ? undefined : readOption('--id', modelId(), id)
  const {model, notes} = await importSpec(file, wanted)
  terminal.yaml({model, notes}, formatDefinition(model).trimEnd())
  for (const note of notes) terminal.note(`# ${note}`)
}

const NO_DEVICE = 'expected the urn of a device'
const MAX_IID = 65_535
const MAX_VALUE = 2 ** 31 - 1
const MAX_PROSE_LENGTH = 200
/** A description, which may be missing. Shortened, and on one line. */
const prose = z
  .string()
  .catch('')
  .transform((text) =>
    text
      .slice(0, MAX_PROSE_LENGTH)
      .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim(),
  )
const iid = z.custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_IID,
  {
    error: ({input}) => `expected a whole number from 1 to ${MAX_IID}, got ${describeValue(input)}`,
  },
)
/** -0 becomes 0, as it would in a file. */
const number = z
  .number()
  .min(-MAX_VALUE)
  .max(MAX_VALUE)
  .transform((value) => value + 0)
/** A unit of hundreds of letters, or with a line break, counts as missing. */
const unitName = z.string().regex(/^[\p{L}\p{N}%°/_.-]{1,40}$/u)

const urn = z.string().max(300)

const property = z
  .object({
    iid,
    type: urn,
    description: prose,
    format: prose,
    access: z.array(z.string()).catch([]),
    unit: unitName.optional().catch(undefined),
    'value-range': z.array(number).optional().catch(undefined),
    'value-list': z
      .array(z.object({value: number.pipe(z.int().min(0)), description: prose}))
      .optional()
      .catch(undefined),
  })
  .transform(({'value-range': range, 'value-list': list, ...rest}) => ({...rest, range, list}))

const service = z.object({
  iid,
  type: urn,
  description: prose,
  properties: z.array(property).default([]),
})

const specification = z.object({
  type: z.string({error: NO_DEVICE}).regex(/^urn:[\w.-]{1,64}:device:[\w:.-]{1,200}$/, {error: NO_DEVICE}),
  description: prose,
  services: z.array(service).min(1),
})

/**
 * Reads the MIoT specification in `file` and makes a definition of it.
 * @param id the model; `undefined` to derive it from the specification
 * @throws CommandFailed with the reason why the file is no specification of a plug
 */
export async function importSpec(file: string, id: string | undefined): Promise<ImportedDefinition> {
  try {
    const text = await readText(file, LONGEST_DOCUMENT).catch((error: unknown) => {
      throw new NoPlugError(fileErrorText(error))
    })
    return definitionFrom(parseSpec(text), id)
  } catch (error) {
    if (!(error instanceof NoPlugError || error instanceof SyntaxError)) throw error
    throw new CommandFailed(
      `${file} is no MIoT specification of a plug: ${error.message}\nExpected the JSON of one device, which begins {"type":"urn:miot-spec-v2:device:outlet:…","description":…,"services":[…`,
    )
  }
}

/** @throws NoPlugError, SyntaxError for text that is no JSON */
function parseSpec(text: string): MiotSpec {
  const parsed = parseWithMessages(specification, JSON.parse(text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new NoPlugError(`${issue?.path.join('.') || 'the whole'}: ${issue?.message}`)
}

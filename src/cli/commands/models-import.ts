/** `miio2mqtt models import`: reads a downloaded MIoT specification and makes a definition of it. */
import {z} from 'zod'
import {describeValue, parseWithMessages} from '../../common/schema-errors.ts'
import {fileErrorText, LONGEST_DOCUMENT, readText} from '../../config/read/read-file.ts'
import {
  definitionFrom,
  type ImportedDefinition,
  type MiotSpec,
  NoPlugError,
} from '../../models/import/miot-spec.ts'
import {CommandFailed} from '../errors.ts'

const NO_DEVICE = 'expected the urn of a device'
const MOST_IID = 65_535
const MOST_VALUE = 2 ** 31 - 1
const LONGEST_PROSE = 200
/** A description, which may be missing. Shortened, and on one line. */
const prose = z
  .string()
  .catch('')
  .transform((text) =>
    text
      .slice(0, LONGEST_PROSE)
      .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim(),
  )
const iid = z.custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_IID,
  {
    error: ({input}) => `expected a whole number from 1 to ${MOST_IID}, got ${describeValue(input)}`,
  },
)
/** -0 becomes 0, as it would in a file. */
const number = z
  .number()
  .min(-MOST_VALUE)
  .max(MOST_VALUE)
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
  const spec = parseSpec(
    file,
    await readText(file, LONGEST_DOCUMENT).catch((error: unknown) => refuse(file, fileErrorText(error))),
  )
  try {
    return definitionFrom(spec, id)
  } catch (error) {
    if (error instanceof NoPlugError) refuse(file, error.message)
    throw error
  }
}

function parseSpec(file: string, text: string): MiotSpec {
  const parsed = parseWithMessages(specification, parseJson(file, text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  return refuse(file, `${issue?.path.join('.') || 'the whole'}: ${issue?.message}`)
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return refuse(file, error instanceof Error ? error.message : String(error))
  }
}

function refuse(file: string, reason: string): never {
  throw new CommandFailed(
    `${file} is no MIoT specification of a plug: ${reason}\nExpected the JSON of one device, which begins {"type":"urn:miot-spec-v2:device:outlet:…","description":…,"services":[…`,
  )
}

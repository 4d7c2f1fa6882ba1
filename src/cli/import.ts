/** `models import`: a MIoT specification instance, as it was downloaded, to a definition. */
import {z} from 'zod'
import {LONGEST_DOCUMENT, readText, reason} from '../config/files.ts'
import {definitionFrom, type Imported, NoPlug, type Spec} from '../models/spec.ts'
import {CommandFailed} from './exit.ts'

const NO_DEVICE = 'expected the urn of a device'
/** What people say of a thing may be missing; what it is may not. */
const prose = z.string().catch('')

const property = z
  .object({
    iid: z.number(),
    type: z.string(),
    description: prose,
    format: prose,
    access: z.array(z.string()).catch([]),
    unit: z.string().optional().catch(undefined),
    'value-range': z.array(z.number()).optional().catch(undefined),
    'value-list': z
      .array(z.object({value: z.number(), description: prose}))
      .optional()
      .catch(undefined),
  })
  .transform(({'value-range': range, 'value-list': list, ...rest}) => ({...rest, range, list}))

const service = z.object({
  iid: z.number(),
  type: z.string(),
  description: prose,
  properties: z.array(property).default([]),
})

const instance = z.object({
  type: z.string({error: NO_DEVICE}).regex(/^urn:[^:]+:device:/, {error: NO_DEVICE}),
  description: prose,
  services: z.array(service).min(1),
})

/** @throws CommandFailed that says why the file is no specification of a plug */
export async function importSpec(file: string, id: string | undefined): Promise<Imported> {
  const spec = specIn(
    file,
    await readText(file, LONGEST_DOCUMENT).catch((error: unknown) => refuse(file, reason(error))),
  )
  try {
    return definitionFrom(spec, id)
  } catch (error) {
    if (error instanceof NoPlug) refuse(file, error.message)
    throw error
  }
}

function specIn(file: string, text: string): Spec {
  const parsed = instance.safeParse(parse(file, text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  return refuse(file, `${issue?.path.join('.') || 'the whole'}: ${issue?.message}`)
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return refuse(file, error instanceof Error ? error.message : String(error))
  }
}

function refuse(file: string, why: string): never {
  throw new CommandFailed(
    `${file} is no MIoT specification of a plug: ${why}\nExpected the JSON of one device, which begins {"type":"urn:miot-spec-v2:device:outlet:…","description":…,"services":[…`,
  )
}

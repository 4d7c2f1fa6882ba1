/** `miio2mqtt models` and `models import`: prints the models of the catalogue, and definitions made of MIoT specifications. */
import {quoted, suggestion} from '../../config/config-error.ts'
import {formatDefinition} from '../../config/definitions/definition-writer.ts'
import {modelId} from '../../config/schema/fields.ts'
import {isWritable} from '../../device/codec/values.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import type {Model, Property} from '../../models/model.ts'
import {readOption, UsageError} from '../errors.ts'
import {loadCatalogue} from '../load-config.ts'
import type {Terminal} from '../terminal.ts'
import {importSpec} from './models-import.ts'

/** `models`: prints a table of all models, or the definition of one. @throws UsageError when that is not supported */
export async function showModels(
  id: string | undefined,
  {config}: {config?: string},
  terminal: Terminal,
): Promise<void> {
  const catalogue = await loadCatalogue(config, terminal)
  if (id === undefined) return listModels(catalogue, terminal)
  const model = catalogue.find(id)
  if (!model)
    throw new UsageError(
      `the model ${quoted(id)} is not supported${suggestion(id, catalogue.ids) || '; `miio2mqtt models` lists the supported models'}`,
    )
  terminal.yaml(model, formatDefinition(model).trimEnd())
}

/** `models import`: prints the definition that a MIoT specification makes. @throws CommandFailed for any other file */
export async function importModel(file: string, {id}: {id?: string}, terminal: Terminal): Promise<void> {
  const {model, notes} = await importSpec(
    file,
    id === undefined ? undefined : readOption('--id', modelId(), id),
  )
  terminal.yaml({model, notes}, formatDefinition(model).trimEnd())
  for (const note of notes) terminal.note(`# ${note}`)
}

function listModels(catalogue: Catalogue, terminal: Terminal): void {
  const rows = [...catalogue.models].map(([id, model]) => ({
    id,
    name: model.name,
    own: catalogue.own.has(id),
    properties: Object.entries(model.properties).map(describeProperty),
  }))
  const [nameTitle, propertiesTitle] = ['name', 'properties (* can be set)']
  const cells = [...catalogue.models].map(([id, model]) => [id, model.name, summaryOf(model)])
  const table = terminal.table(['model', nameTitle, propertiesTitle], cells, {
    shrinking: [nameTitle, propertiesTitle],
  })
  terminal.result(rows, table)
  if (table.includes('…')) terminal.note('`miio2mqtt models <model>` prints one in full.')
}

function describeProperty([name, property]: readonly [string, Property]) {
  return {
    name,
    unit: 'unit' in property ? property.unit : null,
    writable: isWritable(property),
  }
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

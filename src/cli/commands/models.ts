/** `miio2mqtt models`, `models import` and `schema`: prints the models of the catalogue, and the JSON Schema of the configuration. */
import type {Command} from 'commander'
import {quoted} from '../../common/schema-errors.ts'
import {suggestion} from '../../common/suggestion.ts'
import {jsonSchema} from '../../config/config.ts'
import {formatDefinition} from '../../config/definitions/definition.ts'
import {modelId} from '../../config/schema/fields.ts'
import {isWritable} from '../../device/codec/values.ts'
import type {Catalogue} from '../../models/catalogue.ts'
import type {Model, Property} from '../../models/model.ts'
import {readOption, UsageError} from '../errors.ts'
import {loadCatalogue} from '../load-config.ts'
import type {Terminal} from '../terminal.ts'
import {importSpec} from './models-import.ts'

interface Options {
  config?: string
  id?: string
}

/** Adds `models`, `models import` and `schema`. */
export function modelsCommands(program: Command, terminal: Terminal): void {
  const models = program
    .command('models')
    .description('list the supported models and their properties, or show one model')
    .argument('[id]', 'print the full definition of this model, to start another one from')
    .usage('[options] [id]')
    .helpCommand(false)
    .action((id: string | undefined, _options: unknown, command: Command) =>
      showModels(id, command.optsWithGlobals<Options>(), terminal),
    )
  models
    .command('import')
    .description('convert a MIoT specification (the JSON that Xiaomi publishes) to a definition')
    .argument('<file>')
    .usage('[options] <file>')
    .option('--id <model>', 'the model of the plug, as `miio2mqtt info desk` shows it')
    .action((file: string, _options: unknown, command: Command) =>
      importModel(file, command.optsWithGlobals<Options>(), terminal),
    )
  program
    .command('schema')
    .description('print the JSON Schema of config.yaml, for editors')
    .action(() => terminal.line(JSON.stringify(jsonSchema(), null, 2)))
}

async function showModels(id: string | undefined, {config}: Options, terminal: Terminal): Promise<void> {
  const catalogue = await loadCatalogue(config, terminal)
  if (id === undefined) return listModels(catalogue, terminal)
  const model = catalogue.find(id)
  if (!model)
    throw new UsageError(
      `the model ${quoted(id)} is not supported${suggestion(id, catalogue.ids) || '; `miio2mqtt models` lists the supported models'}`,
    )
  terminal.yaml(model, formatDefinition(model).trimEnd())
}

async function importModel(file: string, {id}: Options, terminal: Terminal): Promise<void> {
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

/** `models` and `schema`: what this program knows, to read. */
import type {Command} from 'commander'
import {jsonSchema} from '../config.ts'
import {isWritable} from '../device/values.ts'
import {builtIn} from '../models/index.ts'
import type {Model} from '../models/model.ts'
import type {Terminal} from './terminal.ts'

export function catalogueCommands(program: Command, terminal: Terminal): void {
  program
    .command('models')
    .description('every plug that is described, and what it can tell and do')
    .action(() => listModels(terminal))
  program
    .command('schema')
    .description('the JSON Schema of config.yaml, for editors')
    .action(() => terminal.line(JSON.stringify(jsonSchema(), null, 2)))
}

function listModels(terminal: Terminal): void {
  const rows = [...builtIn.models].map(([id, model]) => ({
    id,
    name: model.name,
    properties: abilities(model),
  }))
  const head = ['model', 'name', 'properties (* can be set)']
  const cells = rows.map(({id, name, properties}) => [
    id,
    name,
    properties.map((property) => `${property.name}${property.writable ? '*' : ''}`).join(' '),
  ])
  terminal.result(rows, terminal.table(head, cells))
}

function abilities({properties}: Model) {
  return Object.entries(properties).map(([name, property]) => ({
    name,
    unit: 'unit' in property ? property.unit : null,
    writable: isWritable(property),
  }))
}

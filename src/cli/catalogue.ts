/** `models` and `schema`: what this program knows, to read. */
import type {Command} from 'commander'
import {jsonSchema} from '../config/settings.ts'
import {isWritable} from '../device/values.ts'
import {models} from '../models/index.ts'
import type {Model} from '../models/model.ts'
import type {Terminal} from './terminal.ts'

export function catalogueCommands(program: Command, terminalFor: (command: Command) => Terminal): void {
  program
    .command('models')
    .description('every plug that is described, and what it can tell and do')
    .action((_options: unknown, command: Command) => {
      const terminal = terminalFor(command)
      const rows = models.flatMap((model) =>
        model.ids.map((id) => ({id, name: model.name, properties: abilities(model)})),
      )
      terminal.result(
        rows,
        terminal.table(
          ['model', 'name', 'properties (* can be set)'],
          rows.map(({id, name, properties}) => [
            id,
            name,
            properties.map(({name: property, writable}) => `${property}${writable ? '*' : ''}`).join(' '),
          ]),
        ),
      )
    })
  program
    .command('schema')
    .description('the JSON Schema of config.yaml, for editors')
    .action(() => {
      process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
    })
}

function abilities({properties}: Model) {
  return Object.entries(properties).map(([name, property]) => ({
    name,
    unit: property.kind === 'sensor' ? property.unit : null,
    writable: isWritable(property),
  }))
}

/** Renders the model definitions as Markdown tables for docs/models.md and docs/home-assistant.md. */
import {isWritable} from '../../src/device/codec/values.ts'
import {PROPERTY_NAMES, propertyPattern} from '../../src/models/builder-table.ts'
import {complete} from '../../src/models/builders.ts'
import type {Address, Model, Property} from '../../src/models/model.ts'

/** The confidence of a definition, in the words of docs/models.md. */
const SURE = {hardware: 'seen on hardware', vendor: 'from the specification', inferred: 'inferred'} as const

/** One row for every property name. */
export function vocabulary(): string {
  const rows = Array.from(PROPERTY_NAMES, ([name, meaning]) => `| \`${name}\` | ${meaning} |`)
  return ['| property | meaning |', '|---|---|', ...rows].join('\n')
}

/** The Home Assistant entity of each property, for a plug called `desk`. The second socket stands for all sockets. */
export function entities(models: readonly Model[]): string {
  const all = new Map(
    models.flatMap((model) =>
      Object.entries(complete(model).properties).map(([name, property]) => [propertyPattern(name), property]),
    ),
  )
  const head = ['| property | entity | name | entity id for a plug called `desk` |', '|---|---|---|---|']
  return [...head, ...Array.from(PROPERTY_NAMES.keys(), (name) => entity(name, all.get(name)))].join('\n')
}

/** One row for every model. */
export function overview(models: readonly Model[]): string {
  const rows = models.flatMap((model) =>
    model.ids.map((id) => `| \`${id}\` | ${model.name} | ${features(model)} | ${SURE[model.confidence]} |`),
  )
  return ['| model | product | properties | how sure |', '|---|---|---|---|', ...rows].join('\n')
}

/** One section for every definition. */
export function details(models: readonly Model[]): string {
  return models.map(section).join('\n\n')
}

function entity(name: string, property: Property | undefined): string {
  if (!property) throw new Error(`no model has ${name}`)
  const {kind, label} = property
  const what = [
    kind === 'switch' && property.deviceClass === 'outlet' ? 'switch (outlet)' : kind.replace('_', ' '),
    ...('unit' in property ? [property.unit] : []),
    ...(property.category === 'config' ? ['under configuration'] : []),
    ...(property.category === 'diagnostic' ? ['under diagnostics'] : []),
    ...(property.disabledByDefault ? ['disabled'] : []),
  ]
  const id = label === null ? `${kind}.desk` : `${kind}.desk_${name.replace(/_n$/, '_2')}`
  return `| \`${name}\` | ${what.join(', ')} | ${label?.replace(/\d+/, '2') ?? 'the name of the plug'} | \`${id}\` |`
}

/** The main properties of a model. Rarely used ones are in its section only. */
function features({properties}: Model): string {
  const often = Object.entries(properties).filter(([, {lane}]) => lane !== 'rare')
  const patterns = new Set(often.map(([name]) => propertyPattern(name)))
  return [...patterns].map((name) => `\`${name}\``).join(' ')
}

function section(model: Model): string {
  return [
    `### ${model.ids.join(', ')}`,
    '',
    `${model.name}. ${model.vendor}; ${SURE[model.confidence]}.`,
    '',
    model.evidence,
    '',
    ...requestLimits(model),
    '| property | address | values | source |',
    '|---|---|---|---|',
    ...Object.entries(model.properties).map(([name, property]) => row(name, property)),
  ].join('\n')
}

function requestLimits({exactList, batch, interval, pause}: Model): string[] {
  const limits = [
    ...(exactList ? ['all names of `get_prop` in one list'] : []),
    ...(batch ? [batch === 1 ? 'one value in a request' : `at most ${batch} values in a request`] : []),
    ...(interval ? [`one poll every ${interval / 1000} s at most`] : []),
    ...(pause ? [`${pause / 1000} s between two requests`] : []),
  ]
  return limits.length > 0 ? [`Requests: ${limits.join(', ')}.`, ''] : []
}

function row(name: string, property: Property): string {
  const cells = [`\`${name}\``, addressOf(property), valuesOf(property), property.evidence ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function addressOf(property: Property): string {
  const where = at(property.address)
  return isWritable(property) ? where : `${where}, read only`
}

function at(address: Address): string {
  switch (address.via) {
    case 'get_prop': {
      const {name, write} = address
      if (!write) return `\`${name}\``
      return 'method' in write
        ? `\`${name}\`, \`${write.method}\``
        : `\`${name}\`, \`${write.on}\`, \`${write.off}\``
    }
    case 'method':
      return `\`${address.method}\``
    case 'miot':
      return `${address.siid}.${address.piid}`
    case 'action':
      return `action ${address.siid}.${address.aiid}`
    case 'info':
      return '`miIO.info`'
    case 'bridge':
      return 'the bridge'
  }
}

function valuesOf(property: Property): string {
  switch (property.kind) {
    case 'switch':
    case 'binary_sensor':
      return 'ON, OFF'
    case 'sensor':
      return property.raw === 'text' ? 'text' : `${factor(property.scale)}${property.unit}`
    case 'number':
      return `${factor(property.scale)}${property.unit}, ${property.min} to ${property.max}`
    case 'select':
      return property.values.map(([raw, word]) => `${raw} = ${word}`).join(', ')
    case 'button':
      return ''
  }
}

/** The scale as text. 1/60 is written as a fraction, because its decimal number does not end. */
function factor(scale: number): string {
  if (scale === 1) return ''
  return `× ${String(scale).length > 8 ? `1/${Math.round(1 / scale)}` : scale} `
}

/** With attributes, `desk/led` is the topic of a value of the plug `desk`: nothing else may be called so. */
import {z} from 'zod'
import type {Model} from '../../models/model.ts'
import {isKnownPropertyName} from '../../models/property-names.ts'
import {quoted} from '../config-error.ts'
import type {RawYaml} from '../read/yaml.ts'
import type {ValidationIssue} from './plugs-and-groups.ts'

const names = z.record(z.string(), z.unknown()).catch({})
/** What is not understood here, the schema complains of. */
const written = z
  .object({mqtt: z.object({output: z.string()}).catch({output: ''}), devices: names, groups: names})
  .catch({mqtt: {output: ''}, devices: {}, groups: {}})

/** @param own the user's own definitions: their properties may have other names than those there are */
export function validateAttributeTopics(read: RawYaml | undefined, own: readonly Model[]): ValidationIssue[] {
  const {mqtt, devices, groups} = written.parse(read)
  if (mqtt.output !== 'attribute_and_json') return []
  const ownProperties = new Set(own.flatMap(({properties}) => Object.keys(properties)))
  const isProperty = (level: string) => isKnownPropertyName(level) || ownProperties.has(level)
  return Object.entries({devices, groups}).flatMap(([kind, members]) =>
    Object.keys(members).flatMap((name) => {
      const [, plug, property] = /^(.+)\/([^/]+)$/.exec(name) ?? []
      if (plug === undefined || property === undefined) return []
      if (!Object.hasOwn(devices, plug) || !isProperty(property)) return []
      const message = `expected another name: with mqtt.output: attribute_and_json this is the topic of ${property} of the plug ${quoted(plug)}`
      return [{path: [kind, name], message}]
    }),
  )
}

/** Decodes a recorded response with the code of the bridge: test/unit/models/fixtures.test.ts compares the result with the fixture. */

import type {FixtureExchange} from '../../src/cli/fixture-recorder.ts'
import {decodeResponse, expectOk, type ReadRequest} from '../../src/device/codec/property-codec.ts'
import {parseResponse, UnreadableResponse} from '../../src/miio/json-repair.ts'
import {textSensor} from '../../src/models/builders.ts'
import type {Model} from '../../src/models/model.ts'

/** An exchange with the decoded members of its response. @throws Error for an `ok` that the response does not confirm */
export function interpreted(exchange: FixtureExchange, model: Model): FixtureExchange {
  const {method, params, reply, note} = exchange
  const written = {method, params, reply, ...(note !== undefined && {note})}
  const response = parsed(reply)
  if (!response) return {...written, unreadable: true}
  const {
    response: {result, error},
    repairs,
  } = response
  if (exchange.ok) expectOk(result, {method, params})
  return {
    ...written,
    ...(repairs.length > 0 && {repairs}),
    ...(exchange.ok && {ok: true}),
    ...(error && {error}),
    ...(exchange.state && values(result, exchange, model)),
  }
}

function parsed(reply: string): ReturnType<typeof parseResponse> | undefined {
  try {
    return parseResponse(Buffer.from(`${reply}\0`))
  } catch (error) {
    if (error instanceof UnreadableResponse) return undefined
    throw error
  }
}

/** Every value in a response. The value of a name without a definition is unchanged. */
function values(
  result: unknown,
  {method, params}: FixtureExchange,
  model: Model,
): Pick<FixtureExchange, 'state' | 'unused'> {
  const unknown =
    method === 'get_prop' ? params.map(String).filter((name) => namesOf(model, name).length === 0) : []
  const unknownSensors = unknown.map((name) => [name, textSensor(name, {via: 'get_prop', name})] as const)
  const all = {...model, properties: {...model.properties, ...Object.fromEntries(unknownSensors)}}
  const decoded = decodeResponse(result, {method, params, properties: requested(method, params, all)}, all)
  const known = Object.entries(decoded.values).filter(([name]) => !unknown.includes(name))
  return {
    state: Object.fromEntries(known),
    ...(unknown.length > 0 && {unused: Object.fromEntries(unknown.map((name) => [name, decoded.raw[name]]))}),
  }
}

/** The properties of a request, in its order. */
function requested(method: string, params: readonly unknown[], model: Model): ReadRequest['properties'] {
  const at = (matches: (address: Model['properties'][string]['address']) => boolean) =>
    Object.entries(model.properties).flatMap(([name, {address}]) => (matches(address) ? [name] : []))
  switch (method) {
    case 'get_prop':
      return params.flatMap((name) => namesOf(model, String(name)))
    case 'get_properties':
      return at(
        (address) =>
          address.via === 'miot' &&
          JSON.stringify(params).includes(`"siid":${address.siid},"piid":${address.piid}}`),
      )
    default:
      return at((address) => address.via === 'method' && address.method === method)
  }
}

function namesOf({properties}: Model, name: string): string[] {
  return Object.entries(properties).flatMap(([property, {address}]) =>
    address.via === 'get_prop' && address.name === name ? [property] : [],
  )
}

/** How each kind of address is read and written: properties in, requests out, answers back to values. Pure. */
import type {Model, Property, Value} from '../models/model.ts'
import {excerpt, fromFirmware, type State} from './values.ts'

export type Lane = 'fast' | 'all'

/** One question to the firmware. */
export interface Read {
  method: string
  params: readonly unknown[]
  /** The properties it answers, in the order of the answer. */
  properties: readonly string[]
}

/** One order to the firmware. Always an absolute value, so that sending it again changes nothing. */
export interface Write {
  method: string
  params: readonly unknown[]
}

/**
 * The questions that refresh a plug, the one with the relay first. `fast` leaves out what changes slowly, except where the
 * firmware insists on its exact list (docs/protocol.md §3.1, v3).
 */
export function readsOf(model: Model, lane: Lane): Read[] {
  const names = Object.keys(model.properties)
  const due = names.filter((name) => lane === 'all' || property(model, name).lane === 'fast')
  const together = (model.exactList ? names : due).filter((name) => isListed(property(model, name)))
  const apart = due.filter((name) => !isListed(property(model, name)))
  return [
    ...(together.length > 0 ? [getProp(model, together)] : []),
    ...apart.map((name) => readOf(model, name)),
  ]
}

/** The one question that answers `name`, together with what must be asked with it. */
export function readOf(model: Model, name: string): Read {
  const asked = property(model, name)
  switch (asked.address.via) {
    case 'get_prop':
      return getProp(
        model,
        model.exactList
          ? Object.keys(model.properties).filter((other) => isListed(property(model, other)))
          : [name],
      )
    case 'method':
      return {method: asked.address.method, params: [], properties: [name]}
  }
}

/** The values in an answer. One that does not have the shape of its question cannot be matched by position: all is unknown. */
export function valuesIn(answer: unknown, read: Read, model: Model): State {
  const list = Array.isArray(answer) && answer.length === read.properties.length ? answer : undefined
  const values: State = {}
  for (const [position, name] of read.properties.entries())
    values[name] = list ? fromFirmware(property(model, name), list[position]) : null
  return values
}

/** The order that brings a writable property to `value`. @throws TypeError when there is none: check `isWritable` first. */
export function writeOf(wanted: Property, value: Value): Write {
  if (wanted.address.via !== 'get_prop' || !wanted.address.write)
    throw new TypeError('expected a writable property')
  const write = wanted.address.write
  if (!('method' in write)) return {method: value === 'ON' ? write.on : write.off, params: []}
  return {method: write.method, params: [value === 'ON' ? 'on' : 'off']}
}

/** Whether an answer to an order means it was carried out: `["ok"]` mostly, `"ok"`, `"OK"` and `0` elsewhere (§1.7). */
export function isOk(answer: unknown): boolean {
  const said = Array.isArray(answer) && answer.length === 1 ? answer[0] : answer
  return said === 0 || (typeof said === 'string' && said.toLowerCase() === 'ok')
}

/** @throws Error for a name the model does not have */
export function property(model: Model, name: string): Property {
  const found = Object.hasOwn(model.properties, name) ? model.properties[name] : undefined
  if (!found) throw new Error(`${model.name} has no property ${excerpt(name)}`)
  return found
}

function getProp(model: Model, names: readonly string[]): Read {
  const params = names.map((name) => {
    const {address} = property(model, name)
    return address.via === 'get_prop' ? address.name : name
  })
  return {method: 'get_prop', params, properties: names}
}

function isListed({address, alone}: Property): boolean {
  return address.via === 'get_prop' && !alone
}

import {beforeEach, describe, expect, it} from 'vitest'
import {type Claimant, DeviceIdOwners} from '../../../src/app/device-id-owners.ts'

const DID = 7

let owners: DeviceIdOwners
let happened: string[]

beforeEach(() => {
  owners = new DeviceIdOwners()
  happened = []
  a = plug('a')
  b = plug('b')
  c = plug('c')
})

function plug(name: string): Claimant {
  return {
    name,
    yieldTo: (owner) => happened.push(`${name} yields to ${owner}`),
    takeOver: () => happened.push(`${name} takes over`),
  }
}

let a: Claimant
let b: Claimant
let c: Claimant

describe('a device id', () => {
  it('is that of the plug with the first request, again and again', () => {
    expect([owners.mayRequest(DID, a), owners.prove(DID, a), owners.mayRequest(DID, a)]).toEqual([
      true,
      true,
      true,
    ])
    expect(owners.mayRequest(DID, b)).toBe(false)
    expect(owners.prove(DID, b)).toBe(false)
    expect(happened[0]).toBe('b yields to a')
  })

  it('has nothing to do with another one', () => {
    expect([owners.mayRequest(DID, a), owners.mayRequest(8, b)]).toEqual([true, true])
    expect(happened).toEqual([])
  })

  it('goes to the plug that got a response, from one that only expects it', () => {
    owners.mayRequest(DID, a)
    expect(owners.prove(DID, b)).toBe(true)
    expect(happened).toEqual(['a yields to b'])
    expect(owners.mayRequest(DID, a)).toBe(false)
  })

  it('without a response may be used by all, until one gets a response', () => {
    owners.mayRequest(DID, a)
    owners.mayRequest(DID, b)
    owners.giveUp(DID, a)
    expect(happened).toEqual(['b yields to a', 'b takes over'])
    expect([owners.mayRequest(DID, a), owners.mayRequest(DID, b)]).toEqual([true, true])
    owners.giveUp(DID, b)
    expect(owners.prove(DID, b)).toBe(true)
    expect(owners.mayRequest(DID, a)).toBe(false)
  })

  it('with a response stays with its owner', () => {
    owners.prove(DID, a)
    owners.mayRequest(DID, b)
    owners.giveUp(DID, a)
    expect(owners.mayRequest(DID, b)).toBe(false)
    expect(owners.mayRequest(DID, a)).toBe(true)
  })

  it('goes to the next plug when its owner is removed, and the others wait on', () => {
    owners.prove(DID, a)
    for (const other of [b, c]) owners.mayRequest(DID, other)
    happened = []
    owners.release(DID, a)
    expect(happened).toEqual(['b takes over'])
    expect([owners.mayRequest(DID, b), owners.prove(DID, b), owners.mayRequest(DID, c)]).toEqual([
      true,
      true,
      false,
    ])
  })

  it('is not waited for by a plug that is removed', () => {
    owners.prove(DID, a)
    owners.mayRequest(DID, b)
    owners.release(DID, b)
    happened = []
    owners.release(DID, a)
    expect(happened).toEqual([])
    expect(owners.mayRequest(DID, c)).toBe(true)
  })

  it('is neither taken nor waited for by what is still under way of a plug that is removed', () => {
    for (const released of [DID, undefined]) {
      owners = new DeviceIdOwners()
      owners.prove(DID, a)
      owners.release(DID, a)
      owners.release(released, b)
      happened = []
      for (const stopped of [a, b])
        expect([owners.mayRequest(DID, stopped), owners.prove(DID, stopped)]).toEqual([true, true])
      expect([owners.mayRequest(DID, c), owners.prove(DID, c)]).toEqual([true, true])
      for (const stopped of [a, b])
        expect([owners.mayRequest(DID, stopped), owners.prove(DID, stopped)]).toEqual([true, true])
      owners.release(DID, c)
      expect(happened).toEqual([])
      expect(owners.mayRequest(DID, plug('d'))).toBe(true)
    }
  })
})

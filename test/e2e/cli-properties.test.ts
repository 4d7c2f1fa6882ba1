import {beforeAll, describe, expect, it} from 'vitest'
import type {SimulatedPlug} from '../../src/simulator/simulated-plug.ts'
import {freeAddress} from '../support/addresses.ts'
import {startPlug, TOKEN} from '../support/bridge.ts'
import {Program} from '../support/program.ts'

let desk: SimulatedPlug

beforeAll(async () => {
  desk = await startPlug({address: freeAddress(), model: 'chuangmi.plug.v3'})
})

const type = (...words: string[]) =>
  new Program([...words, '--host', desk.address], {env: {MIIO_TOKEN: TOKEN}}).waitForEnd()

describe('the command line', () => {
  it.each([
    [['set', 'POWER', 'ON'], 'state'],
    [['set', 'relay', 'ON'], 'state'],
    [['get', 'consumption'], 'power'],
    [['get', 'State'], 'state'],
  ])('suggests a property in the error of %j', async (words, meant) => {
    const {code, stderr} = await type(...words)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(new RegExp(`, did you mean "${meant}"\\?`))
  })
})

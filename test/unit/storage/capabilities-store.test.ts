import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect, it} from 'vitest'
import {systemClock} from '../../../src/common/clock.ts'
import {capabilitiesIn} from '../../../src/storage/capabilities-store.ts'
import {StateStore} from '../../../src/storage/state-store.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {random} from '../../support/seeds.ts'

it('what was found out of a model is remembered, but not of one that the user describes and may have edited since', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-tolerances-'))
  const store = await StateStore.open(folder, {
    clock: systemClock,
    random,
    log: new RememberingLog(),
  })
  const models = ['cuco.plug.v3', 'acme.plug.one']
  const run = () => capabilitiesIn(store, new Set(['acme.plug.one']))
  const first = run()
  for (const model of models) {
    expect(first(model, '1.0')).toBe(first(model, '1.0'))
    first(model, '1.0').limitBatch(2)
    expect(first(model, '1.0').batch).toBe(2)
  }
  const second = run()
  expect(models.map((model) => second(model, '1.0').batch)).toEqual([2, undefined])
  await store.close()
  await rm(folder, {recursive: true})
})

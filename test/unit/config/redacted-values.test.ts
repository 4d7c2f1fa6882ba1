import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect, it, onTestFinished} from 'vitest'
import {ConfigError, loadConfig} from '../../../src/config/config.ts'
import {TOKEN} from '../../support/token.ts'

const VALUE = 'hunter2-from-elsewhere'

/** The problems of a configuration in which the value of `here` comes from a variable, a file or a secret. */
async function problems(configuration: (here: string) => string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-unseen-'))
  onTestFinished(() => rm(folder, {recursive: true}))
  await writeFile(join(folder, 'secrets.yaml'), `value: ${VALUE}\n`)
  await writeFile(join(folder, 'value'), `${VALUE}\n`)
  const found = ['!secret value', '!file value', '!env VALUE'].map(async (here, index) => {
    const file = join(folder, `config${index}.yaml`)
    await writeFile(file, configuration(here))
    return loadConfig(file, {VALUE}).then(
      () => 'valid',
      (error: unknown) => (error instanceof ConfigError ? error.message : Promise.reject(error)),
    )
  })
  return Promise.all(found)
}

it.each<[string, (here: string) => string, RegExp]>([
  ['the folder of own models', (here) => `models: ${here}`, /models: cannot read the folder/],
  ['the state folder', (here) => `state_dir: [${here}]\n`, /state_dir: expected a path, got a list/],
  ['a state folder below a file', (here) => `state_dir: ${here}`, /^valid$/],
  [
    'a member of a group',
    (here) => `devices: {desk: {host: 192.0.2.1, token: ${TOKEN}}}\ngroups: {all: {members: [${here}]}}`,
    /groups\.all\.members\.0: expected the name of a plug/,
  ],
  ['an address', (here) => `network: {bind: ${here}}`, /network\.bind: expected/],
  ['a topic', (here) => `mqtt: {base_topic: ${here}/#}`, /valid|base_topic/],
  ['a level of the log', (here) => `log: {level: ${here}}`, /log\.level: expected/],
])('A value from elsewhere is in no error, whatever finds it wrong: %s.', async (_, configuration, words) => {
  for (const found of await problems(configuration)) {
    expect(found).toMatch(words)
    expect(found).not.toContain(VALUE)
  }
})

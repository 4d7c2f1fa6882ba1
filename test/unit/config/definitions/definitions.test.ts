import {describe, expect, it} from 'vitest'
import {ConfigError, type Problem, parseConfig} from '../../../../src/config/config.ts'
import {formatDefinition} from '../../../../src/config/definitions/definition.ts'
import {parseDefinitions, readDefinitionFolder} from '../../../../src/config/definitions/definition-files.ts'
import {builderFor, builderTable, PROPERTY_NAMES} from '../../../../src/models/builder-table.ts'
import {
  action,
  button,
  celsius,
  childLock,
  complete,
  kilowattHours,
  led,
  method,
  minutes,
  miot,
  onOff,
  overload,
  powerOnBehavior,
  prop,
  relay,
  socket,
  watts,
} from '../../../../src/models/builders.ts'
import {builtIn, Catalogue, definitions} from '../../../../src/models/catalogue.ts'
import type {Model} from '../../../../src/models/model.ts'

const HEAD = 'ids: [acme.plug.one]\nname: ACME plug\nvendor: ACME\n'
const file = (content: string, name = 'models/acme.yaml') => ({file: name, content})
const acme = (...properties: string[]) =>
  file(`${HEAD}properties:\n  state: {miot: 2.1}\n${properties.map((each) => `  ${each}\n`).join('')}`)

/** The one definition in a file without a mistake. */
function definitionIn(content: string): Model | undefined {
  const {models, problems} = parseDefinitions([file(content)])
  expect(problems).toEqual([])
  return models[0]
}

function property(line: string) {
  const {models, problems} = parseDefinitions([acme(line)])
  expect(problems).toEqual([])
  return Object.values(models[0]?.properties ?? {})[1]
}

function problemsOf(...files: {file: string; content: string}[]): string[] {
  return parseDefinitions(files).problems.map(inOneLine)
}

function inOneLine({file: name, line, column, path, message}: Problem): string {
  return `${name}:${line}:${column} ${path}: ${message}`
}

describe('a definition in a file', () => {
  it('is the same model as the literal with the same builders', () => {
    const content = `
ids: [acme.plug.one, acme.plug.two]
name: ACME plug
vendor: ACME
confidence: hardware
evidence: my own plug and a watt meter
batch: 1
interval: 120s
pause: 1s
exact_list: true
properties:
  state: {get_prop: power, set: set_power}
  state_1: {miot: 3.1}
  usb: {get_prop: usb_on, set: {on: set_usb_on, off: set_usb_off}, raw: boolean}
  led: {miot: 4.1, is: on_off, label: Light}
  power: {method: get_power, scale: 0.01}
  energy: {miot: 3.1, scale: 0.01, evidence: compared with the app for a week}
  temperature: {miot: 2.6, offset: -2}
  power_on_behavior: {miot: 2.2, values: {0: previous, 1: on, 2: off}}
  overload: {miot: 2.3, on: [2, 3]}
  child_lock: {miot: 7.1, lane: slow}
  surge_power: {is: watts, label: Surge power, miot: 5.7}
  running_time: {is: minutes, miot: 5.8}
  refresh: {is: button, action: 15.1}
`
    const literal: Model = {
      ids: ['acme.plug.one', 'acme.plug.two'],
      name: 'ACME plug',
      vendor: 'ACME',
      confidence: 'hardware',
      evidence: 'my own plug and a watt meter',
      batch: 1,
      interval: 120_000,
      pause: 1000,
      exactList: true,
      properties: {
        state: relay(prop('power', 'set_power')),
        state_1: socket(1, miot(3, 1)),
        usb: onOff('USB', prop('usb_on', {on: 'set_usb_on', off: 'set_usb_off'}), {
          icon: 'mdi:usb-port',
          raw: 'boolean',
        }),
        led: onOff('Light', miot(4, 1)),
        power: watts(method('get_power'), {scale: 0.01}),
        energy: kilowattHours(miot(3, 1), {scale: 0.01, evidence: 'compared with the app for a week'}),
        temperature: celsius(miot(2, 6), {offset: -2}),
        power_on_behavior: powerOnBehavior(miot(2, 2), [
          [0, 'previous'],
          [1, 'on'],
          [2, 'off'],
        ]),
        overload: overload(miot(2, 3), {on: [2, 3]}),
        child_lock: childLock(miot(7, 1), {lane: 'slow'}),
        surge_power: watts(miot(5, 7), {label: 'Surge power'}),
        running_time: minutes('Running time', miot(5, 8)),
        refresh: button('Refresh', action(15, 1)),
      },
    }
    expect(definitionIn(content)).toEqual(literal)
  })

  it('needs only ids, name, vendor and the relay', () => {
    expect(definitionIn(`${HEAD}properties: {state: {miot: 2.1}}`)).toEqual({
      ids: ['acme.plug.one'],
      name: 'ACME plug',
      vendor: 'ACME',
      confidence: 'inferred',
      evidence: 'own definition models/acme.yaml',
      properties: {state: relay(miot(2, 1))},
    })
  })

  it.each([
    ['2.1', {via: 'miot', siid: 2, piid: 1}],
    ['2.10', {via: 'miot', siid: 2, piid: 10}],
    ['"2.10"', {via: 'miot', siid: 2, piid: 10}],
    ['10.100', {via: 'miot', siid: 10, piid: 100}],
  ])('has the text %s for what stands there, not the number', (written, address) => {
    expect(property(`power: {miot: ${written}}`)?.address).toEqual(address)
  })

  it('may be JSON, with numbers as they were written', () => {
    const json = `{"ids": ["acme.plug.one"], "name": "ACME plug", "vendor": "ACME",
      "properties": {"state": {"miot": 2.1}, "power": {"miot": 3.10, "scale": 1e-1}}}`
    expect(definitionIn(json)?.properties['power']).toEqual(watts(miot(3, 10), {scale: 0.1}))
  })

  it('keeps the values of the firmware apart: numbers, true and false, text', () => {
    const line = 'mode: {get_prop: mode, set: set_mode, values: {0: low, true: usual, green: best}}'
    expect(property(line)).toMatchObject({
      values: [
        [0, 'low'],
        [true, 'usual'],
        ['green', 'best'],
      ],
    })
  })
})

describe('a mistake in a definition', () => {
  it.each([
    ['power: {miot: 3.2, scale: tenth}', '6:22 properties.power.scale: expected a number, got "tenth"'],
    ['power: {miot: 3.2, scale: 0}', '6:22 properties.power.scale: expected a number other than 0'],
    ['power: {miot: 3.2, scal: 0.1}', '6:22 properties.power.scal: unknown key, did you mean "scale"?'],
    ['power: {miot: 3.2, values: {0: a}}', '6:22 properties.power.values: unknown key'],
    ['power: {miot: 3}', '6:11 properties.power.miot: expected service and property, such as 2.1, got "3"'],
    [
      'power: {miot: }',
      '6:11 properties.power.miot: expected service and property, such as 2.1, got nothing',
    ],
    [
      'power: {scale: 1}',
      '6:3 properties.power: expected one of miot, get_prop, method and action, got none',
    ],
    [
      'power: {miot: 3.2, method: get_power}',
      '6:3 properties.power: expected one of miot, get_prop, method and action, got miot and method',
    ],
    [
      'power: {action: 3.2}',
      '6:3 properties.power: expected miot, get_prop or method, got action, which has no value',
    ],
    [
      'power: {miot: 3.2, set: set_power}',
      '6:22 properties.power.set: expected get_prop beside it: miot needs no `set`',
    ],
    ['led: {get_prop: wifi_led}', '6:3 properties.led: expected a way to set it: miot, or get_prop with set'],
    [
      'usb: {get_prop: usb_on, set: {on: set_usb_on}}',
      '6:27 properties.usb.set: expected the name of a method, or {on: …, off: …} with one for each',
    ],
    [
      'led: {get_prop: a, set: miIO.ota}',
      '6:22 properties.led.set: expected the name of a method, or {on: …, off: …} with one for each',
    ],
    [
      'power: {method: miIO.info}',
      '6:11 properties.power.method: expected the name of a method, got "miIO.info"',
    ],
    ['refresh: {is: button, miot: 2.5}', '6:3 properties.refresh: expected action, got what has a value'],
    [
      'power_on_behavior: {miot: 2.2}',
      "6:3 properties.power_on_behavior.values: expected a mapping from the firmware's values to words, got nothing",
    ],
    [
      'power_on_behavior: {miot: 2.2, values: {0: memory}}',
      '6:43 properties.power_on_behavior.values.0: expected off, on or previous, got "memory"',
    ],
    [
      'countdown: {miot: 2.5, max: 0}',
      '6:26 properties.countdown.max: expected more than 0, the least, got 0',
    ],
    [
      'surge: {miot: 5.7}',
      /^6:3 properties\.surge: the name does not say what it is: expected `is` with one of relay, /,
    ],
    [
      'surge: {is: wats, miot: 5.7}',
      /^6:11 properties\.surge\.is: expected one of relay, .*, got "wats", did you mean "watts"\?$/,
    ],
    [
      'later: {is: minutes_setting, miot: 2.5, step: 0}',
      '6:43 properties.later.step: expected a number above 0',
    ],
    [
      'set: {is: switch, miot: 3.2}',
      /^6:3 properties\.set: expected another name: this one is a word of the topics/,
    ],
    ['Power: {miot: 3.2}', /^6:3 properties\.Power: expected a name of small letters/],
    [
      'rssi: {is: watts, miot: 3.2}',
      '6:3 properties.rssi: the bridge adds this property to every plug by itself',
    ],
    [
      'power: 3.2',
      '6:3 properties.power: expected where it is found, such as {miot: 2.1}, got a single value',
    ],
    ['power: {miot: !env SIID}', '6:11 properties.power.miot: expected plain text: !env is for config.yaml'],
    ['state: {miot: 2.2}', '6:3 properties.state: this key was written before in the same mapping'],
  ])('is reported at its place with what was expected: %s', (line, message) => {
    const [first = ''] = problemsOf(acme(line))
    const problem = first.replace('models/acme.yaml:', '')
    if (typeof message === 'string') expect(problem).toBe(message)
    else expect(problem).toMatch(message)
  })

  it('does not hide the others: those of one file are all reported, and those of all files', () => {
    const one = file('ids: [acme]\nname: ACME\nvendor: [a]\nbatchs: 2\nproperties:\n  power: {miot: x}\n')
    expect(problemsOf(one, file('ids: [', 'models/b.yaml'), file('', 'models/c.json'))).toEqual([
      'models/acme.yaml:1:7 ids.0: expected a model such as chuangmi.plug.v3, got "acme"',
      'models/acme.yaml:3:1 vendor: expected the maker, got a list',
      'models/acme.yaml:4:1 batchs: unknown key, did you mean "batch"?',
      'models/acme.yaml:5:1 properties: expected the relay as the first property, a switch called state (or state_1), got "power"',
      'models/acme.yaml:6:11 properties.power.miot: expected service and property, such as 2.1, got "x"',
      expect.stringMatching(/^models\/b\.yaml:1:\d+ : /),
      'models/c.json:1:1 : expected a mapping, got a single value',
    ])
  })

  it('is to have anything else than a switch where the relay belongs', () => {
    expect(problemsOf(file(`${HEAD}properties: {state: {is: watts, miot: 2.1}}`))).toEqual([
      'models/acme.yaml:4:1 properties: expected the relay as the first property, a switch called state (or state_1), got "state"',
    ])
  })

  it('is to define an id twice, and both files are named', () => {
    const other = {...acme(), file: 'models/other.yaml'}
    expect(problemsOf(acme(), other)).toEqual([
      'models/other.yaml:1:7 ids.0: acme.plug.one is defined in models/acme.yaml already',
    ])
  })
})

describe('the configuration', () => {
  const options = {file: 'config.yaml', env: {}}

  it('has what comes with the program, and the own definitions before it', () => {
    expect(parseConfig('', options).catalogue).toBe(builtIn)
    const {catalogue} = parseConfig('models: models', {...options, models: [acme()]})
    expect(catalogue.ids).toEqual(['acme.plug.one', ...builtIn.ids])
    expect(catalogue.find('acme.plug.one')?.properties).toHaveProperty('rssi')
    expect([...catalogue.own]).toEqual(['acme.plug.one'])
    expect(catalogue.replaced).toEqual([])
  })

  it('lets an own definition stand in place of a built-in one, for that id alone', () => {
    const own = file(acme().content.replace('acme.plug.one', 'chuangmi.plug.m1'))
    const {catalogue} = parseConfig('models: models', {...options, models: [own]})
    expect(catalogue.replaced).toEqual(['chuangmi.plug.m1'])
    expect(catalogue.find('chuangmi.plug.m1')?.vendor).toBe('ACME')
    expect(catalogue.find('chuangmi.plug.m3')).toBe(builtIn.find('chuangmi.plug.m3'))
    expect(catalogue.ids.length).toBe(builtIn.ids.length)
  })

  it('has its own problems and those of all definitions reported at once', () => {
    const broken = (name: string) => ({...acme('power: {miot: 3}'), file: name})
    const read = () =>
      parseConfig('pol: {}\nmodels: models', {
        ...options,
        models: [broken('models/b.yaml'), broken('models/a.yaml')],
      })
    expect(read).toThrow(ConfigError)
    expect(read).toThrow(
      /^config\.yaml:1:1 pol: unknown key.*\nmodels\/a\.yaml:6:11 .*\nmodels\/b\.yaml:6:11 properties\.power\.miot: .*$/,
    )
  })
})

describe('a folder of definitions', () => {
  it('that is not there is a problem', async () => {
    expect(await readDefinitionFolder('no/such/folder')).toEqual({
      problem: 'cannot read the folder no/such/folder: there is no such file',
    })
    expect(await readDefinitionFolder('package.json')).toEqual({
      problem: 'cannot read the folder package.json: it is no folder',
    })
  })
})

describe('a definition written as a file', () => {
  it.each(definitions.map((model) => [model.ids.join(), model] as const))(
    'is the same again: %s',
    (_, model) => {
      expect(definitionIn(formatDefinition(model))).toEqual(model)
    },
  )

  it.each(builtIn.ids)('leaves out what every plug has: %s', (id) => {
    const model = builtIn.find(id)
    const again = model && definitionIn(formatDefinition(model))
    expect(again && complete(again)).toEqual(model)
  })

  it('is short: what a builder sets by itself is left out', () => {
    expect(
      formatDefinition(new Catalogue().find('chuangmi.plug.hmi208') ?? definitions[0] ?? fail()),
    ).toMatch(/\n {2}temperature: \{get_prop: temperature\}\n/)
    const model: Model = {
      ids: ['a.b.c'],
      name: 'A',
      vendor: 'B',
      confidence: 'hardware',
      evidence: 'seen',
      interval: 120_000,
      properties: {state: relay(miot(2, 10)), light: led(miot(3, 1), {lane: 'fast'})},
    }
    expect(formatDefinition(model)).toBe(
      'ids: [a.b.c]\nname: A\nvendor: B\nconfidence: hardware\nevidence: seen\ninterval: 2m\nproperties:\n' +
        '  state: {miot: 2.10}\n  light: {is: led, miot: 3.1, lane: fast}\n',
    )
  })
})

describe('the vocabulary of files', () => {
  it('has a word for every name, but for those the bridge adds itself', () => {
    const names = [...PROPERTY_NAMES.keys()].map((name) => name.replace(/_n$/, '_1'))
    const wordless = names.filter((name) => !builderTable.has(builderFor(name) ?? ''))
    expect(wordless).toEqual(['energy_today', 'rssi', 'last_seen'])
  })
})

function fail(): never {
  throw new Error('expected a definition')
}

/** The summary in the log of a running bridge: which plugs are online, and what was announced to Home Assistant. */
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import {loopback} from '../support/addresses.ts'
import {configText, startPlug} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Program} from '../support/program.ts'
import {TerminalScreen} from '../support/screen.ts'
import {until} from '../support/wait.ts'

const broker = await startMosquitto()
const desk = await startPlug({address: loopback(1, 1), model: 'chuangmi.plug.v3'})
const kettle = await startPlug({address: loopback(1, 2)})
const lamp = await startPlug({address: loopback(1, 3)})
const strange = await startPlug({address: loopback(1, 4), faults: {wrongToken: 'nak'}})

/** The lines that `pattern` finds, of a program's log. */
const linesOf = (program: Program, pattern: RegExp) =>
  program.stdout.split('\n').filter((line) => pattern.test(line))

describe('the running bridge', () => {
  it('lists the plugs that are online, the others with the reason, and what was announced to Home Assistant; again after a reload and when the broker returns', async () => {
    const program = new Program(['run', '--config', 'config.yaml'])
    onTestFinished(() => program.abandon())
    const file = join(program.home, 'config.yaml')
    const text = (plugs: Parameters<typeof configText>[0]['plugs']) =>
      configText({broker, plugs, config: {groups: {evening: {members: ['desk']}}}})
    await writeFile(file, text({desk, 'kitchen/kettle': kettle, strange}))

    await program.waitForOutput(/Home Assistant: .*/)
    const [online, announced] = linesOf(program, /plugs? online|Home Assistant/)
    expect(online).toMatch(
      new RegExp(
        `INFO  2 of 3 plugs online: desk \\(Mi Smart Plug, ${desk.address}\\), ` +
          `kitchen/kettle \\(Mi Smart Plug, ${kettle.address}\\); offline: strange \\(${strange.address}, wrong token\\)$`,
      ),
    )
    expect(announced).toMatch(
      /INFO {2}Home Assistant: announced 2 of 3 plugs and 1 group on homeassistant\/…; after its first answer: strange$/,
    )

    await writeFile(file, text({desk, 'kitchen/kettle': kettle, lamp}))
    program.signal('SIGHUP')
    await program.waitForOutput(/added or changed: .*/)
    await until(() => linesOf(program, /Home Assistant/).length === 2, {what: 'Home Assistant again'})
    expect(linesOf(program, /plugs? online/)[1]).toMatch(
      new RegExp(`INFO  added or changed: 1 of 1 plug online: lamp \\(Mi Smart Plug, ${lamp.address}\\)$`),
    )
    expect(linesOf(program, /Home Assistant/)[1]).toMatch(/announced 1 plug on homeassistant\/…$/)

    await broker.stop()
    await program.waitForOutput(/(lost|cannot|disconnected|gone).*mqtt:/)
    await broker.start()
    await until(() => linesOf(program, /Home Assistant/).length === 3, {what: 'Home Assistant once more'})
    expect(linesOf(program, /plugs? online/)[2]).toMatch(
      /INFO {2}3 of 3 plugs online: desk .*, kitchen\/kettle .*, lamp /,
    )
    expect(linesOf(program, /Home Assistant/)[2]).toMatch(
      /announced 3 plugs and 1 group on homeassistant\/…$/,
    )
  })

  it.each([80, 110])('tells its story in a few lines on a terminal of %s columns', async (columns) => {
    const screen = new TerminalScreen(['run', '--config', 'config.yaml'], {columns})
    onTestFinished(() => screen.close())
    await writeFile(
      join(screen.home, 'config.yaml'),
      configText({broker, plugs: {desk}, config: {mqtt: {url: broker.url, base_topic: `screen${columns}`}}}),
    )
    // Wherever the terminal breaks its lines.
    const shown = () => screen.text.replace(/\s/g, '')
    const spoken = (text: string) => text.replace(/\s/g, '')
    await until(() => shown().includes(spoken('Home Assistant: announced 1 plug on homeassistant/…')), {
      what: () => `what was announced to Home Assistant:\n${screen.text}`,
    })
    expect(shown()).toContain(spoken(`INFO 1 of 1 plug online: desk (Mi Smart Plug, ${desk.address})`))
    expect(screen.text.match(/ (INFO|WARN|ERROR) /g)?.length).toBeLessThan(7)
    screen.type('\x03')
    expect(await screen.ended()).toBe(0)
  })
})

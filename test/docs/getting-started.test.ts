/** Follows docs/getting-started.md step by step with a real broker and a simulated plug. Only addresses, port and token differ from the page. */
import {execFile} from 'node:child_process'
import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, describe, expect, inject, it} from 'vitest'
import {BROADCAST, loopback} from '../support/addresses.ts'
import {inReachOfBroadcasts, startPlug, TOKEN} from '../support/bridge.ts'
import {startMosquitto} from '../support/mosquitto.ts'
import {Program} from '../support/program.ts'
import {until} from '../support/wait.ts'
import {type Block, documentAt} from './markdown.ts'

const HOST = loopback(3, 1)
/** These install programs: test/setup installs what the tests need. */
const INSTALLS = /^(?:sudo |npm |node )/

const {blocks} = documentAt('docs/getting-started.md')

describe.skipIf(!inject('tools').mosquitto)(
  'docs/getting-started.md, followed from top to bottom',
  async () => {
    const broker = await startMosquitto()
    const plug = await startPlug({address: HOST})
    await inReachOfBroadcasts([plug])
    const folder = await mkdtemp(join(tmpdir(), 'miio2mqtt-started-'))
    const outputs = new Map<string, string>()
    let bridge: Program | undefined

    afterAll(async () => {
      bridge?.signal('SIGINT')
      await bridge?.waitForEnd()
      await rm(folder, {recursive: true, force: true})
    })

    await writeFile(
      join(folder, 'miio2mqtt'),
      `#!/bin/sh\nexec "${process.execPath}" "${resolve('dist/main.js')}" "$@"\n`,
    )
    await chmod(join(folder, 'miio2mqtt'), 0o755)

    it.each(blocks.map((block) => [block.at, block] as const))('works at %s', async (_, block) => {
      if (block.language === 'yaml') await writeFile(join(folder, 'config.yaml'), adapted(block.text))
      else if (block.language === 'sh') for (const line of block.text.trim().split('\n')) await type(line)
      else await expectOutput(block)
    })

    it('printed what the page says', () => {
      expect(outputs.get('miio2mqtt discover')).toMatch(new RegExp(`^${plug.did} +${HOST}`, 'm'))
      const info = [...outputs].find(([line]) => line.startsWith('miio2mqtt info'))?.[1]
      expect(info).toMatch(/^model +chuangmi\.plug\.m1$/m)
      expect(outputs.get('miio2mqtt check')).toMatch(/^config\.yaml is valid: 1 plug: desk$/m)
      expect(outputs.get('miio2mqtt status')).toMatch(/^desk +Mi Smart Plug/m)
      expect(outputs.get('miio2mqtt on desk')).toBe('desk: state is ON\n')
      expect(outputs.get('miio2mqtt off desk')).toBe('desk: state is OFF\n')
    })

    it('has switched the plug over MQTT at last', async () => {
      await until(() => plug.state['state'] === 'ON', {
        what: () => `state ON of the plug, got ${plug.state['state']}`,
      })
    })

    function adapted(text: string): string {
      return text
        .replaceAll('192.168.1.40', HOST)
        .replaceAll('00112233445566778899aabbccddeeff', TOKEN)
        .replace('localhost:1883', `127.0.0.1:${broker.port}`)
    }

    async function type(line: string): Promise<void> {
      if (INSTALLS.test(line) || line === 'miio2mqtt --version') return
      if (line === 'miio2mqtt run') {
        bridge = new Program(['run'], {cwd: folder})
        return
      }
      const env = {PATH: `${folder}:${process.env['PATH']}`, HOME: folder}
      const command = adapted(line)
        .replace(/^miio2mqtt discover$/, `$& --broadcast ${BROADCAST} --timeout 1s`)
        .replace(/^mosquitto_pub /, `$&-p ${broker.port} `)
      const {stdout} = await promisify(execFile)('sh', ['-c', command], {cwd: folder, env})
      outputs.set(line, stdout)
    }

    /** The table of `discover`, or the log of the bridge, whose lines begin with the time. */
    async function expectOutput({text}: Block): Promise<void> {
      for (const line of text.trim().split('\n')) {
        if (line.startsWith('ID '))
          expect(squeezed(outputs.get('miio2mqtt discover'))).toContain(squeezed(line))
        if (!line.startsWith('INFO ')) continue
        const [start = ''] = adapted(line).split(/…| mqtt=/)
        await bridge?.waitForOutput(new RegExp(start.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      }
    }
  },
)

/** Columns are as wide as their cells, so only the words are compared. */
function squeezed(text = ''): string {
  return text.replaceAll(/ +/g, ' ')
}

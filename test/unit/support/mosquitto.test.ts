import {once} from 'node:events'
import {createServer} from 'node:net'
import {describe, expect, inject, it} from 'vitest'
import {freePort, startMosquitto} from '../../support/mosquitto.ts'
import {mosquittoPub, mosquittoSub, Watcher} from '../../support/mqtt-user.ts'
import {until} from '../../support/wait.ts'

describe.skipIf(!inject('tools').mosquitto)('the broker that tests use', () => {
  it('carries messages between its own command-line tools, with their retain flag', async () => {
    const broker = await startMosquitto()
    await mosquittoPub(broker, '-t', 'kitchen/kettle', '-m', '{"state":"ON"}', '-r')
    const subscriber = await mosquittoSub(broker, 'kitchen/#')
    await mosquittoPub(broker, '-t', 'kitchen/kettle', '-m', 'Grüße\n"live"')
    expect(await subscriber.next()).toEqual({
      topic: 'kitchen/kettle',
      payload: '{"state":"ON"}',
      retain: true,
    })
    expect(await subscriber.next()).toEqual({
      topic: 'kitchen/kettle',
      payload: 'Grüße\n"live"',
      retain: false,
    })
  })

  it('says what came instead of the awaited message', async () => {
    const broker = await startMosquitto()
    const watcher = await Watcher.open(broker)
    const subscriber = await mosquittoSub(broker, '#')
    await mosquittoPub(broker, '-t', 'a/b', '-m', 'something else', '-r')
    await watcher.waitFor('a/b')
    await expect(watcher.waitFor('a/b', ({payload}) => payload === 'c', 50)).rejects.toThrow(
      'a/b something else',
    )
    await expect(subscriber.next(({topic}) => topic === 'c', 50)).rejects.toThrow('a/b something else')
  })

  it('tells a watcher the retained messages of now, not those of before', async () => {
    const broker = await startMosquitto()
    const watcher = await Watcher.open(broker)
    for (const name of ['one', 'two', 'three']) await watcher.publish(name, 'here', {retain: true, qos: 1})
    await watcher.publish('two', '', {retain: true, qos: 1})
    await watcher.publish('four', 'not retained', {qos: 1})
    expect(await watcher.retained()).toEqual(new Map(Object.entries({one: 'here', three: 'here'})))
  })

  it('comes back at its port with nothing in memory, and its watchers with it', async () => {
    const broker = await startMosquitto()
    const watcher = await Watcher.open(broker)
    await watcher.publish('old', 'here', {retain: true, qos: 1})
    const {url} = broker
    await broker.restart()
    expect(broker.url).toBe(url)
    expect(await watcher.retained()).toEqual(new Map())
    watcher.forget()
    await until(
      async () => {
        await mosquittoPub(broker, '-t', 'new', '-m', 'here')
        return watcher.on('new').length
      },
      {what: 'the watcher is back'},
    )
  })

  it('can be killed, and frozen and thawed', async () => {
    const broker = await startMosquitto()
    const watcher = await Watcher.open(broker)
    broker.freeze()
    const published = watcher.publish('a', 'b', {qos: 1}).then(() => 'acknowledged')
    await expect(watcher.waitFor('a', undefined, 100)).rejects.toThrow('(nothing)')
    broker.thaw()
    expect(await published).toBe('acknowledged')
    await watcher.waitFor('a')
    await broker.kill()
    await expect(mosquittoPub(broker, '-t', 'a', '-m', 'b')).rejects.toThrow('Connection refused')
  })

  it('takes lines of configuration: a password here', async () => {
    const broker = await startMosquitto({config: ['allow_anonymous false']})
    await expect(mosquittoPub(broker, '-t', 'a', '-m', 'b')).rejects.toThrow('not authorised')
    await expect(mosquittoSub(broker, 'a')).rejects.toThrow('not authorised')
  })

  it('shows its log when it cannot start', async () => {
    await expect(startMosquitto({config: ['no_such_option true']})).rejects.toThrow('no_such_option')
    const port = await freePort()
    const taken = createServer().listen(port, '127.0.0.1')
    await once(taken, 'listening')
    await expect(startMosquitto({port})).rejects.toThrow('Address already in use')
    taken.close()
  })
})

describe('until', () => {
  it('returns what the condition gave, and names what it waited for when it gave nothing', async () => {
    let asked = 0
    expect(await until(() => (++asked === 3 ? 'third' : ''), {what: 'the third'})).toBe('third')
    await expect(until(() => false, {within: 20, what: 'a miracle'})).rejects.toThrow(
      'not within 20 ms: a miracle',
    )
  })

  it('keeps the last error of a condition that threw', async () => {
    const failing = until(() => Promise.reject(new Error('the reason')), {within: 20, what: 'a miracle'})
    await expect(failing).rejects.toMatchObject({cause: new Error('the reason')})
  })
})

import {describe, expect, it} from 'vitest'
import {Outbox, type OutgoingMessage} from '../../../src/mqtt/outbox.ts'

const retained = (topic: string, payload = 'x'): OutgoingMessage => ({topic, payload, retain: true, qos: 1})
const once = (topic: string, payload = 'x'): OutgoingMessage => ({topic, payload, retain: false, qos: 1})

/** An outbox whose messages are acknowledged by hand. */
function opened({
  mostInFlight = 1,
  ...options
}: {
  mostInFlight?: number
  onDropped?: () => void
  isSentAlone?: (message: OutgoingMessage) => boolean
} = {}) {
  const outbox = new Outbox(options)
  const sent: string[] = []
  const unacknowledged: (() => void)[] = []
  outbox.open(({topic, payload}, done) => {
    sent.push(`${topic} ${payload}`)
    unacknowledged.push(done)
  }, mostInFlight)
  const acknowledge = () => unacknowledged.shift()?.()
  return {
    outbox,
    sent,
    acknowledge,
    acknowledgeAll: () => {
      while (unacknowledged.length > 0) acknowledge()
    },
  }
}

describe('the outbox', () => {
  it.each([2000, 50_000])('sends %i queued messages when each is acknowledged at once', async (many) => {
    const outbox = new Outbox()
    let sent = 0
    let first: () => void = () => {}
    outbox.open((_message, done) => {
      if (sent++ === 0) first = done
      else done()
    }, 1)
    for (let number = 0; number < many; number++) outbox.put(retained(`b/${number}`))
    expect(sent).toBe(1)
    const drained = outbox.drained()
    first()
    await drained
    expect(sent).toBe(many)
  })

  it('sends what is put while it sends, after what waited before', () => {
    const outbox = new Outbox()
    const sent: string[] = []
    outbox.open(({topic}, done) => {
      sent.push(topic)
      if (topic === 'b/first') {
        outbox.put(once('b/second'))
        outbox.put(once('b/third'))
      }
      done()
    }, 10)
    outbox.put(once('b/first'))
    expect(sent).toEqual(['b/first', 'b/second', 'b/third'])
  })

  it('is emptied by the end of the connection, also while it sends', async () => {
    const outbox = new Outbox()
    const sent: string[] = []
    outbox.open(({topic}, done) => {
      sent.push(topic)
      if (topic === 'b/2') outbox.close()
      if (topic !== 'b/0') done()
    }, 1)
    for (let number = 0; number < 5; number++) outbox.put(retained(`b/${number}`))
    outbox.close()
    await outbox.drained()
    outbox.open(({topic}, done) => {
      sent.push(topic)
      if (topic === 'b/6') outbox.close()
      done()
    }, 1)
    for (const topic of ['b/5', 'b/6', 'b/7']) outbox.put(retained(topic))
    expect(sent).toEqual(['b/0', 'b/5', 'b/6'])
  })

  it('sends a topic that changes all the time in its turn, with the newest value', () => {
    const {outbox, sent, acknowledge} = opened()
    outbox.put(retained('b/first'))
    outbox.put(retained('b/hot', '0'))
    for (let number = 1; number < 10; number++) {
      outbox.put(retained(`b/other/${number}`))
      outbox.put(retained('b/hot', String(number)))
    }
    acknowledge()
    expect(sent).toEqual(['b/first x', 'b/hot 9'])
  })

  it('keeps the newest value of each retained topic, however many there are', () => {
    const {outbox, sent, acknowledgeAll} = opened()
    for (let round = 0; round < 3; round++)
      for (let number = 0; number < 12_000; number++) outbox.put(retained(`b/${number}`, String(round)))
    acknowledgeAll()
    expect(sent).toHaveLength(12_001)
    expect(sent.filter((line) => line.endsWith(' 2'))).toHaveLength(12_000)
  })

  it('drops the oldest responses when more than 10,000 are queued, and counts them; retained messages stay', () => {
    let dropped = 0
    const {outbox, sent, acknowledgeAll} = opened({onDropped: () => dropped++})
    outbox.put(retained('b/state'))
    outbox.put(retained('b/info'))
    for (let number = 0; number < 10_500; number++) outbox.put(once('b/answer', String(number)))
    acknowledgeAll()
    expect(dropped).toBe(500)
    expect(sent.slice(0, 3)).toEqual(['b/state x', 'b/info x', 'b/answer 500'])
    expect(sent.at(-1)).toBe('b/answer 10499')
  })

  it('drops the oldest responses when they are too large together, long before there are 10,000', () => {
    let dropped = 0
    const {outbox, sent, acknowledgeAll} = opened({onDropped: () => dropped++})
    const payload = 'x'.repeat(35_000)
    outbox.put(retained('b/state'))
    for (let number = 0; number < 3000; number++) outbox.put(once(`b/${number}`, payload))
    acknowledgeAll()
    expect(sent.length - 1).toBe(3000 - dropped)
    expect((sent.length - 1) * payload.length).toBeLessThan(20 * 1024 * 1024)
    expect(sent.at(-1)?.startsWith('b/2999 ')).toBe(true)
  })

  it('sends one response that is larger than all that may be queued', () => {
    const {outbox, sent, acknowledgeAll} = opened()
    outbox.put(once('b/small'))
    outbox.put(once('b/lost'))
    outbox.put(once('b/large', 'x'.repeat(17 * 1024 * 1024)))
    acknowledgeAll()
    expect(sent.map((line) => line.slice(0, 8))).toEqual(['b/small ', 'b/large '])
  })

  it('has room for as many responses as before after these were sent', () => {
    let dropped = 0
    const {outbox, acknowledgeAll} = opened({onDropped: () => dropped++})
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 400; number++) outbox.put(once('b/answer', 'x'.repeat(35_000)))
      acknowledgeAll()
    }
    expect(dropped).toBe(0)
  })

  it('sends a suspect message alone, and the others after it', () => {
    const {outbox, sent, acknowledge} = opened({
      mostInFlight: 10,
      isSentAlone: ({topic}) => topic === 'b/suspect',
    })
    for (const topic of ['b/1', 'b/2', 'b/suspect', 'b/3', 'b/4']) outbox.put(retained(topic))
    expect(outbox.inFlight.map(({topic}) => topic)).toEqual(['b/1', 'b/2'])
    acknowledge()
    expect(sent).toHaveLength(2)
    acknowledge()
    expect(outbox.inFlight.map(({topic}) => topic)).toEqual(['b/suspect'])
    acknowledge()
    expect(outbox.inFlight.map(({topic}) => topic)).toEqual(['b/3', 'b/4'])
  })
})

import {describe, expect, it} from 'vitest'
import {BrokerWarnings} from '../../../src/mqtt/broker-warnings.ts'
import {Delivery} from '../../../src/mqtt/delivery.ts'
import type {OutgoingMessage} from '../../../src/mqtt/outgoing-message.ts'
import {RememberingLog} from '../../support/remembering-log.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'

const retained = (topic: string, payload = 'x'): OutgoingMessage => ({topic, payload, retain: true, qos: 1})
const once = (topic: string, payload = 'x'): OutgoingMessage => ({topic, payload, retain: false, qos: 1})

/** Sends one message. Calls `done`, at once or later, when the broker has acknowledged it. */
type Send = (message: OutgoingMessage, done: () => void) => void

function closedDelivery() {
  const clock = new VirtualClock()
  const warnings = new BrokerWarnings(new RememberingLog(), clock, 'test')
  const counters = {published: 0, failed: 0, dropped: 0}
  return {delivery: new Delivery({clock, warnings, counters}), counters, clock}
}

/** A session that sends by `send`. Like the real one it calls back only until it has ended. */
function session(send: Send, inFlight: number) {
  const limits = {qos: 1, retain: true, wildcards: true, packetSize: Number.POSITIVE_INFINITY} as const
  const made = {
    url: 'mqtt://broker',
    acknowledged: 0,
    features: {...limits, inFlight},
    isOver: false,
    flush: () => {},
    publish: (message: OutgoingMessage, onAcknowledged: () => void) =>
      send(message, () => {
        if (made.isOver) return
        made.acknowledged++
        onAcknowledged()
      }),
  }
  return made
}

/** A delivery whose messages are acknowledged by hand. */
function opened(maxInFlight = 1) {
  const {delivery, counters} = closedDelivery()
  const sent: string[] = []
  const unacknowledged: (() => void)[] = []
  const open = () => {
    const current = session(({topic, payload}, done) => {
      sent.push(`${topic} ${payload}`)
      unacknowledged.push(done)
    }, maxInFlight)
    delivery.open(current)
    return current
  }
  let current = open()
  const acknowledge = () => unacknowledged.shift()?.()
  return {
    delivery,
    counters,
    sent,
    acknowledge,
    acknowledgeAll: () => {
      while (unacknowledged.length > 0) acknowledge()
    },
    /** The broker ends the connection, and accepts the next one. */
    reconnect: () => {
      delivery.withholdRejected(current)
      current.isOver = true
      delivery.close()
      unacknowledged.length = 0
      sent.length = 0
      current = open()
    },
  }
}

describe('states that change faster than fifty times a second', () => {
  /** A delivery of which 50 states were just sent. */
  function busy() {
    const {delivery, clock} = closedDelivery()
    const sent: string[] = []
    delivery.open(
      session(({topic, payload}, done) => {
        sent.push(`${topic} ${payload}`)
        done()
      }, 10),
    )
    for (let number = 0; number < 50; number++) delivery.publish(retained(`b/${number}`))
    expect(sent).toHaveLength(50)
    sent.length = 0
    return {delivery, clock, sent}
  }

  it('are collected for 20 ms, and only the newest of each topic is sent', async () => {
    const {delivery, clock, sent} = busy()
    for (const payload of ['1', '2'])
      for (const topic of ['b/a', 'b/b']) delivery.publish(retained(topic, payload))
    await clock.advance(19)
    expect(sent).toEqual([])
    await clock.advance(1)
    expect(sent).toEqual(['b/a 2', 'b/b 2'])
  })

  it('go out before a result that follows them, which does not wait', () => {
    const {delivery, sent} = busy()
    delivery.publish(retained('b/state'))
    delivery.publish(once('b/result'))
    expect(sent).toEqual(['b/state x', 'b/result x'])
  })

  it('go out at once again after a second of rest', async () => {
    const {delivery, clock, sent} = busy()
    await clock.advance(1000)
    for (let number = 0; number < 51; number++) delivery.publish(retained(`b/${number}`))
    expect(sent).toHaveLength(50)
  })

  it('are sent before the connection is ended', async () => {
    const {delivery, sent} = busy()
    delivery.publish(retained('b/last'))
    await delivery.drained()
    expect(sent).toEqual(['b/last x'])
  })
})

describe('the delivery', () => {
  it('writes a new state to the socket at once: it does not wait until the result of its command is made', () => {
    const {delivery} = closedDelivery()
    const written: string[] = []
    const current = session(({topic}) => written.push(`send ${topic}`), 10)
    delivery.open({...current, flush: () => written.push('flush')})
    delivery.publish(retained('b/state'))
    expect(written).toEqual(['send b/state', 'flush'])
  })

  it.each([2000, 50_000])('sends %i queued messages when each is acknowledged at once', async (many) => {
    const {delivery} = closedDelivery()
    let sent = 0
    let first: () => void = () => {}
    const send: Send = (_message, done) => {
      if (sent++ === 0) first = done
      else done()
    }
    delivery.open(session(send, 1))
    for (let number = 0; number < many; number++) delivery.publish(retained(`b/${number}`))
    expect(sent).toBe(1)
    const drained = delivery.drained()
    first()
    await drained
    expect(sent).toBe(many)
  })

  it('sends what is put while it sends, after what waited before', () => {
    const {delivery} = closedDelivery()
    const sent: string[] = []
    const send: Send = ({topic}, done) => {
      sent.push(topic)
      if (topic === 'b/first') {
        delivery.publish(once('b/second'))
        delivery.publish(once('b/third'))
      }
      done()
    }
    delivery.open(session(send, 10))
    delivery.publish(once('b/first'))
    expect(sent).toEqual(['b/first', 'b/second', 'b/third'])
  })

  it('drops its queue at the end of the connection, also while it sends', async () => {
    const {delivery} = closedDelivery()
    const sent: string[] = []
    const openUntil = (last: string, unacknowledged: string) => {
      const current = session(({topic}, done) => {
        sent.push(topic)
        if (topic === last) end()
        if (topic !== unacknowledged) done()
      }, 1)
      const end = () => {
        current.isOver = true
        delivery.close()
      }
      delivery.open(current)
      return end
    }
    const end = openUntil('b/2', 'b/0')
    for (let number = 0; number < 5; number++) delivery.publish(retained(`b/${number}`))
    end()
    await delivery.drained()
    openUntil('b/6', '')
    for (const topic of ['b/5', 'b/6', 'b/7']) delivery.publish(retained(topic))
    await delivery.drained()
    expect(sent).toEqual(['b/0', 'b/5', 'b/6'])
  })

  it('sends a topic that changes all the time in its turn, with the newest value', () => {
    const {delivery, sent, acknowledge} = opened()
    delivery.publish(retained('b/first'))
    delivery.publish(retained('b/hot', '0'))
    for (let number = 1; number < 10; number++) {
      delivery.publish(retained(`b/other/${number}`))
      delivery.publish(retained('b/hot', String(number)))
    }
    acknowledge()
    expect(sent).toEqual(['b/first x', 'b/hot 9'])
  })

  it('keeps the newest value of each retained topic, however many there are', () => {
    const {delivery, sent, acknowledgeAll} = opened()
    for (let round = 0; round < 3; round++)
      for (let number = 0; number < 12_000; number++) delivery.publish(retained(`b/${number}`, String(round)))
    acknowledgeAll()
    expect(sent).toHaveLength(12_001)
    expect(sent.filter((line) => line.endsWith(' 2'))).toHaveLength(12_000)
  })

  it('drops the oldest results when more than 10,000 are queued, and counts them; retained messages stay', () => {
    const {delivery, counters, sent, acknowledgeAll} = opened()
    delivery.publish(retained('b/state'))
    delivery.publish(retained('b/info'))
    for (let number = 0; number < 10_500; number++) delivery.publish(once('b/result', String(number)))
    acknowledgeAll()
    expect(counters.dropped).toBe(500)
    expect(sent.slice(0, 3)).toEqual(['b/state x', 'b/info x', 'b/result 500'])
    expect(sent.at(-1)).toBe('b/result 10499')
  })

  it('drops the oldest results when they are too large together, long before there are 10,000', () => {
    const {delivery, counters, sent, acknowledgeAll} = opened()
    const payload = 'x'.repeat(35_000)
    delivery.publish(retained('b/state'))
    for (let number = 0; number < 3000; number++) delivery.publish(once(`b/${number}`, payload))
    acknowledgeAll()
    expect(sent.length - 1).toBe(3000 - counters.dropped)
    expect((sent.length - 1) * payload.length).toBeLessThan(20 * 1024 * 1024)
    expect(sent.at(-1)?.startsWith('b/2999 ')).toBe(true)
  })

  it('sends one result that is larger than all that may be queued', () => {
    const {delivery, sent, acknowledgeAll} = opened()
    delivery.publish(once('b/small'))
    delivery.publish(once('b/lost'))
    delivery.publish(once('b/large', 'x'.repeat(17 * 1024 * 1024)))
    acknowledgeAll()
    expect(sent.map((line) => line.slice(0, 8))).toEqual(['b/small ', 'b/large '])
  })

  it('has room for as many results as before after these were sent', () => {
    const {delivery, counters, acknowledgeAll} = opened()
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 400; number++) delivery.publish(once('b/result', 'x'.repeat(35_000)))
      acknowledgeAll()
    }
    expect(counters.dropped).toBe(0)
  })

  it('sends each message alone that was unacknowledged when a connection ended, and the others after it', () => {
    const {delivery, sent, acknowledge, reconnect} = opened(10)
    for (const topic of ['b/candidate', 'b/second']) delivery.publish(retained(topic))
    reconnect()
    for (const topic of ['b/1', 'b/2', 'b/candidate', 'b/3', 'b/4']) delivery.publish(retained(topic))
    expect(sent).toEqual(['b/1 x', 'b/2 x'])
    acknowledge()
    expect(sent).toHaveLength(2)
    acknowledge()
    expect(sent.slice(2)).toEqual(['b/candidate x'])
    acknowledge()
    expect(sent.slice(3)).toEqual(['b/3 x', 'b/4 x'])
  })
})

import {beforeEach, describe, expect, test} from 'vitest'
import {Mailbox} from '../../../src/miio/link.ts'
import {VirtualClock} from '../../support/virtual-clock.ts'

const letter = Buffer.from('letter')
let clock: VirtualClock
let mailbox: Mailbox

beforeEach(() => {
  clock = new VirtualClock()
  mailbox = new Mailbox(clock)
})

describe('a mailbox', () => {
  test('takes nothing while it is shut', () => {
    expect(mailbox.put(letter)).toBe(false)
  })

  test('keeps no more than 16 unread, and counts those never read', () => {
    mailbox.open()
    const taken = Array.from({length: 20}, () => mailbox.put(letter))
    expect(taken.filter(Boolean)).toHaveLength(16)
    expect(mailbox.shut()).toBe(16)
    expect(mailbox.shut()).toBe(0)
  })

  test('hands over in order, also to a later caller', async () => {
    mailbox.open()
    const first = mailbox.next(1000)
    mailbox.put(Buffer.from('1'))
    mailbox.put(Buffer.from('2'))
    expect([String(await first), String(await mailbox.next(1000))]).toEqual(['1', '2'])
    expect(clock.pending).toBe(0)
  })

  test('ends a wait at its time, or after a signal', async () => {
    mailbox.open()
    const controller = new AbortController()
    const late = mailbox.next(1000)
    await clock.advance(1000)
    expect(await late).toBeUndefined()
    expect(await mailbox.next(500)).toBeUndefined()
    const aborted = mailbox.next(5000, controller.signal)
    controller.abort()
    expect(await aborted).toBeUndefined()
    expect(await mailbox.next(5000, controller.signal)).toBeUndefined()
    expect(clock.pending).toBe(0)
    mailbox.put(letter)
    expect(await mailbox.next(5000)).toBe(letter) // not lost to one who gave up
  })
})

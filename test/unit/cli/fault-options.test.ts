import {describe, expect, it} from 'vitest'
import {UsageError} from '../../../src/cli/errors.ts'
import {faultTable, parseFaults} from '../../../src/cli/fault-options.ts'

describe('the faults of --fault', () => {
  it.each([
    ['loss=0.2', {loss: 0.2}],
    ['lose_replies=1', {loseResponses: 1}],
    ['delay=500ms', {delay: {fromMs: 500, toMs: 500}}],
    ['delay=100ms..3s', {delay: {fromMs: 100, toMs: 3000}}],
    ['delay=1.5', {delay: {fromMs: 1500, toMs: 1500}}],
    ['late_replies', {lateResponses: 0.2}],
    ['late_replies=0.5', {lateResponses: 0.5}],
    ['duplicate=0.1', {duplicate: 0.1}],
    ['garbage=0.3', {garbage: 0.3}],
    ['wrong_id=0.1', {wrongId: 0.1}],
    ['error=-9999', {error: {code: -9999, share: 1}}],
    ['error=-9999:0.3', {error: {code: -9999, share: 0.3}}],
    ['wrong_token', {wrongToken: 'nak'}],
    ['wrong_token=silent', {wrongToken: 'silent'}],
    ['silence', {silence: true}],
    ['reboot=60s', {rebootEveryMs: 60_000}],
    ['address_change=2m', {addressChangeEveryMs: 120_000}],
    ['killer=led', {failingProperties: {led: 'silence'}}],
    ['killer=led,usb:-30001', {failingProperties: {led: -30001, usb: -30001}}],
    ['item_code=led:-4003', {codes: {led: -4003}}],
    ['batch=4', {batch: {most: 4, failure: 'silence'}}],
    ['batch=4:-9999', {batch: {most: 4, failure: -9999}}],
    ['batch=1:reboot', {batch: {most: 1, failure: 'reboot'}}],
    ['answers_only=1', {maxItems: 1}],
    ['cut=231', {cutAt: 231}],
    ['missing_comma', {missingComma: true}],
    ['empty_slots', {emptySlots: true}],
    ['tail=none', {tail: 'none'}],
    ['switching=number', {switching: 'number'}],
    ['over_poll', {overPolled: {most: 20, withinMs: 30_000}}],
    ['over_poll=5/1m', {overPolled: {most: 5, withinMs: 60_000}}],
  ])('%s', (text, faults) => {
    expect(parseFaults([text])).toEqual(faults)
  })

  it('are merged, the later of two alike counts', () => {
    expect(parseFaults(['loss=0.1', 'silence', 'loss=0.4'])).toEqual({loss: 0.4, silence: true})
    expect(parseFaults([])).toEqual({})
  })

  it('an unknown fault is an error that lists the known ones', () => {
    expect(() => parseFaults(['lag=3'])).toThrow(
      /unknown fault "lag".*loss=0\.2.*wrong_token=silent.*reboot=60s/,
    )
    expect(() => parseFaults(['constructor'])).toThrow(UsageError)
  })

  it.each([
    ['loss=2', 'fault loss: expected a share from 0 to 1, got "2", as in loss=0.2'],
    ['loss=', 'fault loss: expected a share from 0 to 1, got "", as in loss=0.2'],
    ['delay', 'expected a duration such as 500ms, 15s or 2m, got ""'],
    ['delay=3s..1s', 'expected the shorter duration first, got "3s..1s"'],
    ['reboot=0', 'expected a duration above zero, got "0"'],
    ['error=often', `expected the plug's error code, got "often"`],
    ['wrong_token=maybe', 'expected nak or silent, got "maybe"'],
    ['silence=yes', 'expected no value, got "yes"'],
    ['killer', 'expected properties, got ""'],
    ['killer=led:-1', 'expected silence, reboot, -9999 or -30001, got "-1"'],
    ['item_code=led', `expected the plug's error code, got ""`],
    ['batch=0', 'expected a number above zero, got "0"'],
    ['cut=much', 'expected a number above zero, got "much"'],
    ['tail=long', 'expected text, nuls or none, got "long"'],
    ['switching=yes', 'expected boolean, text or number, got "yes"'],
    ['over_poll=20', 'expected a duration'],
    ['missing_comma=2', 'expected no value, got "2"'],
  ])('the error for %s names what was expected', (text, message) => {
    expect(() => parseFaults([text])).toThrow(message)
  })

  it('every example in the help is itself accepted', () => {
    for (const [name, {example}] of faultTable) {
      expect(example.split('=')[0]).toBe(name)
      expect(parseFaults([example])).not.toEqual({})
    }
  })
})

import assert from 'node:assert/strict'
import { AppError } from '../../runtime/errors.ts'
import { createPlaces } from './places.ts'

const refusedAs = (kind: string) => (error: unknown) =>
  error instanceof AppError && error.kind === kind && error.retryAfterSeconds === 1

describe('places', () => {
  it('are refused when all are taken, and counted then', () => {
    let refused = 0
    const places = createPlaces({ what: 'x', max: 2, refused: { inc: () => refused++ } })
    places.take('a')
    const given = places.take('b')

    assert.throws(() => places.take('c'), refusedAs('unavailable'))
    given[Symbol.dispose]()
    places.take('c')

    assert.equal(places.taken(), 2)
    assert.equal(refused, 1)
  })

  it('go to a client up to its share only, so that the others find room', () => {
    const places = createPlaces({ what: 'x', max: 10, perClient: 3 })
    places.take('greedy', 2)
    places.take('greedy')

    assert.throws(() => places.take('greedy'), refusedAs('too_many_requests'))
    places.take('other', 3)
  })

  it('are given back once, however often that is said', () => {
    const places = createPlaces({ what: 'x', max: 3 })
    places.take('a')
    const given = places.take('a', 2)
    given[Symbol.dispose]()
    given[Symbol.dispose]()

    assert.equal(places.taken(), 1)
  })
})

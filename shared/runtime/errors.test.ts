import assert from 'node:assert/strict'
import { status } from '@grpc/grpc-js'
import { z } from 'zod'
import type { ErrorKind } from '../contracts/problem.ts'
import { AppError, fromGrpcError, invalid, toGrpcError, toProblem } from './errors.ts'

const mapping: [ErrorKind, number, status][] = [
  ['invalid', 400, status.INVALID_ARGUMENT],
  ['unauthorized', 401, status.UNAUTHENTICATED],
  ['forbidden', 403, status.PERMISSION_DENIED],
  ['not_found', 404, status.NOT_FOUND],
  ['conflict', 409, status.ABORTED],
  ['too_large', 413, status.RESOURCE_EXHAUSTED],
  ['unprocessable', 422, status.FAILED_PRECONDITION],
  ['unavailable', 503, status.UNAVAILABLE],
]

describe('an error', () => {
  for (const [kind, http, grpc] of mapping) {
    it(`of kind ${kind} is HTTP ${http} and gRPC ${status[grpc]}`, () => {
      const error = new AppError(kind, 'why')

      const problem = toProblem(error)

      assert.equal(problem.status, http)
      assert.equal(problem.type, `urn:shop:problem:${kind.replace('_', '-')}`)
      assert.equal(problem.detail, 'why')
      assert.deepEqual(toGrpcError(error), { code: grpc, details: 'why' })
    })
  }

  it('that is unknown reveals nothing', () => {
    for (const thrown of [new Error('password=hunter2'), 'hunter2', null, undefined]) {
      assert.deepEqual(toProblem(thrown), {
        type: 'urn:shop:problem:internal',
        title: 'Something went wrong here',
        status: 500,
      })
      assert.deepEqual(toGrpcError(thrown), { code: status.INTERNAL, details: 'internal error' })
    }
  })

  it('comes back from a gRPC call as it was', () => {
    for (const kind of ['invalid', 'unauthorized', 'not_found', 'unavailable'] as const) {
      const error = fromGrpcError(toGrpcError(new AppError(kind, 'why')))

      assert.equal(error.kind, kind)
      assert.equal(error.message, 'why')
    }
  })

  it('of a gRPC call that is not the caller’s fault is unavailable', () => {
    for (const code of [status.INTERNAL, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED]) {
      const error = fromGrpcError({ code, details: 'stack of the other side' })

      assert.equal(error.kind, 'unavailable')
      assert.doesNotMatch(error.message, /stack/)
    }
    assert.equal(fromGrpcError(new Error('socket')).kind, 'unavailable')
  })
})

describe('invalid', () => {
  const Order = z.strictObject({
    name: z.string().min(1, 'must not be empty'),
    lines: z.array(z.strictObject({ quantity: z.int() })),
  })

  it('names each field as the client wrote it, and its rule', () => {
    const result = Order.safeParse({ name: '', lines: [{ quantity: 1 }, { quantity: 'x', id: 1 }] })

    const error = invalid(result.error?.issues ?? [])

    assert.equal(error.kind, 'invalid')
    assert.deepEqual(
      error.fields.map(({ field }) => field),
      ['name', 'lines.1.quantity', 'lines.1.id'],
    )
    assert.match(error.message, /^name: must not be empty; lines\.1\.quantity: /)
    assert.deepEqual(toProblem(error).errors, error.fields)
  })

  it('names each field that is not known', () => {
    const result = Order.safeParse({ name: 'a', lines: [], admin: true, role: 'x' })

    assert.deepEqual(invalid(result.error?.issues ?? []).fields, [
      { field: 'admin', rule: 'is not known' },
      { field: 'role', rule: 'is not known' },
    ])
  })

  it('names the body when all of it is wrong', () => {
    const error = invalid(Order.safeParse([]).error?.issues ?? [])

    assert.match(error.message, /^body: /)
  })
})

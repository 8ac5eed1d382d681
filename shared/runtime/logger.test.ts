import assert from 'node:assert/strict'
import pg from 'pg'
import { pino } from 'pino'
import { createLogger, httpSerializers } from './logger.ts'

/** The fields of a log line. */
function logged(fields: object): string {
  const written: string[] = []
  const logger = createLogger('test', 'info')
  const stream = pino.symbols.streamSym
  Object.assign(logger, { [stream]: { write: (line: string) => written.push(line) } })
  logger.info(fields, 'failed')
  assert.equal(written.length, 1)
  return written[0] ?? ''
}

const address = 'an.nguyen+shop@example.com'

/** PostgreSQL's messages, as pg and Prisma repeat them. */
const errors: Record<string, Error> = {
  'the row of a unique violation': Object.assign(
    new pg.DatabaseError('duplicate key', 1, 'error'),
    {
      code: '23505',
      detail: `Key (email)=(${address}) already exists.`,
    },
  ),
  'the same in a message': new Error(
    `Raw query failed. Code: \`23505\`. Message: \`Key (first_name, email)=(Lan, ${address}) already exists.\``,
  ),
  'a row that breaks a check': new Error(
    `DETAIL: Failing row contains (1, Lan, ${address}, 1 Le Loi).`,
  ),
  'a value of the wrong form': new Error(`invalid input syntax for type uuid: "Lan ${address}"`),
  'the recipient of an e-mail': Object.assign(new Error(`550 no such user ${address}`), {
    rejected: [address],
    responseCode: 550,
  }),
  'a cause': new Error('outer', { cause: new Error(`Key (email)=(${address}) already exists.`) }),
  'a query string': new Error('GET http://127.0.0.1:1/x?name=Lan&mail=an.nguyen failed'),
}

describe('a log line', () => {
  for (const [what, err] of Object.entries(errors)) {
    it(`about an error leaves out ${what}`, () => {
      const line = logged({ err })

      assert.doesNotMatch(line, /an\.nguyen|Lan|Le Loi/)
      assert.match(line, /"type":/)
      assert.match(line, /"stack":/)
    })
  }

  it('about an error keeps what an engineer looks for', () => {
    const error = errors['the row of a unique violation']
    const { err } = JSON.parse(logged({ err: error }))

    assert.equal(err.code, '23505')
    assert.equal(err.message, 'duplicate key')
    assert.match(err.stack, /logger\.test\.ts/)
  })

  it('about a request has its path, and neither its query nor what identifies who sent it', () => {
    const headers = { authorization: 'Bearer x', cookie: 'x', referer: '/?x', 'user-agent': 'curl' }
    const request = { id: 1, method: 'GET', url: '/products?q=x&token=x', headers }

    const told = httpSerializers.req(request as never)

    assert.deepEqual(told, {
      ...{ id: 1, method: 'GET', url: '/products?[redacted]' },
      headers: { 'user-agent': 'curl' },
    })
  })

  it('leaves out fields that are secrets, one level deep', () => {
    assert.doesNotMatch(logged({ token: 'x1y', form: { password: 'x1y' } }), /x1y/)
  })
})

import assert from 'node:assert/strict'
import { Validator } from '@seriousme/openapi-schema-validator'
import { installTimeoutMs, redoclyProblems } from '../../test/helpers/redocly.ts'
import { routesOfContracts } from '../../test/helpers/routes.ts'
import type { Route } from '../contracts/route.ts'
import { createOperatorDocument } from './operator-docs.ts'

type Operation = { operationId: string; security?: object[]; responses: Record<string, object> }

const nameOf = ({ method, path }: Route) =>
  `${method} ${path.replaceAll(/:(\w+)/g, (_, name) => `{${name}}`)}`

describe('the OpenAPI document of operators', () => {
  const document = createOperatorDocument()
  const operations = new Map<string, Operation>(
    Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Operation] => [
        `${method} ${path}`,
        operation as Operation,
      ]),
    ),
  )

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone({ ...document }))

    assert.ok(valid, JSON.stringify(errors))
  })

  it('breaks no rule that Redocly recommends', async () => {
    assert.deepEqual(await redoclyProblems(document), [])
  }).timeout(installTimeoutMs)

  it('has every route for operators of every contract, and no other', async () => {
    const routes = (await routesOfContracts()).filter(({ auth }) => auth === 'operator')

    assert.ok(routes.length >= 16)
    assert.deepEqual([...operations.keys()].sort(), routes.map(nameOf).sort())
  })

  it('asks for a token or a session everywhere, and says what comes without one', () => {
    for (const [name, { security, responses }] of operations) {
      assert.deepEqual(security, [{ bearer: [] }, { session: [] }], name)
      assert.ok('401' in responses && '503' in responses, name)
    }
  })

  it('gives every operation a name of its own', () => {
    const names = [...operations.values()].map(({ operationId }) => operationId)

    assert.equal(new Set(names).size, names.length)
  })
})

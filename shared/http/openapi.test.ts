import assert from 'node:assert/strict'
import { Validator } from '@seriousme/openapi-schema-validator'
import { installTimeoutMs, redoclyProblems } from '../../test/helpers/redocly.ts'
import { routesOfContracts } from '../../test/helpers/routes.ts'
import type { Route } from '../contracts/route.ts'
import { createOpenApiDocument } from './openapi.ts'

type Properties = { properties: Record<string, object> }

type Operation = {
  operationId: string
  security?: object[]
  parameters?: { in: string; name: string; required?: boolean }[]
  requestBody?: { required: boolean; content: object }
  responses: Record<string, { $ref?: string; content?: object; headers?: { Location?: object } }>
}

const nameOf = ({ method, path }: Route) =>
  `${method} ${path.replaceAll(/:(\w+)/g, (_, name) => `{${name}}`)}`

describe('the OpenAPI document', () => {
  const document = createOpenApiDocument()
  const operations = new Map<string, Operation>(
    Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Operation] => [
        `${method} ${path}`,
        operation as Operation,
      ]),
    ),
  )
  let routes: Route[]

  before(async () => {
    // Customers need not know those of operators.
    routes = (await routesOfContracts()).filter(({ auth }) => auth !== 'operator')
  })

  const propertiesOf = (schema: string) =>
    (document.components?.schemas?.[schema] as Properties | undefined)?.properties ?? {}

  const operationOf = (route: Route): Operation => {
    const operation = operations.get(nameOf(route))
    assert.ok(operation, nameOf(route))
    return operation
  }

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()

    const { valid, errors } = await validator.validate(structuredClone({ ...document }))

    assert.ok(valid, JSON.stringify(errors))
    assert.equal(validator.version, '3.1')
  })

  it('breaks no rule that Redocly recommends', async () => {
    assert.deepEqual(await redoclyProblems(document), [])
  }).timeout(installTimeoutMs)

  it('has every route of every contract, and no other', () => {
    assert.deepEqual([...operations.keys()].sort(), routes.map(nameOf).sort())
  })

  it('gives every operation a name of its own', () => {
    const names = [...operations.values()].map(({ operationId }) => operationId)

    assert.equal(new Set(names).size, names.length)
  })

  it('says what each route takes: token, parameters, headers, body', () => {
    for (const route of routes) {
      const { security, parameters = [], requestBody } = operationOf(route)
      const namesIn = (place: string) =>
        parameters.filter((parameter) => parameter.in === place).map(({ name }) => name)
      const keys = (schema: { shape: object } | undefined) => Object.keys(schema?.shape ?? {})

      assert.deepEqual(security, route.auth ? [{ bearer: [] }] : [], nameOf(route))
      assert.deepEqual(namesIn('path'), keys(route.params), nameOf(route))
      assert.deepEqual(namesIn('query'), keys(route.query), nameOf(route))
      assert.deepEqual(
        namesIn('header').map((name) => name.toLowerCase()),
        keys(route.headers),
        nameOf(route),
      )
      const type = route.multipart ? 'multipart/form-data' : route.body && 'application/json'
      assert.deepEqual(Object.keys(requestBody?.content ?? {}), type ? [type] : [], nameOf(route))
    }
  })

  it('says what each route answers, and how it can fail', () => {
    for (const route of routes) {
      const { responses } = operationOf(route)
      const statuses = Object.keys(responses)

      const types = Object.keys(responses[route.status]?.content ?? {})
      const type = route.stream ? 'text/event-stream' : 'application/json'
      assert.deepEqual(types, route.status === 204 ? [] : [type], nameOf(route))
      assert.equal(statuses.includes('401'), Boolean(route.auth) || isLogin(route), nameOf(route))
      assert.equal(
        Boolean(responses[route.status]?.headers?.Location),
        route.location !== undefined,
        nameOf(route),
      )
      assert.equal(statuses.includes('429'), Boolean(route.limit), nameOf(route))
      assert.ok(statuses.includes('503') && statuses.includes('default'), nameOf(route))
    }
  })

  it('has an example for each body, which its contract takes', () => {
    for (const route of routes) {
      if (!route.body || route.body.safeParse({}).success) continue
      const { examples = [] } = route.body.meta() ?? {}
      assert.ok(examples.length > 0, nameOf(route))
      for (const example of examples)
        assert.ok(route.body.safeParse(example).success, nameOf(route))
    }
  })

  it('lists the values of what clients switch on', () => {
    const values = (schema: string, name: string) => JSON.stringify(propertiesOf(schema)[name])

    assert.match(values('Problem', 'type'), /"urn:shop:problem:too-many-requests"/)
    assert.match(values('Purchase', 'status'), /PurchaseStatus/)
    const statuses = JSON.stringify(document.components?.schemas?.PurchaseStatus)
    assert.match(statuses, /"enum":\[[^\]]*"CANCELLING"/)
    assert.match(values('Purchase', 'reason'), /"out_of_stock"/)
    assert.match(values('Purchase', 'failed_step'), /"take-payment"/)
    assert.match(values('PurchaseStep', 'name'), /"refund-payment"/)
  })

  it('asks for no field that has a default', () => {
    const payment = propertiesOf('CreatePurchase').payment as Properties & { required: string[] }

    assert.deepEqual(payment.required, ['currency_code'])
    assert.deepEqual(payment.properties.method, {
      $ref: '#/components/schemas/PaymentMethod',
      description: 'When it is not sent: "sim_ok"',
    })
  })

  it('shows what a header, an upload and a limit look like', () => {
    const restock = operations.get('post /products/{id}/restock')
    const buy = operations.get('post /purchases')

    assert.deepEqual(
      [restock, buy].map((operation) => {
        const header = operation?.parameters?.find((parameter) => parameter.in === 'header')
        return [header?.name, header?.required ?? false]
      }),
      [
        ['Idempotency-Key', true],
        ['Idempotency-Key', false],
      ],
    )
    const upload = operations.get('post /media/upload')?.requestBody?.content as {
      'multipart/form-data': { schema: { properties: Record<string, object>; required: string[] } }
    }
    const { properties, required } = upload['multipart/form-data'].schema
    assert.deepEqual(required, ['product_id', 'alt', 'data'])
    assert.deepEqual(properties.data, {
      type: 'array',
      minItems: 1,
      items: { type: 'string', format: 'binary', contentEncoding: 'binary' },
    })
    const { TooManyRequests, Unavailable } = document.components?.responses ?? {}
    for (const response of [TooManyRequests, Unavailable]) {
      assert.ok(response && 'headers' in response && response.headers?.['Retry-After'])
    }
  })
})

/** What asks for no token and still says 401: a wrong password or refresh token. */
function isLogin({ errors = [] }: Route): boolean {
  return errors.includes('unauthorized')
}

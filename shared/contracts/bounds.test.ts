import assert from 'node:assert/strict'
import { z } from 'zod'
import { CreateOrder, commands, maxLines } from './commands.ts'
import { CommandHeaders } from './envelope.ts'
import { events, PurchaseAccepted } from './events.ts'
import { newId } from './ids.ts'
import { maxMessageBytes } from './topics.ts'

type JsonSchema = {
  type?: string | string[]
  format?: string
  const?: unknown
  enum?: unknown[]
  maxLength?: number
  maxItems?: number
  maximum?: number
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
}

/** The fields of a schema that a message may fill with as much as it likes. */
function unbounded(schema: JsonSchema, path: string): string[] {
  const { items, properties = {}, anyOf = [], oneOf = [] } = schema
  const types = new Set([schema.type].flat())
  const fixed = schema.const !== undefined || schema.enum !== undefined
  const formatted = schema.format !== undefined && schema.format !== 'email'
  return [
    ...(types.has('string') && !fixed && !formatted && !schema.maxLength ? [path] : []),
    ...(types.has('array') && !schema.maxItems ? [path] : []),
    ...(types.has('integer') && schema.maximum === undefined ? [path] : []),
    ...(items ? unbounded(items, `${path}[]`) : []),
    ...Object.entries(properties).flatMap(([name, field]) => unbounded(field, `${path}.${name}`)),
    ...[...anyOf, ...oneOf].flatMap((option) => unbounded(option, path)),
  ]
}

describe('every field of a message', () => {
  const schemas: Record<string, z.ZodType> = { headers: CommandHeaders }
  for (const [name, { request, reply }] of Object.entries(commands)) {
    schemas[`${name}.request`] = request
    schemas[`${name}.reply`] = reply
  }
  for (const [name, { body }] of Object.entries(events)) schemas[name] = body

  for (const [name, schema] of Object.entries(schemas)) {
    it(`has a bound: ${name}`, () => {
      const json = z.toJSONSchema(schema, { io: 'output' }) as JsonSchema

      assert.deepEqual(unbounded(json, name), [])
    })
  }
})

describe('the largest purchase that its contract takes', () => {
  // A control character takes six bytes of JSON, and no character more.
  const name = '\u0001'.repeat(1_000)
  const lines = Array.from({ length: maxLines }, () => {
    return {
      product_id: newId(),
      quantity: 2_147_483_647,
      name,
      unit_price: Number.MAX_SAFE_INTEGER,
    }
  })
  const purchase = {
    customer_id: newId(),
    lines,
    amount: Number.MAX_SAFE_INTEGER,
    currency_code: 'VND',
  }
  const headerBytes = 8 * 1_024

  it('fits into its event', () => {
    const payment_method = 'x'.repeat(255)
    const event = PurchaseAccepted.parse({ ...purchase, purchase_id: newId(), payment_method })

    const bytes = Buffer.byteLength(JSON.stringify(event))
    assert.ok(bytes + headerBytes < maxMessageBytes('purchases'), `${bytes} bytes`)
  })

  it('fits into its order command', () => {
    const bytes = Buffer.byteLength(JSON.stringify(CreateOrder.parse(purchase)))
    assert.ok(bytes + headerBytes < maxMessageBytes('order-commands'), `${bytes} bytes`)
  })
})

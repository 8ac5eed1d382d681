import assert from 'node:assert/strict'
import { z } from 'zod'
import { routesOfContracts } from '../../test/helpers/routes.ts'
import { leavesOf } from '../../test/helpers/schemas.ts'
import { accountRoutes } from './account.ts'
import { commands, PricedLine } from './commands.ts'
import { CommandHeaders } from './envelope.ts'
import { events } from './events.ts'
import { UploadFields } from './media.ts'
import { operatorRoutes } from './operator.ts'
import { productRoutes } from './product.ts'
import { purchaseRoutes } from './purchase.ts'
import { password, text } from './text.ts'

const halfEmoji = 'A\ud83d'

/** What no person can read or the database cannot store. */
const unreadable = {
  'half an emoji': halfEmoji,
  NUL: 'A\0B',
  'a control character': 'A\u0007B',
  'an escape character': '\u001b[31mA',
  'a C1 control character': 'A\u0085B',
  'a line separator': 'A\u2028B',
  nothing: '',
  'white space': ' \u00a0\u3000 ',
  'zero-width characters': '\u200b\u200d\u2060\ufeff',
  'bidirectional controls': '\u202e\u2066\u2069\u200f',
  'a Hangul filler': '\u3164',
  'a Braille blank': '\u2800',
}

/** Fields that a person writes, with what makes a request of one value. */
const fields: Record<string, [z.ZodType, (value: string) => unknown]> = {
  first_name: [accountRoutes.register.body.shape.first_name, String],
  last_name: [accountRoutes.register.body.shape.last_name, String],
  address: [accountRoutes.updateDelivery.body.shape.address, String],
  'name of a category': [productRoutes.createCategory.body.shape.name, String],
  'description of a category': [productRoutes.createCategory.body.shape.description, String],
  'name of a product': [productRoutes.createProduct.body.shape.name, String],
  'description of a product': [productRoutes.createProduct.body.shape.description, String],
  'brand of a product': [productRoutes.createProduct.body.shape.brand_name, String],
  'search query': [productRoutes.listProducts.query, (q) => ({ q })],
  'key of a restock': [productRoutes.restockProduct.headers, (key) => ({ 'idempotency-key': key })],
  'key of a purchase': [
    purchaseRoutes.createPurchase.headers,
    (key) => ({ 'idempotency-key': key }),
  ],
  'alt of a picture': [UploadFields.shape.alt, String],
  'note of a retry': [operatorRoutes.retrySaga.body, (note) => ({ note })],
  'note of a resolution': [operatorRoutes.resolveSaga.body, (note) => ({ note })],
  'note of a cancel': [operatorRoutes.cancelSaga.body, (note) => ({ note })],
}

describe('text that a person writes', () => {
  for (const [field, [schema, request]] of Object.entries(fields)) {
    it(`is refused as ${field} when nobody can read or store it`, () => {
      for (const [what, value] of Object.entries(unreadable)) {
        assert.equal(schema.safeParse(request(value)).success, false, what)
      }
      assert.equal(schema.safeParse(request('Đặng 😀')).success, true)
    })
  }

  it('is no field of any request by a weaker rule', async () => {
    const parts = (await routesOfContracts()).flatMap(({ path, ...route }) => {
      const { body, query, headers, params, multipart } = route
      return [body, query, headers, params, multipart?.fields]
        .filter((part) => part !== undefined)
        .flatMap((part) =>
          leavesOf(part).map(([field, leaf]) => ({ name: `${path} ${field}`, leaf })),
        )
    })

    // A password is compared and never shown: NUL is a character of it like any other.
    const weaker = parts.filter(({ leaf }) => leaf.safeParse(halfEmoji).success)
    assert.deepEqual(
      weaker.map(({ name }) => name),
      [],
    )
    const withNul = parts.filter(({ leaf }) => leaf.safeParse('12345678\0').success)
    assert.deepEqual(new Set(withNul.map(({ name }) => name.split(' ')[1])), new Set(['password']))
  })

  it('is no field of any message that a database could not store', () => {
    const schemas: Record<string, z.ZodType> = { headers: CommandHeaders }
    for (const [name, { request, reply }] of Object.entries(commands)) {
      schemas[`${name}.request`] = request
      schemas[`${name}.reply`] = reply
    }
    for (const [name, { body }] of Object.entries(events)) schemas[name] = body
    // Three characters, so that a currency is tried too, and a link for those that must be one.
    const tried = ['A\ud83dB', 'A\0B', 'https://shop.test/\ud83d']

    const weaker = Object.entries(schemas).flatMap(([message, schema]) =>
      leavesOf(schema)
        .filter(([, leaf]) => tried.some((value) => leaf.safeParse(value).success))
        .map(([field]) => `${message} ${field}`),
    )
    assert.deepEqual(weaker, [])
    assert.ok(PricedLine.shape.name.safeParse('Đặng\n\u2800').success)
  })

  it('breaks one rule at a time, so that its field is named once', () => {
    for (const value of Object.values(unreadable)) {
      assert.equal(text(10, { min: 3 }).safeParse(value).error?.issues.length, 1)
    }
  })

  it('is stored composed and trimmed, whatever the keyboard sends', () => {
    assert.equal(text(10).parse('  man\u0303ana '), 'ma\u00f1ana')
  })

  it('keeps joiners and marks that scripts and emoji need', () => {
    for (const value of ['👩\u200d👩\u200d👧', 'می\u200cخواهم', 'e\u0332']) {
      assert.equal(text(20).parse(value), value)
    }
  })

  it('is as long as it has characters, whatever they cost', () => {
    assert.equal(text(3).safeParse('😀😀😀').success, true)
    assert.equal(text(3).safeParse('😀😀😀😀').success, false)
    assert.equal(text(3).safeParse('n\u0303'.repeat(3)).success, true)
    assert.equal(text(5, { min: 3 }).safeParse(' ab ').success, false)
  })

  it('has more than one line only where that is allowed, with one kind of line end', () => {
    assert.equal(text(20).safeParse('a\nb').success, false)
    assert.equal(text(20, { lines: 'many' }).parse('a\r\nb\rc\td\n'), 'a\nb\nc\td')
    assert.equal(text(20, { lines: 'many' }).safeParse('a\0b').success, false)
  })

  it('tells the document of the API how long it may be', () => {
    const { minLength, maxLength } = z.toJSONSchema(text(100), { io: 'input' })

    assert.deepEqual([minLength, maxLength], [1, 100])
  })
})

describe('a password', () => {
  it('is any text that is well formed', () => {
    assert.equal(password(8, 20).parse(' n\u0303 \0 🔑    '), ' n\u0303 \0 🔑    ')
    assert.equal(password(1, 20).safeParse(halfEmoji).success, false)
  })

  it('is as long as its composed form', () => {
    assert.equal(password(2, 4).safeParse('n\u0303'.repeat(4)).success, true)
    assert.equal(password(2, 4).safeParse('n\u0303').success, false)
    assert.equal(password(2, 4).safeParse('n\u0303'.repeat(5)).success, false)
  })
})

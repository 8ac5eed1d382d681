import { z } from 'zod'
import { isStorable } from './characters.ts'
import { currencyCode, maxLines, word } from './commands.ts'
import { asciiEmail } from './email.ts'
import { storable } from './text.ts'

const link = z.url().max(2_000).refine(isStorable)
const firstName = storable(1_000)

/**
 * What was bought. `delivery` is the JSON of a `PurchaseDelivery`, sealed for the mail's key as a code is: outbox,
 * topics and dead letters hold no address that can be read.
 */
const Receipt = z.strictObject({
  lines: z
    .array(z.strictObject({ name: storable(1_000), quantity: z.int(), unit_price: z.int() }))
    .max(maxLines),
  amount: z.int(),
  currency_code: currencyCode,
  delivery: storable(20_000).nullable(),
})
export type Receipt = z.infer<typeof Receipt>

/** About a purchase. E-mails of an older version have neither receipt nor link. */
const aboutPurchase = {
  first_name: firstName,
  purchase_id: z.uuid(),
  receipt: Receipt.optional(),
  /** Where the purchase is shown. */
  link: link.optional(),
}

/**
 * The values of a template. Text of customers is passed unchanged: the templates escape it. `code` is sealed for the
 * mail's key (`shared/runtime/seal.ts`), or in clear in an e-mail of an older version.
 */
const templates = {
  'verify-email': z.strictObject({ first_name: firstName, code: word, minutes: z.int() }),
  'reset-password': z.strictObject({ first_name: firstName, code: word, minutes: z.int() }),
  'purchase-completed': z.strictObject(aboutPurchase),
  'purchase-rejected': z.strictObject({ ...aboutPurchase, reason: word.nullable() }),
  'purchase-cancelled': z.strictObject(aboutPurchase),
  'product-sold': z.strictObject(aboutPurchase),
  'payment-refunded': z.strictObject({
    first_name: firstName,
    purchase_id: z.uuid(),
    amount: z.int(),
    currency_code: currencyCode,
    link,
  }),
  'purchase-needs-attention': z.strictObject({
    purchase_id: z.uuid(),
    steps: z.array(word).max(100),
    reason: word,
  }),
} as const

export type Template = keyof typeof templates
export type TemplateData<T extends Template> = z.infer<(typeof templates)[T]>

function mailOf<T extends Template>(template: T) {
  return z.strictObject({
    /** One mail, however often it is asked for; it becomes the Message-ID. */
    key: word.regex(/^[\w-]+(\/[\w-]+)*$/),
    to: asciiEmail.max(320),
    template: z.literal(template),
    data: templates[template],
  })
}

/** A mail that is to be sent. Mails to one address are sent in the order in which they were asked for. */
export const EmailRequested = z.discriminatedUnion('template', [
  mailOf('verify-email'),
  mailOf('reset-password'),
  mailOf('purchase-completed'),
  mailOf('purchase-rejected'),
  mailOf('purchase-cancelled'),
  mailOf('product-sold'),
  mailOf('payment-refunded'),
  mailOf('purchase-needs-attention'),
])
export type EmailRequested = z.infer<typeof EmailRequested>

import { z } from 'zod'

/** What a template is filled with. Text of customers is put in as it is: the templates make it safe. */
const templates = {
  'verify-email': z.strictObject({ first_name: z.string(), code: z.string(), minutes: z.int() }),
  'reset-password': z.strictObject({ first_name: z.string(), code: z.string(), minutes: z.int() }),
  'purchase-completed': z.strictObject({ first_name: z.string(), purchase_id: z.uuid() }),
  'purchase-rejected': z.strictObject({
    first_name: z.string(),
    purchase_id: z.uuid(),
    reason: z.string().nullable(),
  }),
  'purchase-cancelled': z.strictObject({ first_name: z.string(), purchase_id: z.uuid() }),
  'purchase-needs-attention': z.strictObject({
    purchase_id: z.uuid(),
    steps: z.array(z.string()),
    reason: z.string(),
  }),
} as const

export type Template = keyof typeof templates
export type TemplateData<T extends Template> = z.infer<(typeof templates)[T]>

function mailOf<T extends Template>(template: T) {
  return z.strictObject({
    /** One mail, however often it is asked for; it becomes the Message-ID. */
    key: z.string().regex(/^[\w-]+(\/[\w-]+)*$/),
    to: z.email(),
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
  mailOf('purchase-needs-attention'),
])
export type EmailRequested = z.infer<typeof EmailRequested>

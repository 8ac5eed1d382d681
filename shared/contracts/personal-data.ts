import { z } from 'zod'
import { Role } from './role.ts'

/** The recipient of a purchase. Answers show stored values, also those that an older version accepted. */
export const Delivery = z.object({ address: z.string(), phone_number: z.string() })
export type Delivery = z.infer<typeof Delivery>

export const Personal = z.object({
  id: z.uuid(),
  email: z.string(),
  email_verified: z.boolean(),
  first_name: z.string(),
  last_name: z.string(),
  ...Delivery.shape,
  roles: z.array(Role),
})
export type Personal = z.infer<typeof Personal>

/** What account stores of a person. What other services store is found at the links, page by page. */
export const AccountExport = z.object({
  account: Personal.extend({ created_at: z.iso.datetime() }),
  sessions: z.array(
    z.object({
      id: z.uuid(),
      created_at: z.iso.datetime(),
      expires_at: z.iso.datetime(),
      ended_at: z.iso.datetime().nullable(),
    }),
  ),
  links: z.object({
    purchases: z.string(),
    orders: z.string(),
    payments: z.string(),
    products: z.string(),
    sales: z.string(),
  }),
})
export type AccountExport = z.infer<typeof AccountExport>

export const DeletionRequested = z.object({
  message: z.string(),
  /** Not before this, and not before its purchases have ended. */
  deleted_after: z.iso.datetime(),
})
export type DeletionRequested = z.infer<typeof DeletionRequested>

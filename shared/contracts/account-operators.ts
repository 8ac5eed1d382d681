import { z } from 'zod'
import { Email } from './email.ts'
import { IdParams } from './list.ts'
import { Role } from './role.ts'
import type { Routes } from './route.ts'
import { text } from './text.ts'

const RoleChange = z.object({
  roles: z.array(z.string()),
  operator: z.string(),
  note: z.string(),
  at: z.iso.datetime(),
})

export const AccountRoles = z.object({
  account_id: z.uuid(),
  email: z.string(),
  roles: z.array(Role),
  /** By operators, newest first, the last 20. */
  changes: z.array(RoleChange),
})
export type AccountRoles = z.infer<typeof AccountRoles>

export const SetRoles = z
  .strictObject({
    roles: z
      .array(Role)
      .min(1)
      .max(Role.options.length)
      .refine((roles) => new Set(roles).size === roles.length, 'must not name a role twice'),
    note: text(1_000, { min: 3, lines: 'many' }),
  })
  .meta({ examples: [{ roles: ['buyer', 'seller', 'admin'], note: 'Runs the shop' }] })
export type SetRoles = z.infer<typeof SetRoles>

/** For operators, on the account service's own port: Traefik has no route to it. */
export const accountOperatorRoutes = {
  findRoles: {
    method: 'get',
    path: '/roles',
    summary: 'The roles of the account with an email address',
    auth: 'operator',
    query: z.strictObject({ email: Email }),
    status: 200,
    response: AccountRoles,
  },
  getRoles: {
    method: 'get',
    path: '/roles/:id',
    summary: 'The roles of an account, and who gave them',
    auth: 'operator',
    params: IdParams,
    status: 200,
    response: AccountRoles,
  },
  setRoles: {
    method: 'put',
    path: '/roles/:id',
    summary: 'Replace the roles of an account; products of one that sells no more are withdrawn',
    auth: 'operator',
    params: IdParams,
    body: SetRoles,
    status: 200,
    response: AccountRoles,
  },
} as const satisfies Routes

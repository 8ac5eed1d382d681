import { z } from 'zod'

/** What an account may do: buy, sell, and order the shop's catalog. */
export const Role = z.enum(['buyer', 'seller', 'admin'])
export type Role = z.infer<typeof Role>

/** The roles of accounts, sessions and tokens from before there were roles. */
export const defaultRoles: readonly Role[] = ['buyer', 'seller']

/** The roles among words that another version may have sent; without one, the roles from before there were roles. */
export function rolesOf(words: readonly string[] | undefined): readonly Role[] {
  const known = Role.options.filter((role) => words?.includes(role))
  return known.length > 0 ? known : defaultRoles
}

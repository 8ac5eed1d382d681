import type { Notices } from '../../shared/cache/notices.ts'
import type { AccountRoles, SetRoles } from '../../shared/contracts/account-operators.ts'
import { rolesOf } from '../../shared/contracts/role.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { AccountRepository } from './repository.ts'

type Stored = NonNullable<Awaited<ReturnType<AccountRepository['findRoles']>>>

type Deps = {
  repository: Pick<AccountRepository, 'findRoles' | 'setRoles'>
  products: Pick<GrpcClient<'product'>, 'WithdrawProducts'>
  changes: Pick<Notices, 'publish'>
}

/** What operators do about roles. */
export function createRoles({ repository, products, changes }: Deps) {
  return {
    find: async (email: string): Promise<AccountRoles> =>
      toRoles(found(await repository.findRoles({ email }))),

    get: async (id: string): Promise<AccountRoles> =>
      toRoles(found(await repository.findRoles({ id }))),

    /**
     * Replaces the roles. Writes know them at once, tokens when they are refreshed; no session ends. Products of an
     * account that sells no more are withdrawn: when product does not answer, the roles are set and a repeat withdraws
     * the rest.
     */
    async set(id: string, { roles, note }: SetRoles, operator: string): Promise<AccountRoles> {
      const stored = found((await repository.setRoles(id, roles, { operator, note })) ?? null)
      await changes.publish(id)
      if (!roles.includes('seller')) await withdrawAll(products, id)
      return toRoles(stored)
    },
  }
}

export type Roles = ReturnType<typeof createRoles>

/** Withdraws every product of an account, batch by batch. */
export async function withdrawAll(products: Deps['products'], accountId: string): Promise<void> {
  while ((await products.WithdrawProducts({ account_id: accountId })).withdrawn > 0);
}

function found(stored: Stored | null): Stored {
  if (!stored) throw new AppError('not_found', 'there is no such account')
  return stored
}

function toRoles({ id, email, roles, roleChanges }: Stored): AccountRoles {
  return {
    account_id: id,
    email,
    roles: [...rolesOf(roles)],
    changes: roleChanges.map(({ roles: given, operator, note, at }) => {
      return { roles: given, operator, note, at: at.toISOString() }
    }),
  }
}

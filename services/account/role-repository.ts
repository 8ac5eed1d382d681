import type { Account, PrismaClient, RoleChange } from '../../prisma/account/client/client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Role } from '../../shared/contracts/role.ts'

type Audited = Pick<Account, 'id' | 'email' | 'roles'> & { roleChanges: RoleChange[] }

const shownChanges = 20
const shown = {
  select: {
    ...{ id: true, email: true, roles: true },
    roleChanges: { orderBy: { id: 'desc' }, take: shownChanges },
  },
} as const

/** The roles of accounts, and what operators made of them. */
export function createRoleStatements(prisma: PrismaClient) {
  return {
    findRoles: (where: { id: string } | { email: string }): Promise<Audited | null> =>
      prisma.account.findUnique({ where, ...shown }),

    /** Replaces the roles and notes who did it; undefined when there is no such account. */
    setRoles: (
      id: string,
      roles: Role[],
      by: { operator: string; note: string },
    ): Promise<Audited | undefined> =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.account.updateMany({ where: { id }, data: { roles } })
        if (count === 0) return undefined
        await tx.roleChange.create({ data: { id: newId(), accountId: id, roles, ...by } })
        return (await tx.account.findUnique({ where: { id }, ...shown })) ?? undefined
      }),
  }
}

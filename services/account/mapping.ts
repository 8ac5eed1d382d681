import type { Delivery, Personal } from '../../shared/contracts/personal-data.ts'
import { rolesOf } from '../../shared/contracts/role.ts'
import type { Account } from './repository.ts'

export function toDelivery({
  address,
  phoneNumber,
}: Pick<Account, 'address' | 'phoneNumber'>): Delivery {
  return { address, phone_number: phoneNumber }
}

export function toPersonal(account: Account): Personal {
  return {
    id: account.id,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    first_name: account.firstName,
    last_name: account.lastName,
    ...toDelivery(account),
    roles: [...rolesOf(account.roles)],
  }
}

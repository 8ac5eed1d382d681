import { api, type Schemas } from '../api/client.ts'
import { useLoad } from './load.ts'

type Role = Schemas['Personal']['roles'][number]

/** Whether the account has a role; undefined until that is known. If account does not answer, the API decides later. */
export function useRole(role: Role): boolean | undefined {
  const loaded = useLoad('roles', (signal) => api.GET('/account/customer/personal', { signal }))
  if (loaded.state === 'loading') return undefined
  return loaded.state === 'failed' || loaded.data.roles.includes(role)
}

export function MayNotSell() {
  return (
    <p class="note">
      This account may not sell: it does not have the role of a seller. The shop's operators give
      it.
    </p>
  )
}

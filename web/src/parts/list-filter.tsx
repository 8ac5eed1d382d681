import { useLocation } from 'preact-iso'
import { firstDay } from './days.ts'
import { statusName } from './status.tsx'

/** What the address says of a list, without the page. Days are those of this place, the last one included. */
export type Filter = { status?: string; from?: string; to?: string }

export function filterOf({ status, from, to }: Record<string, string | undefined>): Filter {
  return { ...(status && { status }), ...(from && { from }), ...(to && { to }) }
}

/** The address of a list with what is asked for of it. */
export function addressOf(path: string, asked: Filter & { cursor?: string }): string {
  const query = new URLSearchParams(asked).toString()
  return query ? `${path}?${query}` : path
}

/** Narrows a list to one state and to some days. The address has both, so that a page can be returned to. */
export function ListFilter({ states }: { states: readonly string[] }) {
  const { path, query, route } = useLocation()
  function set(change: Filter): void {
    route(addressOf(path, filterOf({ ...query, ...change })))
  }
  const day = (name: 'from' | 'to', label: string) => (
    <label>
      {label}{' '}
      <input
        type="date"
        min={firstDay}
        value={query[name] ?? ''}
        onChange={({ currentTarget: { value, validity } }) => {
          if (validity.valid) set({ [name]: value })
        }}
      />
    </label>
  )
  return (
    <p class="inline">
      <label>
        Show{' '}
        <select
          value={query.status ?? ''}
          onChange={({ currentTarget: { value } }) => set({ status: value })}
        >
          <option value="">All</option>
          {states.map((state) => (
            <option key={state} value={state}>
              {statusName(state)}
            </option>
          ))}
        </select>
      </label>
      {day('from', 'From')}
      {day('to', 'To')}
    </p>
  )
}

import type { ComponentChildren } from 'preact'
import { Failure } from '../parts/failure.tsx'
import type { Loaded } from '../parts/load.ts'

type Page<T> = { items: T[]; next_cursor: string | null }

/** A page of a list as a table: `children` makes the row of an item, `onNext` gets the cursor of the next page. */
export function Listing<T>({
  found,
  columns,
  children,
  onNext,
}: {
  found: Loaded<Page<T>> & { reload: () => void }
  columns: string[]
  children: (item: T) => ComponentChildren
  onNext: (cursor: string) => void
}) {
  if (found.state === 'loading') return <p>One moment …</p>
  if (found.state === 'failed') {
    return <Failure problem={found.problem as never} onRetry={found.reload} />
  }
  const { items, next_cursor: next } = found.data
  if (items.length === 0) return <p>There is none.</p>
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{items.map(children)}</tbody>
      </table>
      {next && (
        <button type="button" onClick={() => onNext(next)}>
          Next page
        </button>
      )}
    </div>
  )
}

import type { ComponentChildren } from 'preact'
import { useLocation } from 'preact-iso'
import { timeOf } from './days.ts'
import { Failure } from './failure.tsx'
import { addressOf, filterOf } from './list-filter.tsx'
import { useLoad } from './load.ts'

type Answer<T> = { data?: { items: T[]; next_cursor: string | null }; error?: unknown }
/** Which part of a list is asked for; without a value, all states and times, and the first page. */
export type Part = {
  cursor?: string
  status?: string
  created_from?: string
  created_to?: string
}

type Props<T> = {
  /** What is listed, in words: "purchases". */
  name: string
  ask: (part: Part, signal: AbortSignal) => Promise<Answer<T>>
  empty: ComponentChildren
  children: (items: T[], reload: () => void) => ComponentChildren
}

/** A list of the customer's, page by page: the address has cursor and filter, so that a page can be returned to. */
export function Paged<T>(props: Props<T>) {
  const { url } = useLocation()
  // Another filter is another list: what the one before showed is not shown under it.
  return <Listed key={url} {...props} />
}

function Listed<T>({ name, ask, empty, children }: Props<T>) {
  const { path, query } = useLocation()
  const { cursor } = query
  const filter = filterOf(query)
  const part: Part = {
    ...(cursor && { cursor }),
    ...(filter.status && { status: filter.status }),
    ...timeOf(filter),
  }
  const loaded = useLoad(`${name} ${JSON.stringify(part)}`, (signal) => ask(part, signal))
  if (loaded.state === 'loading') return <p class="waiting">Loading {name} …</p>
  if (loaded.state === 'failed') {
    return <Failure problem={loaded.problem} onRetry={loaded.reload} />
  }
  const { items, next_cursor } = loaded.data
  const linkTo = (page: { cursor?: string }) => addressOf(path, { ...filter, ...page })
  return (
    <>
      {items.length > 0 && children(items, loaded.reload)}
      {items.length === 0 &&
        (Object.keys(filter).length > 0 ? <p>Nothing matches this filter.</p> : empty)}
      <nav class="pager" aria-label="Pages">
        {cursor && <a href={linkTo({})}>First page</a>}
        {next_cursor && <a href={linkTo({ cursor: next_cursor })}>Next page</a>}
      </nav>
    </>
  )
}

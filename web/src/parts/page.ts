import type { ComponentType } from 'preact'

/** What a page is given: the parts of its path (`:id`), and the query. */
export type PageProps = { params: Record<string, string>; query: Record<string, string> }

export type Page = ComponentType<PageProps>

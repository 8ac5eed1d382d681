import { Prisma, type PrismaClient } from '../../prisma/product/client/client.ts'
import { maxId, nilId } from '../../shared/contracts/ids.ts'
import type { ListQuery } from '../../shared/contracts/list.ts'
import { inRange } from '../../shared/database/list-range.ts'

export type TextQuery = ListQuery & {
  text: string
  categoryId?: string | undefined
  accountId?: string | undefined
  withdrawn?: boolean | undefined
}

/**
 * How many of the newest products are looked through per product wanted: it finds words that one in this many has.
 * With a filter more, since what is rarer is then sorted as a whole.
 */
const windowPerResult = { filtered: 250, all: 20 }

/**
 * The ids of products in which every word of a text begins a word, newest first; none when the text has no word.
 *
 * No index has the words in the order of the ids, and the planner cannot know how frequent a word is. So the newest
 * products are looked through first, which answers for frequent words. What remains are words that few products have,
 * or only old ones: an index has the words by spans of ids, so that no more than the products of one span are sorted,
 * however many others have the words. The words asked for are a subquery, or computed once a span: otherwise
 * PostgreSQL computes them for each row.
 */
export async function findByText(prisma: PrismaClient, query: TextQuery): Promise<string[]> {
  const filtered = query.categoryId !== undefined || query.accountId !== undefined
  const window = query.limit * windowPerResult[filtered ? 'filtered' : 'all']
  const newest = await findAmongNewest(prisma, query, window)
  if (newest.length === query.limit) return newest
  // A filter has an index of its own, which PostgreSQL combines with the one of the words.
  return filtered ? findByIndex(prisma, query) : findBySpans(prisma, query)
}

async function findAmongNewest(
  prisma: PrismaClient,
  query: TextQuery,
  window: number,
): Promise<string[]> {
  const { text, limit } = query
  const rows = await prisma.$queryRaw<{ id: string }[]>`
    SELECT id FROM (
      SELECT id, words FROM products WHERE ${conditionsOf(query)}
      ORDER BY id DESC LIMIT ${window}
    ) AS newest
    WHERE words @@ (SELECT search_query(${text})) ORDER BY id DESC LIMIT ${limit}`
  return rows.map(({ id }) => id)
}

async function findByIndex(prisma: PrismaClient, query: TextQuery): Promise<string[]> {
  const { text, limit } = query
  const rows = await prisma.$queryRaw<{ id: string }[]>`
    WITH matching AS MATERIALIZED (
      SELECT id FROM products
      WHERE words @@ (SELECT search_query(${text})) AND ${conditionsOf(query)}
    )
    SELECT id FROM matching ORDER BY id DESC LIMIT ${limit}`
  return rows.map(({ id }) => id)
}

/**
 * Looks through the spans of ids that have products, newest first, until there are enough. A span without the words
 * costs one look into the index, and there is one span for three days. OFFSET 0 keeps PostgreSQL from walking the
 * primary key within a span: it cannot know that the products are together. For the same reason the other conditions
 * stand outside.
 */
async function findBySpans(prisma: PrismaClient, query: TextQuery): Promise<string[]> {
  const { text, limit } = query
  const { lt: before = maxId, gte: from = nilId } = inRange(query).id
  const rows = await prisma.$queryRaw<{ id: string }[]>`
    WITH RECURSIVE spans AS (
      (SELECT left(id::text, 5) AS span FROM products
        WHERE id < ${before}::uuid AND id >= ${from}::uuid ORDER BY id DESC LIMIT 1)
      UNION ALL
      SELECT (SELECT left(id::text, 5) FROM products
        WHERE id < (span || '000-0000-0000-0000-000000000000')::uuid AND id >= ${from}::uuid
        ORDER BY id DESC LIMIT 1)
      FROM spans WHERE span IS NOT NULL
    )
    SELECT found.id FROM spans, LATERAL (
      SELECT id FROM (
        SELECT id, created_at, withdrawn_at FROM products
        WHERE search_spans(id, words) @@ span_query(${text}, span) AND id < ${before}::uuid
        OFFSET 0
      ) AS matching
      WHERE ${conditionsOf(query)}
      ORDER BY id DESC LIMIT ${limit}
    ) AS found
    WHERE span IS NOT NULL LIMIT ${limit}`
  return rows.map(({ id }) => id)
}

function conditionsOf({ categoryId, accountId, withdrawn, ...query }: TextQuery) {
  const { id, createdAt } = inRange(query)
  const conditions = [
    Prisma.sql`true`,
    ...(id.lt === undefined ? [] : [Prisma.sql`id < ${id.lt}::uuid`]),
    ...(id.gte === undefined ? [] : [Prisma.sql`id >= ${id.gte}::uuid`]),
    ...(createdAt.gte === undefined ? [] : [Prisma.sql`created_at >= ${createdAt.gte}`]),
    ...(createdAt.lt === undefined ? [] : [Prisma.sql`created_at < ${createdAt.lt}`]),
    ...(withdrawn === undefined
      ? []
      : [withdrawn ? Prisma.sql`withdrawn_at IS NOT NULL` : Prisma.sql`withdrawn_at IS NULL`]),
    ...(categoryId === undefined ? [] : [Prisma.sql`category_id = ${categoryId}::uuid`]),
    ...(accountId === undefined ? [] : [Prisma.sql`account_id = ${accountId}::uuid`]),
  ]
  return Prisma.join(conditions, ' AND ')
}

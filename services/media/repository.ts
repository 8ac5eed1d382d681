import {
  type PendingMedia,
  PrismaClient,
  type Media as StoredMedia,
} from '../../prisma/media/client/client.ts'
import type { MediaKind, MediaListQuery } from '../../shared/contracts/media.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { inRange } from '../../shared/database/list-range.ts'
import { connectDatabase, isDatabaseReachable } from '../../shared/database/prisma.ts'
import { AppError } from '../../shared/runtime/errors.ts'

export type { StoredMedia }
export type Repository = Awaited<ReturnType<typeof connectRepository>>
export type NewMedia = Omit<StoredMedia, 'createdAt'>
type Pending = { id: string; kind: MediaKind }

/** The only access to the media database. */
export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** Notes that there may be objects of this file from now on. */
    addPending: (pending: Pending): Promise<PendingMedia> =>
      prisma.pendingMedia.create({ data: pending }),

    /** Makes media of pending files, all or none: none when one of them was abandoned before. */
    publish(media: NewMedia[]): Promise<StoredMedia[]> {
      const ids = media.map(({ id }) => id)
      return prisma.$transaction(async (tx) => {
        const { count } = await tx.pendingMedia.deleteMany({
          where: { id: { in: ids }, abandoned: false },
        })
        if (count !== ids.length) throw new AppError('unavailable', 'the upload took too long')
        return tx.media.createManyAndReturn({ data: media })
      })
    },

    findOwner: (id: string): Promise<Pick<StoredMedia, 'accountId'> | null> =>
      prisma.media.findUnique({ where: { id }, select: { accountId: true } }),

    /** Takes media out of its product and leaves its objects to be removed; undefined when there is none any more. */
    withdraw: (id: string): Promise<Pending | undefined> =>
      prisma.$transaction(async (tx) => {
        const [removed] = await tx.$queryRaw<Pending[]>`
          DELETE FROM media WHERE id = ${id}::uuid RETURNING id, kind`
        if (!removed) return undefined
        await tx.pendingMedia.create({ data: { ...removed, abandoned: true } })
        return removed
      }),

    /** From now on none of these can be published. Answers with those that have not been. */
    async abandon(files: Pending[]): Promise<Pending[]> {
      const ids = files.map(({ id }) => id)
      await prisma.pendingMedia.updateMany({
        where: { id: { in: ids } },
        data: { abandoned: true },
      })
      const published = await prisma.media.findMany({
        where: { id: { in: ids } },
        select: { id: true },
      })
      const kept = new Set(published.map(({ id }) => id))
      return files.filter(({ id }) => !kept.has(id))
    },

    /** Files that will not be published: abandoned ones, and those from before `before`. */
    async leftOver(before: Date, limit: number): Promise<Pending[]> {
      const where = { OR: [{ abandoned: true }, { createdAt: { lt: before } }] }
      return (await prisma.pendingMedia.findMany({
        where,
        select: { id: true, kind: true },
        orderBy: { id: 'asc' },
        take: limit,
      })) as Pending[]
    },

    async purgePending(id: string): Promise<void> {
      await prisma.pendingMedia.deleteMany({ where: { id } })
    },

    /** Of one product, newest first; one row more than a page shows, to know whether there is another. */
    list: (query: MediaListQuery): Promise<StoredMedia[]> =>
      prisma.media.findMany({
        where: { productId: query.product_id, ...inRange(query) },
        orderBy: { id: 'desc' },
        take: query.limit + 1,
      }),

    /** The first media of each product, in the order of upload. */
    async firstOf(productIds: string[], limit: number): Promise<StoredMedia[]> {
      const rows = await prisma.$queryRaw<{ id: string }[]>`
        SELECT first.id FROM unnest(${productIds}::uuid[]) AS product (id),
          LATERAL (
            SELECT id FROM media WHERE product_id = product.id ORDER BY id LIMIT ${limit}
          ) AS first`
      if (rows.length === 0) return []
      return prisma.media.findMany({
        where: { id: { in: rows.map(({ id }) => id) } },
        orderBy: { id: 'asc' },
      })
    },

    isReachable: () => isDatabaseReachable(prisma),
    close: () => prisma.$disconnect(),
  }
}

import {
  type PendingMedia,
  PrismaClient,
  type Media as StoredMedia,
} from '../../prisma/media/client/client.ts'
import type { MediaKind } from '../../shared/contracts/media.ts'
import { AppError } from '../../shared/errors.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'

export type { StoredMedia }
export type Repository = Awaited<ReturnType<typeof connectRepository>>
export type NewMedia = Omit<StoredMedia, 'createdAt'>
type Pending = { id: string; kind: MediaKind }

/** The one door to the media database. */
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

    /** Files that nobody will publish: abandoned ones, and those from before `before`. */
    async leftOver(before: Date, limit: number): Promise<Pending[]> {
      const where = { OR: [{ abandoned: true }, { createdAt: { lt: before } }] }
      return (await prisma.pendingMedia.findMany({
        where,
        select: { id: true, kind: true },
        orderBy: { id: 'asc' },
        take: limit,
      })) as Pending[]
    },

    async forgetPending(id: string): Promise<void> {
      await prisma.pendingMedia.deleteMany({ where: { id } })
    },

    /** Of one product, newest first; one row more than a page shows, to know whether there is another. */
    list: ({
      productId,
      limit,
      cursor,
    }: {
      productId: string
      limit: number
      cursor?: string | undefined
    }): Promise<StoredMedia[]> =>
      prisma.media.findMany({
        where: { productId, ...(cursor !== undefined && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take: limit + 1,
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

    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

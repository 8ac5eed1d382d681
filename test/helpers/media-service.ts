import assert from 'node:assert/strict'
import { Client } from 'minio'
import { pino } from 'pino'
import { createHandlers } from '../../services/media/http.ts'
import { connectRepository } from '../../services/media/repository.ts'
import { createMediaService, type MediaService } from '../../services/media/service.ts'
import { createStorage, type Storage } from '../../services/media/storage.ts'
import type { UploadLimits } from '../../services/media/uploads.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { type Media, mediaRoutes } from '../../shared/contracts/media.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { RateFloor } from '../../shared/http/admission/rate-floor.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase } from './database.ts'
import { testStack } from './stack.ts'
import { testSessions, testTokens } from './tokens.ts'

export type MediaFixture = Awaited<ReturnType<typeof startMedia>>
export type MediaBody = Problem & { items: Media[]; next_cursor: string | null }
export type UploadFile = { name: string; content: Buffer; type?: string }
type Seller = { productId: string; token: string }
type Answer = { status: number; body: MediaBody }

const logger = pino({ level: 'silent' })
export const testLimits: UploadLimits = {
  imageBytes: 500_000,
  imagePixels: 1_000_000,
  decodedBytes: 100_000_000,
  decodeWaitMs: 60_000,
  videoBytes: 8_000_000,
  uploads: 2,
  uploadMs: 60_000,
}
export const testMaxFiles = 3

/** Media's HTTP side on a database of its own and the stack's storage. The test decides who owns a product. */
export async function startMedia() {
  const resources = new AsyncDisposableStack()
  const { urls, secrets } = await testStack()
  const owners = new Map<string, string>()
  const revoked = new Set<string>()
  const database = resources.adopt(await createTestDatabase('media'), (open) => open.close())
  const repository = resources.adopt(
    await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
    (open) => open.close(),
  )
  const { accessKey, secretKey } = secrets.minio
  const storage = createStorage({
    MINIO_URL: urls.minio,
    MINIO_ACCESS_KEY: accessKey,
    MINIO_SECRET_KEY: secretKey,
  })
  const { hostname: endPoint, port } = new URL(urls.minio)
  const minio = new Client({ endPoint, port: Number(port), useSSL: false, accessKey, secretKey })

  function createService(overrides: { storage?: Storage; limits?: Partial<UploadLimits> } = {}) {
    return createMediaService({
      repository,
      storage: overrides.storage ?? storage,
      products: {
        GetProducts: async ({ product_ids }) => ({
          products: product_ids
            .filter((id) => owners.has(id))
            .map((id) => ({
              id,
              account_id: owners.get(id) ?? '',
              name: 'Tea',
              price: 1,
              withdrawn: false,
              stock: 1_000,
            })),
        }),
      },
      logger,
      metrics: createMetrics('media'),
      publicUrl: urls.cdn,
      limits: { ...testLimits, ...overrides.limits },
    })
  }

  async function serve(served: MediaService, rateFloor?: RateFloor): Promise<string> {
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger,
      metrics: createMetrics('media'),
      health: {},
      routes: mediaRoutes,
      handlers: createHandlers(served),
      authenticate: createAuthentication(testTokens.config),
      sessions: testSessions(revoked),
      maxFiles: testMaxFiles,
      ...(rateFloor && { rateFloor }),
    })
    resources.defer(() => server.close())
    return `http://127.0.0.1:${server.port}/api/v1`
  }

  const service = createService()
  const base = await serve(service)

  function addProduct(accountId = newId()): Seller {
    const productId = newId()
    owners.set(productId, accountId)
    return { productId, token: testTokens.tokenFor(accountId) }
  }

  async function send(form: FormData, token?: string, api = base): Promise<Answer> {
    // Written at once: between two pieces this process may be paused, and so be a client that is too slow.
    const encoded = new Response(form)
    const response = await fetch(`${api}/media/upload`, {
      method: 'POST',
      body: await encoded.arrayBuffer(),
      headers: {
        'content-type': encoded.headers.get('content-type') ?? '',
        ...(token && { authorization: `Bearer ${token}` }),
      },
    })
    return { status: response.status, body: (await response.json()) as MediaBody }
  }

  function formOf(productId: string, files: UploadFile[], alt = 'A cup') {
    const form = new FormData()
    form.set('product_id', productId)
    form.set('alt', alt)
    for (const { name, content, type = 'application/octet-stream' } of files) {
      form.append('data', new Blob([new Uint8Array(content)], { type }), name)
    }
    return form
  }

  /** Every name in the buckets, and how many rows there are. */
  async function everything() {
    const objects: string[] = []
    for (const bucket of ['images', 'videos']) {
      for await (const item of minio.listObjectsV2(bucket, '', true)) {
        objects.push(`${bucket}/${item.name}`)
      }
    }
    const [rows] = await database.query(
      'SELECT (SELECT count(*)::int FROM media) AS media, (SELECT count(*)::int FROM pending_media) AS pending',
    )
    return {
      objects: objects.sort(),
      media: rows?.media as number,
      pending: rows?.pending as number,
    }
  }

  return {
    ...{ cdn: urls.cdn, database, repository, storage, minio, service, base, revoked },
    ...{ createService, serve, addProduct, send, formOf, everything },

    upload: (files: UploadFile[], { productId, token } = addProduct(), api = base) =>
      send(formOf(productId, files), token, api),

    /** What is on the CDN. */
    async read(media: Pick<Media, 'url'> | undefined): Promise<Buffer> {
      const answer = await fetch(media?.url ?? '')
      assert.equal(answer.status, 200)
      return Buffer.from(await answer.arrayBuffer())
    },

    /** The answer of a request after which there are the objects and rows of before. */
    async leavesNothing(work: () => Promise<Answer>): Promise<Answer> {
      const earlier = await everything()
      const answer = await work()
      assert.deepEqual(await everything(), earlier)
      return answer
    },

    close: () => resources.disposeAsync(),
  }
}

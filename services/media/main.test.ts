import assert from 'node:assert/strict'
import { pino } from 'pino'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { startServiceProcess } from '../../test/helpers/service-process.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import type { Config } from './config.ts'
import { start } from './main.ts'

const logger = pino({ level: 'silent' })

describe('media', () => {
  let database: TestDatabase
  let config: Config

  before(async () => {
    const { urls, secrets } = await testStack()
    database = await createTestDatabase('media')
    config = {
      ...testTokens.config,
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: 2,
      GRPC_ADDRESS: urls.grpc,
      GRPC_PORT: 0,
      MINIO_URL: urls.minio,
      MINIO_ACCESS_KEY: secrets.minio.accessKey,
      MINIO_SECRET_KEY: secrets.minio.secretKey,
      MEDIA_PUBLIC_URL: urls.cdn,
      MEDIA_MAX_IMAGE_BYTES: 1_000_000,
      MEDIA_MAX_IMAGE_PIXELS: 1_000_000,
      MEDIA_MAX_DECODED_BYTES: 10_000_000,
      MEDIA_MAX_VIDEO_BYTES: 1_000_000,
      MEDIA_MAX_UPLOADS: 2,
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      LOG_LEVEL: 'silent',
      MAX_IN_FLIGHT: 256,
      CORS_ORIGINS: [] as string[],
      DRAIN_NOTICE_MS: 0,
      APP_ENV: 'local',
    }
  })

  after(() => database.close())

  /** Waits until media says this of itself. */
  async function assertReadiness(
    expected: { status: number; checks: Record<string, boolean> },
    overrides: Partial<Config> = {},
  ) {
    const media = await start({ ...config, ...overrides }, logger)
    try {
      await waitFor('the checks', async () => {
        const response = await fetch(`http://127.0.0.1:${media.port}/health/ready`)
        const { checks } = (await response.json()) as { checks: object }
        assert.deepEqual({ status: response.status, checks }, expected)
        return true
      })
    } finally {
      await media.close()
    }
  }

  it('is ready when its database and the storage answer', async () => {
    await assertReadiness({
      status: 200,
      checks: { database: true, storage: true, requests: true },
    })
  })

  it('is not ready while its database is unavailable', async () => {
    await assertReadiness(
      { status: 503, checks: { database: false, storage: true, requests: true } },
      { DATABASE_URL: 'postgresql://media@127.0.0.1:1/media_db' },
    )
  })

  it('is not ready while the storage is unavailable or refuses its keys', async () => {
    const notReady = { status: 503, checks: { database: true, storage: false, requests: true } }

    await assertReadiness(notReady, { MINIO_URL: 'http://127.0.0.1:1' })
    await assertReadiness(notReady, { MINIO_SECRET_KEY: 'wrong-secret' })
  })

  it('does not start without its variables and names them', async () => {
    const media = startServiceProcess('media', { HTTP_PORT: '0', MINIO_URL: 'ftp://127.0.0.1' })

    assert.equal(await media.exited(), 1)
    for (const name of ['DATABASE_URL', 'MINIO_URL', 'MINIO_ACCESS_KEY', 'JWT_VERIFY_KEYS']) {
      assert.match(media.output(), new RegExp(`${name}: `))
    }
  })
})

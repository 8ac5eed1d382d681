import '../../shared/telemetry/start.ts'

import { mediaRoutes } from '../../shared/contracts/media.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { grpcSettings } from '../../shared/grpc/config.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { httpSettings } from '../../shared/http/config.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createSessions } from '../../shared/http/sessions.ts'
import { startSweeps } from '../../shared/runtime/interval.ts'
import { createResources, run } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { type Config, readConfig } from './config.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createMediaService } from './service.ts'
import { createStorage } from './storage.ts'

const leftOversIntervalMs = 15_000
const decodeWaitMs = 30_000
/** From the fields of an upload to its rows. */
const uploadDeadlineMs = 240_000
const maxUploadFiles = 10

export async function start(config: Config, logger: Logger) {
  await using resources = createResources()
  const { open } = resources
  const metrics = createMetrics('media')
  const repository = open(await connectRepository(config))
  const accounts = open(connectGrpc('auth', config.GRPC_ADDRESS, { metrics }))
  const products = open(connectGrpc('product', config.GRPC_ADDRESS, { metrics }))
  const sessions = createSessions({ accounts, registry: metrics.registry })
  const storage = createStorage(config)
  const service = createMediaService({
    repository,
    storage,
    products,
    logger,
    metrics,
    publicUrl: config.MEDIA_PUBLIC_URL.replace(/\/$/, ''),
    limits: {
      imageBytes: config.MEDIA_MAX_IMAGE_BYTES,
      imagePixels: config.MEDIA_MAX_IMAGE_PIXELS,
      decodedBytes: config.MEDIA_MAX_DECODED_BYTES,
      decodeWaitMs,
      videoBytes: config.MEDIA_MAX_VIDEO_BYTES,
      uploads: config.MEDIA_MAX_UPLOADS,
      uploadMs: uploadDeadlineMs,
    },
  })
  open(startSweeps(logger, { intervalMs: leftOversIntervalMs, run: service.removeLeftOvers }))
  const grpc = open(
    await startGrpcServer({
      service: 'media',
      ...grpcSettings(config),
      logger,
      metrics,
      handlers: createGrpcHandlers(service),
    }),
  )
  const http = open(
    await startHttpServer({
      ...httpSettings(config),
      logger,
      metrics,
      routes: mediaRoutes,
      handlers: createHandlers(service),
      authenticate: createAuthentication(config),
      sessions,
      maxFiles: maxUploadFiles,
      health: { database: repository.isReachable, storage: storage.isReachable },
    }),
  )
  return resources.running({ port: http.port, grpcPort: grpc.port })
}

if (import.meta.main) await run('media', readConfig, start)

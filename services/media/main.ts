import { createAuthentication } from '../../shared/auth.ts'
import { mediaRoutes } from '../../shared/contracts/media.ts'
import { connectGrpc, startGrpcServer } from '../../shared/grpc.ts'
import { startHttpServer } from '../../shared/http.ts'
import { type Running, run } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { startSweep } from '../../shared/sweep.ts'
import { type Config, readConfig } from './config.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createMediaService } from './service.ts'
import { createStorage } from './storage.ts'

const leftOversSweepIntervalMs = 15_000

export async function start(config: Config, logger: Logger): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const metrics = createMetrics('media')
  const repository = starting.adopt(await connectRepository(config), (open) => open.close())
  const accounts = starting.adopt(connectGrpc('auth', config.GRPC_ADDRESS), (open) => open.close())
  const products = starting.adopt(connectGrpc('product', config.GRPC_ADDRESS), (open) =>
    open.close(),
  )
  const storage = createStorage(config)
  const service = createMediaService({
    repository,
    storage,
    accounts,
    products,
    logger,
    publicUrl: config.MEDIA_PUBLIC_URL.replace(/\/$/, ''),
    limits: {
      imageBytes: config.MEDIA_MAX_IMAGE_BYTES,
      imagePixels: config.MEDIA_MAX_IMAGE_PIXELS,
      videoBytes: config.MEDIA_MAX_VIDEO_BYTES,
      uploads: config.MEDIA_MAX_UPLOADS,
      uploadMs: config.MEDIA_UPLOAD_DEADLINE_MS,
    },
  })
  const sweep = startSweep({
    intervalMs: leftOversSweepIntervalMs,
    run: service.removeLeftOvers,
    logger,
  })
  starting.defer(() => sweep.close())
  const grpc = await startGrpcServer({
    service: 'media',
    host: config.HTTP_HOST,
    port: config.GRPC_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    handlers: createGrpcHandlers(service),
    metrics,
  })
  starting.defer(() => grpc.close())
  const http = await startHttpServer({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    logger,
    metrics,
    routes: mediaRoutes,
    handlers: createHandlers(service),
    authenticate: createAuthentication(config),
    maxFiles: config.MEDIA_MAX_FILES,
    health: { database: repository.answers, storage: storage.answers },
  })
  starting.defer(() => http.close())
  const started = starting.move()
  return { port: http.port, close: () => started.disposeAsync() }
}

if (import.meta.main) await run('media', readConfig, start)

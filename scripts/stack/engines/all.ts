import * as clusterKafka from '../cluster/kafka.ts'
import * as clusterPostgres from '../cluster/postgres.ts'
import * as clusterTemporal from '../cluster/temporal.ts'
import type { Engine } from '../engine.ts'
import type { StackProfile } from '../profile.ts'
import * as kafka from './kafka.ts'
import * as maildev from './maildev.ts'
import * as minio from './minio.ts'
import * as postgres from './postgres.ts'
import * as provider from './provider.ts'
import * as redis from './redis.ts'
import * as temporal from './temporal.ts'
import * as traefik from './traefik.ts'

// The slow starters first.
const single = {
  kafka,
  temporal,
  postgres,
  redis,
  minio,
  traefik,
  maildev,
  provider,
} satisfies Record<string, Engine>

export type EngineName = keyof typeof single
export type Engines = Record<EngineName, Engine>

// Redis is a cluster in both.
const cluster: Engines = {
  kafka: clusterKafka,
  postgres: clusterPostgres,
  temporal: clusterTemporal,
  redis,
  minio,
  traefik,
  maildev,
  provider,
}

/** The engines of a stack, in the order in which they are started. */
export const engines: Record<StackProfile, Engines> = { single, cluster }

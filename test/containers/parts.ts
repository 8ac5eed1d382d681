import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { composeProgram } from '../../scripts/compose-program.ts'
import { cached } from '../../scripts/stack/cache.ts'
import { pgbouncerPackage } from '../../scripts/stack/cluster/pgbouncer-program.ts'
import { goBuild } from '../../scripts/stack/engines/go.ts'
import * as kafka from '../../scripts/stack/engines/kafka.ts'
import * as minio from '../../scripts/stack/engines/minio.ts'
import * as redis from '../../scripts/stack/engines/redis.ts'
import {
  buildTemporalServer,
  buildTemporalUi,
} from '../../scripts/stack/engines/temporal-server.ts'
import * as traefik from '../../scripts/stack/engines/traefik.ts'
import type { Log } from '../../scripts/stack/log.ts'
import { run } from '../../scripts/stack/run-command.ts'
import { baseSystem, enginePackages } from './debian.ts'

const npmVersion = '11.19.1'

/** Folders and files in the cache that the engine and the images are made of. */
export type Parts = Awaited<ReturnType<typeof collectParts>>

function mailhog(log: Log): Promise<string> {
  return cached('mailhog-1.0.1', log, async (dir) => {
    await mkdir(join(dir, 'bin'))
    const folder = join(import.meta.dirname, 'stand-ins/mailhog')
    await goBuild({ folder, program: 'github.com/mailhog/MailHog' }, dir, log)
  })
}

function npm(log: Log): Promise<string> {
  return cached(`npm-${npmVersion}`, log, async (dir) => {
    await run('npm', ['install', '--no-save', '--prefix', dir, `npm@${npmVersion}`])
  })
}

/** Downloads and builds what is not in the cache. Versions are those of docker-compose.yml. */
export async function collectParts(versions: { temporal: string; temporalUi: string }, log: Log) {
  const engine = await enginePackages(log)
  return {
    engine,
    compose: await composeProgram(log),
    base: await baseSystem(engine, log),
    npm: join(await npm(log), 'node_modules/npm'),
    redis: await redis.install(log),
    kafka: join(await kafka.install(log), 'jars'),
    traefik: join(await traefik.install(log), 'bin/traefik'),
    mailhog: join(await mailhog(log), 'bin/MailHog'),
    minio: join(await minio.install(log), 'bin/minio'),
    pgbouncer: await pgbouncerPackage(log),
    temporalUi: await buildTemporalUi(versions.temporalUi, log),
    temporal: await buildTemporalServer(versions.temporal, log),
  }
}

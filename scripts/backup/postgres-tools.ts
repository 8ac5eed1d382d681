import { join } from 'node:path'
import { cached } from '../stack/cache.ts'
import type { Log } from '../stack/log.ts'
import { pipInstall, run } from '../stack/run-command.ts'

export type PostgresTools = { dump: string; restore: string }

/** Of the server's version or the next: later ones make settings that the server does not know. */
const fitting = /\(PostgreSQL\) 1[56]\./
/** PostgreSQL 16.2 with its tools, which the server's own package does not have. */
const wheel = 'pgserver==0.1.4'

/** `pg_dump` and `pg_restore`: those of the machine if they fit the server, or else those of a wheel in the cache. */
export async function findPostgresTools(log: Log): Promise<PostgresTools> {
  const own = { dump: 'pg_dump', restore: 'pg_restore' }
  return (await doesFit(own)) ? own : installTools(log)
}

async function doesFit(tools: PostgresTools): Promise<boolean> {
  const versions = Object.values(tools).map((tool) => run(tool, ['--version']).catch(() => ''))
  return (await Promise.all(versions)).every((version) => fitting.test(version))
}

async function installTools(log: Log): Promise<PostgresTools> {
  const dir = await cached('postgres-tools-16.2', log, (fresh) =>
    // Built per Python version, but the programs inside are the same and know nothing of Python.
    pipInstall(wheel, fresh, '--no-deps', '--python-version', '3.11', '--implementation', 'cp'),
  )
  const bin = join(dir, 'pgserver/pginstall/bin')
  return { dump: join(bin, 'pg_dump'), restore: join(bin, 'pg_restore') }
}

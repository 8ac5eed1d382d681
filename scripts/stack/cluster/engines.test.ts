import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { databases } from '../../../prisma/databases.ts'
import { brokerSettings } from '../engines/kafka.ts'
import { clusterSettings } from './kafka.ts'
import { poolerSettings } from './pgbouncer.ts'
import { serverVersion, uiVersion } from './temporal.ts'

const checkout = join(import.meta.dirname, '../../..')

describe('the engines of a cluster', () => {
  it('have the versions of docker-compose.yml', async () => {
    const compose = await readFile(join(checkout, 'docker-compose.yml'), 'utf8')

    assert.ok(compose.includes(`temporalio/server:${serverVersion}\n`))
    assert.ok(compose.includes(`temporalio/ui:${uiVersion}\n`))
  })

  it('keep every message, those of Kafka itself included, on three brokers', () => {
    const factors = Object.entries(clusterSettings).filter(([name]) =>
      name.endsWith('replication.factor'),
    )

    assert.equal(factors.length, 4)
    assert.deepEqual(new Set(factors.map(([, value]) => value)), new Set([3]))
    assert.equal(clusterSettings['min.insync.replicas'], 2)
  })

  it('have a setting for each replication factor that a single broker has', () => {
    const single = Object.keys(brokerSettings).filter((name) => /replication|min\.isr/.test(name))

    for (const name of single) {
      const key = name as keyof typeof clusterSettings
      assert.notEqual(clusterSettings[key], brokerSettings[key as keyof typeof brokerSettings])
    }
  })

  it('pool by transaction what services connect to, and by session what migrates', () => {
    const settings = poolerSettings(1, 2, '/dir')

    for (const name of databases) {
      assert.match(
        settings,
        new RegExp(`^${name}_db = host=127.0.0.1 port=2 pool_size=\\d+ connect_query`, 'm'),
      )
      assert.match(
        settings,
        new RegExp(`^${name}_db_session = .* dbname=${name}_db pool_mode=session$`, 'm'),
      )
    }
    assert.match(settings, /^pool_mode = transaction$/m)
  })

  it('keep as many prepared statements as a service names, and as long a limit of a statement', async () => {
    const source = await readFile(join(checkout, 'shared/database/prisma.ts'), 'utf8')
    const kept = /maxPrepared = (\d+)/.exec(source)?.[1]
    const limit = /statement_timeout: ([\d_]+)/.exec(source)?.[1]?.replaceAll('_', '')
    const settings = poolerSettings(1, 2, '/dir')

    assert.match(settings, new RegExp(`^max_prepared_statements = ${kept}$`, 'm'))
    assert.equal(settings.split(`statement_timeout = ${limit}'`).length - 1, databases.length)
  })
})

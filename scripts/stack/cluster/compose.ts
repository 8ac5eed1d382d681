import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { env, loadConfig } from '../../../shared/runtime/config.ts'
import { watchStandby } from './standby-watch.ts'

/*
 * The service `replication` of deploy/cluster/docker-compose.yml watches the standby, as the launcher does in the native
 * stack. In the folder CLUSTER_STATE, the file `primary` names the primary, and `complete` the standby that has all that
 * was acknowledged. deploy/cluster/promote.sh stops this process before it changes the first.
 */

const servers = ['postgres', 'postgres-2']
/** A health check asks how old it is. */
const lookedFile = '/tmp/looked'

const { POSTGRES_PASSWORD, CLUSTER_STATE } = loadConfig(
  { POSTGRES_PASSWORD: env.text, CLUSTER_STATE: env.text },
  process.env,
)
const completeFile = join(CLUSTER_STATE, 'complete')

async function readName(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim()
}

const primaryName = () => readName(join(CLUSTER_STATE, 'primary'))

async function standbyName(): Promise<string> {
  const primary = await primaryName()
  return servers.find((name) => name !== primary) ?? ''
}

watchStandby({
  async connect() {
    const connection = new pg.Client({
      host: await primaryName(),
      user: 'postgres',
      password: POSTGRES_PASSWORD,
      database: 'postgres',
      connectionTimeoutMillis: 2_000,
    })
    // A lost connection fails the query in flight; the event would end the process as well.
    connection.on('error', () => {})
    await connection.connect()
    return connection
  },
  async isComplete() {
    const name = await readName(completeFile).catch(() => '')
    return name === (await standbyName())
  },
  async setComplete(complete) {
    if (!complete) return rm(completeFile, { force: true })
    await writeFile(`${completeFile}.new`, `${await standbyName()}\n`, { flush: true })
    await rename(`${completeFile}.new`, completeFile)
  },
  looked: () => writeFile(lookedFile, ''),
  log: (line) => console.log(line),
})

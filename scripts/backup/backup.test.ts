import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as Minio } from 'minio'
import { newId } from '../../shared/contracts/ids.ts'
import { connectAdmin } from '../../shared/kafka/admin.ts'
import { connectRawProducer } from '../../shared/kafka/raw-messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type OwnStack, startOwnStack } from '../../test/helpers/own-stack.ts'
import { connectNode } from '../stack/set-up/redis-cluster.ts'
import { connectDatabase } from './databases.ts'
import { readManifest } from './manifest.ts'
import { restoreBackup } from './restore.ts'
import { takeBackup } from './take.ts'

const quiet = () => undefined
const picture = Buffer.from('a picture')
const group = 'mail'
const topic = 'emails'

/** Engines alone: rows and objects are planted. */
describe('a backup', function () {
  this.timeout(600_000)

  let own: OwnStack
  let dir: string
  let folder: string
  const id = newId()
  const key = `images/${id}`

  async function query(database: string, text: string): Promise<Record<string, unknown>[]> {
    const client = await connectDatabase(own.stack, database)
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  const minio = () => {
    const { hostname: endPoint, port } = new URL(own.stack.urls.minio)
    return new Minio({ endPoint, port: Number(port), useSSL: false, ...own.stack.secrets.minio })
  }

  const statuses = () => query('order_db', 'SELECT status FROM orders')

  async function insertOrder(status: string): Promise<void> {
    await query(
      'order_db',
      `INSERT INTO orders (id, customer_id, status, amount, currency_code)
       VALUES ('${newId()}', '${newId()}', '${status}', 1, 'VND')`,
    )
  }

  async function redisKeys(): Promise<number> {
    let found = 0
    for (const address of own.stack.urls.redisNodes) {
      const [host = '', port] = address.split(':')
      const node = connectNode(host, Number(port))
      await node.connect()
      found += await node.dbsize()
      node.disconnect()
    }
    return found
  }

  before(async () => {
    own = await startOwnStack({ services: false })
    dir = await mkdtemp(join(tmpdir(), 'saga-backup-'))
    folder = join(dir, 'first')
    const headers = { 'Content-Type': 'image/webp', 'Cache-Control': 'public' }
    await minio().putObject('images', id, picture, picture.length, headers)
    await query(
      'media_db',
      `INSERT INTO media (id, product_id, account_id, kind, content_type, size_bytes, checksum, alt, object_key)
       VALUES ('${id}', '${newId()}', '${newId()}', 'image', 'image/webp', 9, '', '', '${key}')`,
    )
    await query(
      'account_db',
      `WITH owner AS (
         INSERT INTO accounts (id, email, password_hash, first_name, last_name, address, phone_number)
         VALUES ('${id}', 'lan@example.com', '', '', '', '', '') RETURNING id)
       INSERT INTO sessions (id, account_id, expires_at) SELECT id, id, now() + interval '1 day' FROM owner`,
    )
    await insertOrder('CONFIRMED')
    const producer = await connectRawProducer(own.stack.urls.kafkaBrokers)
    await producer.send(topic, { partition: 0, value: 'before' })
    const admin = await connectAdmin(own.stack.urls.kafkaBrokers)
    // A broker that has just started has no coordinator of groups yet.
    await waitFor('the group', () => admin.commit(group, topic, [1]).then(() => true), 60_000)
    await takeBackup(own.stack, folder, quiet)
    await producer.send(topic, { partition: 0, value: 'after' })
    await producer.close()
    await admin.close()
  })

  after(async () => {
    await own?.close()
    await rm(dir, { recursive: true, force: true })
  })

  async function committed(): Promise<number | undefined> {
    const admin = await connectAdmin(own.stack.urls.kafkaBrokers)
    const [first] = await admin.committed(group, topic)
    await admin.close()
    return first
  }

  it('needs a folder of its own, and is none without its manifest', async () => {
    await assert.rejects(takeBackup(own.stack, folder, quiet), /is not empty/)
    await assert.rejects(readManifest(dir), /is not a backup/)
  })

  it('is of its owner alone, and has no secret', async () => {
    const text = await readFile(join(folder, 'manifest.json'), 'utf8')
    const { postgres, minio } = own.stack.secrets

    for (const secret of [...Object.values(postgres), minio.secretKey]) {
      assert.ok(!text.includes(secret))
    }
  })

  it('restores one database beside the others, and keeps the one that was in use', async () => {
    await insertOrder('PENDING')
    await query('account_db', `UPDATE accounts SET first_name = 'Newer'`)

    await restoreBackup(own.stack, folder, { only: 'order' }, quiet)

    assert.deepEqual(await statuses(), [{ status: 'CONFIRMED' }])
    const kept = await query('order_db_before_restore', 'SELECT count(*)::int AS count FROM orders')
    assert.deepEqual(kept, [{ count: 2 }])
    const [account] = await query('account_db', 'SELECT first_name FROM accounts')
    assert.equal(account?.first_name, 'Newer')
    const [owner] = await query(
      'order_db',
      `SELECT tableowner FROM pg_tables WHERE tablename = 'orders'`,
    )
    assert.equal(owner?.tableowner, 'order')
  })

  it('restores everything: objects too, with empty caches, ended sessions and nothing read again', async () => {
    await insertOrder('PENDING')
    await minio().removeObject('images', id)
    const [host = '', port] = (own.stack.urls.redisNodes[0] ?? '').split(':')
    const node = connectNode(host, Number(port))
    await node.connect()
    await node.set('{06S}', 'cached').catch(() => undefined)
    node.disconnect()

    await restoreBackup(own.stack, folder, {}, quiet)

    assert.deepEqual(await statuses(), [{ status: 'CONFIRMED' }])
    const stored = await minio().statObject('images', id)
    assert.equal(stored.size, picture.length)
    assert.equal(stored.metaData['content-type'], 'image/webp')
    const [session] = await query('account_db', 'SELECT ended_at FROM sessions')
    assert.ok(session?.ended_at)
    // A replica empties its memory a moment after its master.
    await waitFor('no node to have a key', async () => (await redisKeys()) === 0)
    assert.equal(await committed(), 2)
  })

  it('restores the positions of consumer groups, so that they read again what they had not read', async () => {
    await restoreBackup(own.stack, folder, { only: 'positions' }, quiet)

    assert.equal(await committed(), 1)
  })

  it('is not restored when a file is damaged, and nothing is changed', async () => {
    await insertOrder('PENDING')
    await appendFile(join(folder, 'order.dump'), 'x')

    await assert.rejects(restoreBackup(own.stack, folder, {}, quiet), /order.dump .* is damaged/)

    assert.equal((await statuses()).length, 2)
  })
})

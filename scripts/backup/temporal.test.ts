import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openTemporal, replaceTemporal } from './temporal.ts'

/** So many that the copy takes more than one turn. */
const rows = 100_000

describe('the copy of Temporal in a backup', () => {
  it('shows the moment at which it was frozen, although the server goes on writing', async () => {
    await using open = new AsyncDisposableStack()
    const dataDir = await mkdtemp(join(tmpdir(), 'saga-temporal-'))
    open.defer(() => rm(dataDir, { recursive: true }))
    await mkdir(join(dataDir, 'temporal'))
    const server = open.adopt(
      new DatabaseSync(join(dataDir, 'temporal', 'temporal.db')),
      async (it) => it.close(),
    )
    server.exec('PRAGMA journal_mode = WAL; CREATE TABLE executions (id INTEGER, state TEXT)')
    server.exec(
      `WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ${rows})
       INSERT INTO executions SELECT id, 'running' FROM ids`,
    )
    const file = join(dataDir, 'copy.db')

    const source = open.adopt(openTemporal({ dataDir }), async (it) => it.close())
    server.exec(`INSERT INTO executions VALUES (0, 'before')`)
    source.freeze()
    server.exec(`INSERT INTO executions VALUES (-1, 'after')`)
    const copying = source.copyTo(file)
    server.exec(`UPDATE executions SET state = 'ended'`)
    await copying

    const copy = open.adopt(new DatabaseSync(file, { readOnly: true }), async (it) => it.close())
    const counted = copy
      .prepare('SELECT state, count(*) AS count FROM executions GROUP BY state ORDER BY state')
      .all()
    assert.deepEqual(
      counted.map(({ state, count }) => [state, count]),
      [
        ['before', 1],
        ['running', rows],
      ],
    )
  })

  it('takes the place of all that the server had, also of what it had not checkpointed', async () => {
    await using open = new AsyncDisposableStack()
    const dataDir = await mkdtemp(join(tmpdir(), 'saga-temporal-'))
    open.defer(() => rm(dataDir, { recursive: true }))
    const dir = join(dataDir, 'temporal')
    await mkdir(dir)
    for (const part of ['', '-wal', '-shm']) await writeFile(join(dir, `temporal.db${part}`), 'old')
    const file = join(dataDir, 'copy.db')
    await writeFile(file, 'copy')

    await replaceTemporal({ dataDir }, file)

    assert.deepEqual(await readdir(dir), ['temporal.db'])
    assert.equal(await readFile(join(dir, 'temporal.db'), 'utf8'), 'copy')
  })
})

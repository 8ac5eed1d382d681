import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { Client, WorkflowNotFoundError } from '@temporalio/client'
import { purchaseIdOf } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { connectToTemporal } from '../../temporal/connect.ts'
import { namespace } from '../../temporal/setup.ts'
import type { StackInfo } from '../stack/client.ts'
import { connectDatabase } from './databases.ts'

export const temporalFile = 'temporal.db'
/** Pages that are copied before others may work. */
const pagesAtOnce = 1_000
const pageSize = 200
const startDeadlineMs = 30_000
const running = `ExecutionStatus = 'Running' AND WorkflowType IN ('purchase', 'refusePurchase', 'finishPurchase')`

const fileOf = ({ dataDir }: Pick<StackInfo, 'dataDir'>) => join(dataDir, 'temporal', 'temporal.db')

/** Temporal's database, to be copied while the server works. */
export function openTemporal(stack: Pick<StackInfo, 'dataDir'>) {
  const db = new DatabaseSync(fileOf(stack), { readOnly: true })
  return {
    /** From now on it shows this moment. */
    freeze(): void {
      db.exec('BEGIN')
      // A transaction begins to show one moment with its first read.
      db.prepare('SELECT count(*) FROM sqlite_schema').get()
    },
    async copyTo(file: string): Promise<void> {
      await backup(db, file, { rate: pagesAtOnce })
      using copy = new DatabaseSync(file)
      const [first] = copy.prepare('PRAGMA quick_check').all() as { quick_check: string }[]
      if (first?.quick_check !== 'ok') throw new Error('the copy of Temporal is damaged')
    },
    close: () => db.close(),
  }
}

/** Replaces the database of a Temporal that does not run. */
export async function replaceTemporal(
  stack: Pick<StackInfo, 'dataDir'>,
  file: string,
): Promise<void> {
  const target = fileOf(stack)
  for (const part of ['', '-wal', '-shm']) await rm(`${target}${part}`, { force: true })
  await copyFile(file, target)
}

/**
 * Terminates the sagas of purchases that have ended. They continue from an older database, and the time of their steps
 * is over, so they would undo what is paid for as soon as a worker runs. The orchestrator replaces each by a workflow
 * that announces the end again. Resolves with how many there were.
 */
export async function endOutdatedSagas(
  stack: Pick<StackInfo, 'ports' | 'secrets' | 'urls'>,
): Promise<number> {
  await using open = new AsyncDisposableStack()
  const connection = open.adopt(await connectToTemporal(stack.urls.temporal), (it) => it.close())
  const purchases = open.adopt(await connectDatabase(stack, 'purchase_db'), (it) => it.end())
  const { workflow } = new Client({ connection, namespace })
  const listed = await waitFor(
    'the sagas of Temporal',
    async () => {
      const ids: string[] = []
      for await (const { workflowId } of workflow.list({ query: running, pageSize }))
        ids.push(workflowId)
      return { ids }
    },
    startDeadlineMs,
  )
  let outdated = 0
  for (let first = 0; first < listed.ids.length; first += pageSize) {
    const ids = listed.ids.slice(first, first + pageSize)
    const { rows } = await purchases.query<{ id: string; status: string }>(
      `SELECT id, status FROM purchases
       WHERE id = ANY($1::uuid[]) AND status NOT IN ('ACCEPTED', 'PROCESSING')`,
      [ids.map(purchaseIdOf)],
    )
    const ended = new Map(rows.map(({ id, status }) => [id, status]))
    for (const workflowId of ids) {
      const status = ended.get(purchaseIdOf(workflowId))
      if (!status) continue
      const reason = `restored: the purchase has ended ${status}`
      try {
        await workflow.getHandle(workflowId).terminate(reason)
        outdated += 1
      } catch (error) {
        // The list may be older than the saga.
        if (!(error instanceof WorkflowNotFoundError)) throw error
      }
    }
  }
  return outdated
}

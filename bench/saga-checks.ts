import { type Check, createFindings } from './findings.ts'
import type { Saga } from './sagas.ts'

/** What a saga is of, and how it ended by its row. */
type Ended = {
  id: string
  status: string
  /** Of a refund. */
  purchaseId?: string
}

type SagaOptions = {
  of: keyof typeof names
  live: boolean
  /** Those that ended before those that are checked. */
  earlier: number
  /** How many sagas are read at once. */
  batch: number
  read: (ids: string[]) => Promise<Map<string, Saga>>
  onProgress?: (read: number) => void
}

const names = {
  purchase: {
    returned: 'sagas returned what purchases show',
    strays: 'no saga without its purchase',
  },
  refund: {
    returned: 'refund sagas returned what refunds show',
    strays: 'no refund saga without its refund',
  },
}
const missing: Saga = { state: 'missing' }

/**
 * Compares how purchases or refunds ended with how their sagas did. Temporal may have lost a saga, by its retention or
 * with its database: then the row alone says how it ended, and the other checks whether that is so.
 */
export async function checkSagas(
  rows: Ended[],
  { of, live, earlier, batch, read, onProgress = () => {} }: SagaOptions,
): Promise<Check> {
  const findings = createFindings(names[of].returned)
  let gone = 0
  for (let first = 0; first < rows.length; first += batch) {
    const some = rows.slice(first, first + batch)
    const sagas = await read(some.map(({ id }) => id))
    for (const { id, status, purchaseId = id } of some) {
      const { state, result } = sagas.get(id) ?? missing
      if (state === 'missing') gone += 1
      if (state === 'missing' || (live && state === 'RUNNING')) continue
      const what = state === 'COMPLETED' ? `returned ${result}` : state
      if (result === status) continue
      const about = purchaseId === id ? id : `${id} of ${purchaseId}`
      findings.add({ purchaseIds: [purchaseId], what: `${about} ${status}, saga ${what}` })
    }
    onProgress(first + some.length)
  }
  const rest = gone > 0 ? `, ${gone} no longer in Temporal` : ''
  const older = earlier > 0 ? `, ${earlier} earlier ones not read` : ''
  return findings.toCheck(`${rows.length} sagas${rest}${older}`)
}

/** Names the sagas whose purchase or refund nobody has stored. Each page of ids is read before its rows are. */
export async function checkStraySagas(
  of: keyof typeof names,
  pages: AsyncIterable<string[]>,
  statusesOf: (ids: string[]) => Promise<Map<string, string>>,
): Promise<Check> {
  const findings = createFindings(names[of].strays)
  let count = 0
  for await (const ids of pages) {
    const known = await statusesOf(ids)
    count += ids.length
    for (const id of ids) {
      if (known.has(id)) continue
      // The purchase of a refund is known to its row only.
      const purchaseIds = of === 'purchase' ? [id] : []
      findings.add({ purchaseIds, what: `${id} has a saga and no ${of}` })
    }
  }
  return findings.toCheck(`${count} sagas`)
}

import assert from 'node:assert/strict'
import { newId, nilId } from '../../shared/contracts/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { storeAccepted } from '../../test/helpers/purchase-service.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import type { Insertion, StartLimits } from './queue-repository.ts'
import { connectRepository, type Repository } from './repository.ts'

const limits: StartLimits = { perCustomer: 2, inAll: 5, countedForMs: 300_000 }

describe('the queue of purchases that wait for their turn', () => {
  let database: TestDatabase
  let repository: Repository

  beforeEach(async () => {
    database = await createTestDatabase('purchase')
    repository = await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 })
  })

  afterEach(async () => {
    await repository.close()
    await database.close()
  })

  const purchasesOf = (customerId: string, count: number) =>
    Array.from({ length: count }, () => ({ ...buildPurchase(), customer_id: customerId }))

  /** Stores purchases in one statement, or one each: what became of each. */
  async function store(purchases: ReturnType<typeof purchasesOf>, maxUnfinished?: number) {
    const became = await storeAccepted(repository, purchases, limits, maxUnfinished)
    return purchases.map(({ purchase_id }) => became.get(purchase_id))
  }

  async function end(ids: string[]) {
    const rest = {
      customer_id: null,
      status: 'COMPLETED' as const,
      reason: null,
      failed_step: null,
    }
    return repository.end(ids.map((purchase_id) => ({ ...rest, purchase_id, steps: [] })))
  }

  const release = async (limit = 200) => {
    const { released } = await repository.release(limit, limits, nilId)
    return released.map(({ accepted }) => accepted.purchase_id)
  }

  it('starts what the limit of its customer allows, and takes the others in', async () => {
    const greedy = newId()
    assert.deepEqual(await store(purchasesOf(greedy, 3)), ['released', 'released', 'queued'])
    assert.deepEqual(await store(purchasesOf(greedy, 1)), ['queued'])
    assert.deepEqual(await store(purchasesOf(newId(), 1)), ['released'])
  })

  it('takes turns between the customers of one statement, within the limit of all', async () => {
    const [one, two, three] = [newId(), newId(), newId()]
    const became = await store([
      ...purchasesOf(one, 3),
      ...purchasesOf(two, 2),
      ...purchasesOf(three, 1),
    ])

    const released = became.map((what, index) => what === 'released' && index)
    assert.equal(became.filter((what) => what === 'released').length, 5)
    assert.ok(
      [0, 3, 5].every((index) => released.includes(index)),
      String(became),
    )
    assert.deepEqual(await store(purchasesOf(newId(), 1)), ['queued'])
  })

  it('releases purchases of customers with the fewest in progress first', async () => {
    const [greedy, stranger] = [newId(), newId()]
    const theirs = [purchasesOf(newId(), 2), purchasesOf(newId(), 2)].flat()
    await store(theirs)
    const [mine = buildPurchase()] = purchasesOf(greedy, 1)
    await store([mine])
    await store(purchasesOf(greedy, 3))
    const [other = buildPurchase()] = purchasesOf(stranger, 1)
    await store([other])
    assert.deepEqual(await release(), [])

    const { hasQueue } = await end(theirs.slice(0, 1).map(({ purchase_id }) => purchase_id))

    assert.equal(hasQueue, true)
    assert.deepEqual(await release(), [other.purchase_id])
  })

  it('keeps a customer in the order of buying', async () => {
    const customer = newId()
    const mine = purchasesOf(customer, 6).toSorted((a, b) =>
      a.purchase_id < b.purchase_id ? -1 : 1,
    )
    for (const one of mine) await store([one])
    const ids = mine.map(({ purchase_id }) => purchase_id)

    for (const from of [0, 2, 4]) {
      await end(ids.slice(from, from + 2))
      assert.deepEqual(await release(), ids.slice(from + 2, from + 4))
    }
    assert.equal((await end(ids)).hasQueue, false)
  })

  it('releases each purchase once, however many replicas look', async () => {
    const purchases = Array.from({ length: 40 }, () => purchasesOf(newId(), 1)).flat()
    await storeAccepted(repository, purchases, { ...limits, inAll: 0 })
    const many = { ...limits, inAll: 1_000 }

    const released = await Promise.all(
      Array.from({ length: 4 }, () => repository.release(15, many, nilId)),
    )

    const ids = released.flatMap((page) =>
      page.released.map(({ accepted }) => accepted.purchase_id),
    )
    assert.equal(new Set(ids).size, ids.length)
  })

  it('comes to every customer, however many wait', async () => {
    const purchases = Array.from({ length: 250 }, () => purchasesOf(newId(), 1)).flat()
    await storeAccepted(repository, purchases, { ...limits, inAll: 0 })
    const many = { ...limits, inAll: 1_000 }

    const released: string[] = []
    let after: string | undefined = nilId
    while (after !== undefined) {
      const page: Awaited<ReturnType<Repository['release']>> = await repository.release(
        200,
        many,
        after,
      )
      released.push(...page.released.map(({ accepted }) => accepted.purchase_id))
      after = page.next
    }
    assert.equal(new Set(released).size, 250)
  })

  it('tells with a released purchase whether its customer has asked to cancel', async () => {
    const customer = newId()
    const waiting = purchasesOf(customer, 2).toSorted((a, b) =>
      a.purchase_id < b.purchase_id ? -1 : 1,
    )
    await storeAccepted(repository, waiting, { ...limits, inAll: 0 })
    await repository.requestCancel(waiting[0]?.purchase_id ?? '', customer)

    const { released } = await repository.release(200, limits, nilId)

    assert.deepEqual(
      released.map(({ cancelRequested }) => cancelRequested),
      [true, false],
    )
  })

  it('does not count purchases that have been in progress for too long', async () => {
    const customer = newId()
    await store(purchasesOf(customer, 2))
    await database.query(`UPDATE purchases SET released_at = now() - interval '6 minutes'`)

    assert.deepEqual(await store(purchasesOf(customer, 1)), ['released'])
  })

  it('refuses what a customer buys beyond the limit of unfinished ones, and nobody else', async () => {
    const greedy = newId()
    const became = await store([...purchasesOf(greedy, 5), ...purchasesOf(newId(), 1)], 4)
    const expected: Insertion[] = [
      'released',
      'released',
      'queued',
      'queued',
      'refused',
      'released',
    ]

    assert.deepEqual(became, expected)
    assert.deepEqual(await store(purchasesOf(greedy, 1), 4), ['refused'])
    const counted = { unfinished: 5, queued: 2 }
    assert.deepEqual(await repository.countUnfinished(100), counted)
    assert.deepEqual(await repository.countUnfinished(3), { unfinished: 3, queued: 2 })
  })
})

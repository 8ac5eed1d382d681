import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { waitFor } from '../scripts/wait-for.ts'
import { closedDoor, connectTestRedis, uniqueName } from '../test/helpers/redis.ts'
import { createFinalReader } from './final-cache.ts'

type Letter = { id: string; status: string; pages: number }
const fields = { id: 'string', status: 'string', pages: 'number' } as const

describe('the reader of rows that become final', () => {
  let resources: AsyncDisposableStack
  let name: string
  /** The database. */
  let rows: Map<string, Letter>
  let loads: number
  /** What a load waits for after it has seen its row. */
  let answering: Promise<void>

  beforeEach(() => {
    resources = new AsyncDisposableStack()
    name = uniqueName()
    rows = new Map()
    loads = 0
    answering = Promise.resolve()
  })

  afterEach(() => resources.disposeAsync())

  /** One process: its own memory and connections. */
  async function createProcess({
    nodes,
    deadlineMs,
    memoryMs,
  }: {
    nodes?: string[]
    deadlineMs?: number
    memoryMs?: number
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes, deadlineMs), (open) => open.close())
    const reader = createFinalReader<Letter>({
      ...test,
      name,
      fields,
      isFinal: ({ status }) => status === 'SENT',
      ...(memoryMs !== undefined && { memoryMs }),
      async load(id) {
        loads += 1
        const row = rows.get(id)
        await answering
        return row
      },
    })
    return { ...test, ...reader }
  }

  function addLetter(status: string): Letter {
    const letter = { id: randomUUID(), status, pages: 2 ** 52 + 1 }
    rows.set(letter.id, letter)
    return letter
  }

  const isKept = ({ redis }: Awaited<ReturnType<typeof createProcess>>, { id }: Letter) =>
    waitFor('the row to be kept', () => redis.cluster.exists(`${name}:${id}`))

  it('answers a final row from the database, then from Redis, then from memory', async () => {
    const letter = addLetter('SENT')
    const [one, other] = [await createProcess(), await createProcess()]

    const answers = [await one.read(letter.id)]
    await isKept(one, letter)
    answers.push(await other.read(letter.id), await other.read(letter.id))

    assert.deepEqual(answers, [letter, letter, letter])
    assert.equal(loads, 1)
    assert.equal(await one.count('cache_reads_total', { layer: 'database' }), 1)
    assert.equal(await other.count('cache_reads_total', { layer: 'redis' }), 1)
    assert.equal(await other.count('cache_reads_total', { layer: 'memory' }), 1)
  })

  it('keeps nothing of a row that can still change, or that does not exist', async () => {
    const [one, other] = [await createProcess(), await createProcess()]
    const letter = addLetter('DRAFT')
    const missing = randomUUID()
    assert.equal((await one.read(letter.id))?.status, 'DRAFT')
    assert.equal(await one.read(missing), undefined)
    rows.set(letter.id, { ...letter, status: 'SENT' })
    rows.set(missing, { ...letter, id: missing })

    for (const process of [one, other]) {
      assert.equal((await process.read(letter.id))?.status, 'SENT')
      assert.equal((await process.read(missing))?.status, 'DRAFT')
    }
  })

  it('loads a final row once for all who ask this process at once', async () => {
    const letter = addLetter('SENT')
    const one = await createProcess()

    const answers = await Promise.all(Array.from({ length: 500 }, () => one.read(letter.id)))

    assert.ok(answers.every((answer) => answer?.status === 'SENT'))
    assert.equal(loads, 1)
  })

  it('tells nobody what was read of a row before they asked', async () => {
    const letter = addLetter('DRAFT')
    const one = await createProcess()
    const { promise, resolve } = Promise.withResolvers<void>()
    answering = promise
    const early = one.read(letter.id)
    await waitFor('the load', () => loads === 1)
    rows.set(letter.id, { ...letter, status: 'SENT' })
    answering = Promise.resolve()

    const late = one.read(letter.id)
    resolve()

    assert.equal((await early)?.status, 'DRAFT')
    assert.equal((await late)?.status, 'SENT')
  })

  it('keeps rows for about their time', async () => {
    const one = await createProcess()
    const letters = Array.from({ length: 20 }, () => addLetter('SENT'))
    for (const letter of letters) {
      await one.read(letter.id)
      await isKept(one, letter)
    }

    const left = await Promise.all(
      letters.map(({ id }) =>
        waitFor('the expiry', async () => {
          const seconds = await one.redis.cluster.ttl(`${name}:${id}`)
          return seconds > 0 && seconds
        }),
      ),
    )

    assert.ok(left.every((seconds) => seconds >= 530 && seconds <= 660))
    assert.ok(new Set(left).size > 3)
  })

  it('answers from the database while Redis is away, and heals', async () => {
    const door = resources.adopt(await closedDoor(), (open) => open.close())
    const letter = addLetter('SENT')
    const one = await createProcess({ nodes: [door.node], memoryMs: 1 })

    const crowd = await Promise.all(Array.from({ length: 200 }, () => one.read(letter.id)))
    assert.ok(crowd.every((answer) => answer?.status === 'SENT'))
    assert.equal(loads, 1)

    await door.open()
    await waitFor('Redis to answer', async () => {
      await one.read(letter.id)
      return one.count('cache_reads_total', { layer: 'redis' })
    })
  })

  it('waits once for a Redis that hangs, and then not at all', async () => {
    const one = await createProcess({ deadlineMs: 150 })
    const letters = Array.from({ length: 30 }, () => addLetter('SENT'))
    one.redis.entities.client = () => ({ hGetAll: () => new Promise(() => undefined) }) as never
    await one.read(letters[0]?.id ?? '')
    const started = performance.now()

    for (const { id } of letters) assert.ok(await one.read(id))

    assert.ok(performance.now() - started < 30 * 20 + 400)
  })

  it('fails when the database does, and asks it again', async () => {
    const letter = addLetter('SENT')
    const one = await createProcess()
    const away = Promise.reject(new Error('the database is away'))
    // It has a reader only later, and a worker in this process takes that for a defect of a workflow.
    away.catch(() => undefined)
    answering = away
    await assert.rejects(one.read(letter.id), /database is away/)
    answering = Promise.resolve()

    assert.deepEqual(await one.read(letter.id), letter)
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { closedPort, connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { createFinalReader } from './final-cache.ts'

type Report = { id: string; status: string; pages: number }
const fields = { id: 'string', status: 'string', pages: 'number' } as const

describe('the reader of rows that become final', () => {
  let resources: AsyncDisposableStack
  let name: string
  /** The database. */
  let rows: Map<string, Report>
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
    const reader = createFinalReader<Report>({
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

  function addReport(status: string): Report {
    const report = { id: randomUUID(), status, pages: 2 ** 52 + 1 }
    rows.set(report.id, report)
    return report
  }

  const isKept = ({ redis }: Awaited<ReturnType<typeof createProcess>>, { id }: Report) =>
    waitFor('the row to be kept', () => redis.cluster.exists(`${name}:${id}`))

  it('answers a final row from the database, then from Redis, then from memory', async () => {
    const report = addReport('SENT')
    const [one, other] = [await createProcess(), await createProcess()]

    const answers = [await one.read(report.id)]
    await isKept(one, report)
    answers.push(await other.read(report.id), await other.read(report.id))

    assert.deepEqual(answers, [report, report, report])
    assert.equal(loads, 1)
    assert.equal(await one.count('cache_reads_total', { layer: 'database' }), 1)
    assert.equal(await other.count('cache_reads_total', { layer: 'redis' }), 1)
    assert.equal(await other.count('cache_reads_total', { layer: 'memory' }), 1)
  })

  it('caches nothing for a row that can still change, or that does not exist', async () => {
    const [one, other] = [await createProcess(), await createProcess()]
    const report = addReport('DRAFT')
    const missing = randomUUID()
    assert.equal((await one.read(report.id))?.status, 'DRAFT')
    assert.equal(await one.read(missing), undefined)
    rows.set(report.id, { ...report, status: 'SENT' })
    rows.set(missing, { ...report, id: missing })

    for (const process of [one, other]) {
      assert.equal((await process.read(report.id))?.status, 'SENT')
      assert.equal((await process.read(missing))?.status, 'DRAFT')
    }
  })

  it('loads a final row once for concurrent reads of this process', async () => {
    const report = addReport('SENT')
    const one = await createProcess()

    const answers = await Promise.all(Array.from({ length: 500 }, () => one.read(report.id)))

    assert.ok(answers.every((answer) => answer?.status === 'SENT'))
    assert.equal(loads, 1)
  })

  it('never answers with a read that began before the call', async () => {
    const report = addReport('DRAFT')
    const one = await createProcess()
    const { promise, resolve } = Promise.withResolvers<void>()
    answering = promise
    const early = one.read(report.id)
    await waitFor('the load', () => loads === 1)
    rows.set(report.id, { ...report, status: 'SENT' })
    answering = Promise.resolve()

    const late = one.read(report.id)
    resolve()

    assert.equal((await early)?.status, 'DRAFT')
    assert.equal((await late)?.status, 'SENT')
  })

  it('expires rows after about their time', async () => {
    const one = await createProcess()
    const reports = Array.from({ length: 20 }, () => addReport('SENT'))
    for (const report of reports) {
      await one.read(report.id)
      await isKept(one, report)
    }

    const left = await Promise.all(
      reports.map(({ id }) =>
        waitFor('the expiry', async () => {
          const seconds = await one.redis.cluster.ttl(`${name}:${id}`)
          return seconds > 0 && seconds
        }),
      ),
    )

    assert.ok(left.every((seconds) => seconds >= 530 && seconds <= 660))
    assert.ok(new Set(left).size > 3)
  })

  it('answers from the database while Redis is unavailable, and recovers', async () => {
    const port = resources.adopt(await closedPort(), (open) => open.close())
    const report = addReport('SENT')
    const one = await createProcess({ nodes: [port.node], memoryMs: 1 })

    const answers = await Promise.all(Array.from({ length: 200 }, () => one.read(report.id)))
    assert.ok(answers.every((answer) => answer?.status === 'SENT'))
    assert.equal(loads, 1)

    port.open()
    await waitFor('Redis to answer', async () => {
      await one.read(report.id)
      return one.count('cache_reads_total', { layer: 'redis' })
    })
  })

  it('waits once for a Redis that hangs, and then not at all', async () => {
    const one = await createProcess({ deadlineMs: 150 })
    const reports = Array.from({ length: 30 }, () => addReport('SENT'))
    let asked = 0
    const hang = () => {
      asked += 1
      return new Promise(() => undefined)
    }
    one.redis.entities.client = () => ({ hGetAll: hang }) as never
    await one.read(reports[0]?.id ?? '')
    assert.equal(asked, 1)
    const started = performance.now()

    for (const { id } of reports) assert.ok(await one.read(id))

    // The circuit lets one use pass in half a second, to try whether Redis is back.
    const tries = 1 + (performance.now() - started) / 500
    assert.ok(asked - 1 <= tries, `${asked - 1} uses, ${tries} tries`)
  })

  it('fails when the database fails, and reads again', async () => {
    const report = addReport('SENT')
    const one = await createProcess()
    const failure = Promise.reject(new Error('the database is unavailable'))
    // It has a reader only later, and a worker in this process takes that for a defect of a workflow.
    failure.catch(() => undefined)
    answering = failure
    await assert.rejects(one.read(report.id), /database is unavailable/)
    answering = Promise.resolve()

    assert.deepEqual(await one.read(report.id), report)
  })
})

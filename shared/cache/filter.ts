import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, type Registry } from 'prom-client'
import { startSweep } from '../runtime/interval.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Redis } from './redis.ts'

/*
 * A filter answers "absent" only under its epoch: `ready` holds the replication id of the master that the filter was
 * filled on, and every script compares the two. A master that was lost, restarted or replaced has another replication
 * id, so what a replica missed is never taken for something that does not exist.
 */
const readEpoch = "string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')"

/*
 * The scripts also teach the client where the keys are: of a bare CF.* command ioredis does not know them, sends it
 * to any node and follows MOVED, ten times slower. KEYS: filter, ready, building.
 */
const scripts = {
  ask: `
    if redis.call('CF.EXISTS', KEYS[1], ARGV[1]) == 1 then return 'maybe' end
    if redis.call('GET', KEYS[2]) ~= ${readEpoch} then return 'unknown' end
    if redis.call('EXISTS', KEYS[1]) == 0 then return 'unknown' end
    return 'absent'`,
  add: `
    if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
    return redis.call('CF.INSERTNX', KEYS[1], 'NOCREATE', 'ITEMS', unpack(ARGV))`,
  /** Ends the epoch, and a running rebuild, which may have read the table too early. */
  revoke: `return redis.call('DEL', KEYS[2], KEYS[3])`,
  isReady: `
    if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('GET', KEYS[2]) == ${readEpoch} then return 1 end
    return 0`,
  /** ARGV: token, deadline of the rebuild, capacity. The filter is never emptied, so that concurrent additions stay. */
  begin: `
    if not redis.call('SET', KEYS[3], ARGV[1] .. ${readEpoch}, 'PX', ARGV[2], 'NX') then return 0 end
    redis.call('DEL', KEYS[2])
    if redis.call('EXISTS', KEYS[1]) == 0 then
      redis.call('CF.RESERVE', KEYS[1], ARGV[3], 'BUCKETSIZE', 2, 'EXPANSION', 2)
    end
    return 1`,
  /** ARGV: token, period. */
  finish: `
    local epoch = ${readEpoch}
    if redis.call('GET', KEYS[3]) ~= ARGV[1] .. epoch then return 0 end
    redis.call('DEL', KEYS[3])
    if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    redis.call('SET', KEYS[2], epoch, 'PX', ARGV[2])
    return 1`,
}

type Script = keyof typeof scripts
const batchSize = 1_000
const rebuildStepMs = 1_000
const rebuildMs = 30_000

/** `unknown`: the filter is not valid now; read the database. */
export type FilterAnswer = 'absent' | 'maybe' | 'unknown'
export type CuckooFilter = ReturnType<typeof createCuckooFilter>

/** An id that could not be added to a filter, with the mark of its last note. */
export type LateId = { id: string; mark: string }

/**
 * Ids that a process without Redis is about to write, for processes that have Redis. They are stored in the same
 * database as the rows, so that a process that can read the rows can read them too.
 */
export type LateIds = {
  /** False if it was noted before; it then has a new mark. */
  note(filter: string, id: string): Promise<boolean>
  list(filter: string, limit: number): Promise<LateId[]>
  /** Removes those whose mark is unchanged. */
  remove(filter: string, ids: LateId[]): Promise<void>
}

export type CuckooOptions = {
  redis: Redis
  /** Also the hash tag of the keys: a filter and its epoch are on one master. */
  name: string
  /** A page of the ids that exist, ascending, after `after`. */
  listIds: (after: string | undefined, limit: number) => Promise<string[]>
  lateIds: LateIds
  logger: Logger
  registry: Registry
  /** Twice the expected number of ids: in a fuller filter, more than 1 % of missing ids are false positives. */
  capacity?: number
  /** The filter is rebuilt at least this often. */
  periodMs?: number
  maintenanceMs?: number
  /**
   * How long a query of the late ids is valid. A writer without Redis waits this long, so that the others have queried
   * again.
   */
  leaseMs?: number
}

/**
 * Tells which ids do not exist, without the database. The filter is filled from `listIds`. It loses its epoch when this
 * process loses a connection, and is rebuilt as soon as Redis answers. It answers `unknown` while an id is late.
 */
export function createCuckooFilter({
  redis,
  name,
  listIds,
  lateIds,
  logger,
  registry,
  capacity = 1_000_000,
  periodMs = 600_000,
  maintenanceMs = 250,
  leaseMs = 1_000,
}: CuckooOptions) {
  const { cluster } = redis
  const keys = ['filter', 'ready', 'building'].map((part) => `{${name}}:${part}`)
  const asking = redis.breaker('filter')
  const keeping = redis.breaker('filter')
  const answers = answersCounter(registry)
  const rebuilds = rebuildsCounter(registry)
  // Every loss needs a revocation, also the start: the process before may have died while one was pending.
  let losses = 1
  let revoked = 0
  /** The start of the last query that found no late id. */
  let sawNoneLate = Number.NEGATIVE_INFINITY

  const isTrusted = () => revoked === losses && performance.now() - sawNoneLate < leaseMs

  function run(script: Script, ...args: (string | number)[]): Promise<unknown> {
    const command = `cuckoo_${script}`
    const known = cluster as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    if (!known[command]) {
      cluster.defineCommand(command, { numberOfKeys: keys.length, lua: scripts[script] })
    }
    return known[command]?.(...keys, ...args) ?? Promise.reject(new Error(command))
  }

  function invalidate(): void {
    losses += 1
  }
  cluster.on('-node', invalidate)
  cluster.on('close', invalidate)

  /** False if the filter is lost. */
  async function add(ids: string[], ask = asking.run<unknown>): Promise<boolean> {
    const added = (await ask(() => run('add', ...ids))) as number[]
    if (added.some((result) => result < 0)) throw new Error(`the filter ${name} is full`)
    return added.length === ids.length
  }

  /** This settles only the losses that were counted before the epoch ended. */
  async function revoke(): Promise<void> {
    const settled = losses
    await keeping.run(() => run('revoke'))
    revoked = settled
  }

  /** When this resolves, no process answers that the id is absent; a lost filter answers `unknown`. */
  async function tell(id: string): Promise<void> {
    try {
      await add([id])
    } catch (err) {
      logger.debug({ err, filter: name }, 'an id is late')
      // Noted before: no process has trusted the filter since.
      if (await lateIds.note(name, id)) await sleep(leaseMs)
    }
  }

  /** Adds what others could not add. */
  async function addLate(): Promise<void> {
    const began = performance.now()
    const late = await lateIds.list(name, batchSize)
    if (late.length === 0) {
      sawNoneLate = began
      return
    }
    sawNoneLate = Number.NEGATIVE_INFINITY
    const ids = late.map(({ id }) => id)
    if (await add(ids, keeping.run)) await lateIds.remove(name, late)
  }

  async function fill(): Promise<boolean> {
    let after: string | undefined
    for (;;) {
      const ids = await listIds(after, batchSize)
      if (ids.length === 0) return true
      if (!(await add(ids, (use) => keeping.run(use, rebuildStepMs)))) return false
      if (ids.length < batchSize) return true
      after = ids.at(-1)
    }
  }

  async function rebuild(): Promise<void> {
    const token = randomUUID()
    if ((await keeping.run(() => run('begin', token, rebuildMs, capacity))) !== 1) return
    try {
      const filled = await fill()
      const ready = filled && (await keeping.run(() => run('finish', token, periodMs))) === 1
      if (!ready) throw new Error(`the filter ${name} was lost while it was filled`)
      rebuilds.inc({ filter: name, outcome: 'ready' })
      logger.info({ filter: name }, 'filter is ready')
    } catch (error) {
      rebuilds.inc({ filter: name, outcome: 'lost' })
      invalidate()
      throw error
    }
  }

  async function keep(): Promise<void> {
    try {
      await addLate()
    } catch (err) {
      logger.debug({ err, filter: name }, 'late ids wait')
    }
    try {
      if (revoked !== losses) await revoke()
      if ((await keeping.run(() => run('isReady'))) !== 1) await rebuild()
    } catch (err) {
      logger.debug({ err, filter: name }, 'filter waits')
    }
  }
  const maintenance = startSweep({ intervalMs: maintenanceMs, run: keep, logger })

  return {
    /** Whether an id may exist. Never throws. */
    async ask(id: string): Promise<FilterAnswer> {
      const answer = isTrusted()
        ? await asking.run(() => run('ask', id)).catch(() => 'unknown')
        : 'unknown'
      answers.inc({ filter: name, answer: answer as FilterAnswer })
      return answer as FilterAnswer
    },

    /**
     * Adds an id before `write` commits its row, and again afterwards in case the master was lost in between. Without
     * Redis this takes `leaseMs`, in which the other processes read the id from the database.
     */
    async publish<T>(id: string, write: () => Promise<T>): Promise<T> {
      await tell(id)
      const written = await write()
      await tell(id)
      return written
    },

    /** For tests and operators: whether the filter can answer `absent` now. */
    isReady: async (): Promise<boolean> =>
      isTrusted() && (await run('isReady').catch(() => 0)) === 1,

    async close(): Promise<void> {
      cluster.off('-node', invalidate)
      cluster.off('close', invalidate)
      await maintenance.close()
    },
  }
}

function counter(registry: Registry, name: string, help: string, label: string) {
  const known = registry.getSingleMetric(name) as Counter | undefined
  return known ?? new Counter({ name, help, labelNames: ['filter', label], registers: [registry] })
}

function answersCounter(registry: Registry) {
  return counter(registry, 'cache_filter_answers_total', 'What filters answered', 'answer')
}

function rebuildsCounter(registry: Registry) {
  return counter(registry, 'cache_filter_rebuilds_total', 'Filters filled from a table', 'outcome')
}

import { glob, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings } from '../../provider/faults.ts'
import { setFaults } from '../../provider/set-faults.ts'
import type { Bought } from '../../scripts/stack/buy-until-answered.ts'
import type { ServiceName } from '../../scripts/stack/services.ts'
import type { OwnStack } from '../../scripts/stack/start.ts'
import type { Fault } from '../../shared/messaging/fault-injection.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type Buyers, type BuyOptions, openBuyers } from './buyers.ts'
import { type Profile, profileEnv } from './profile.ts'
import { createRandom } from './random.ts'
import { withDatabase } from './shop-database.ts'

type Env = Record<string, string>

export type RigOptions = {
  stack: OwnStack
  seed: number
  purchases: number
  /** The form of `npm test`. */
  short: boolean
  profile: Profile
  print: (line: string) => void
}

/** A purchase that was answered 202, as its row has it. */
export type PurchaseRow = { id: string; status: string; createdAt: Date; updatedAt: Date }

const backDeadlineMs = 120_000

export type Rig = Awaited<ReturnType<typeof openRig>>

/** The tools of a drill: a running shop, buyers, and ways to break it. */
export async function openRig(options: RigOptions) {
  const { stack, seed, purchases, short, profile, print } = options
  const startedAt = Date.now()
  const random = createRandom(seed)
  const faultLines = await followFaults(stack.dataDir)
  const changed = new Set<ServiceName>()
  const accepted: string[] = []
  const violations: { what: string; purchaseIds: string[] }[] = []
  let healedAt: number | undefined
  let poisoned = 0
  let opened: Promise<Buyers> | undefined

  function say(what: string): void {
    print(`[${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)}] ${what}`)
  }

  function require(holds: boolean, what: string, purchaseIds: string[] = []): void {
    if (holds) return
    violations.push({ what, purchaseIds })
    say(`VIOLATED: ${what}`)
  }

  const buyers = () => {
    opened ??= openBuyers(stack.urls.api, random, purchases)
    return opened
  }

  function note(bought: Bought[]): Bought[] {
    accepted.push(...bought.flatMap(({ purchaseId }) => purchaseId ?? []))
    const failed = bought.filter(({ status }) => ![202, 409, 422].includes(status))
    const answers = failed.map(({ status }) => status || 'none').join(' ')
    require(failed.length === 0, `${failed.length} requests never got an answer: ${answers}`)
    return bought
  }

  async function processOf(name: string) {
    const { processes } = await stack.status()
    const found = processes.find((process) => process.name === name)
    if (!found) throw new Error(`no process is called ${name}`)
    return found
  }

  async function back(name: string, restarts = 0): Promise<void> {
    await waitFor(
      `${name} to be back`,
      async () => {
        const process = await processOf(name)
        return process.state === 'ready' && process.restarts >= restarts
      },
      backDeadlineMs,
    )
    healedAt = Date.now()
  }

  async function restart(name: ServiceName, extra: Env, forOneLife = false): Promise<void> {
    stack.setServiceEnv(name, extra)
    await stack.stopProcess(name)
    const started = stack.startProcess(name)
    // A fault that is still configured may kill it while it starts.
    if (forOneLife) stack.setServiceEnv(name, {})
    await started
  }

  /** Restarts services with other variables; `heal` gives them their own back. */
  async function configure(
    changes: Partial<Record<ServiceName, Env>>,
    forOneLife = false,
  ): Promise<void> {
    const entries = Object.entries(changes) as [ServiceName, Env][]
    await Promise.all(
      entries.map(([name, extra]) => {
        changed.add(name)
        return restart(name, extra, forOneLife)
      }),
    )
  }

  const rig = {
    stack,
    seed,
    purchases,
    short,
    profile,
    profileEnv: profileEnv(profile),
    random,
    say,
    require,
    buyers,
    configure,
    back,

    /** Buys, and requires an answer to everything. */
    async buy(buying: Partial<BuyOptions> = {}): Promise<Bought[]> {
      const bought = note(await (await buyers()).buy({ purchases, ...buying }))
      const retried = bought.filter(({ tries }) => tries > 1).length
      say(`${bought.length} purchases were asked for, ${retried} of them more than once`)
      return bought
    },

    note,

    /**
     * Restarts services with faults, and with `extra` variables; `forOneLife`: when they die they come back without.
     */
    async inject(
      faults: Partial<Record<ServiceName, Fault[]>>,
      {
        extra = {},
        forOneLife = false,
      }: { extra?: Partial<Record<ServiceName, Env>>; forOneLife?: boolean } = {},
    ): Promise<void> {
      const changes = { ...extra }
      for (const [index, [name, list]] of Object.entries(faults).entries()) {
        const env = { FAULTS: JSON.stringify(list), FAULT_SEED: `${seed + index}` }
        changes[name as ServiceName] = { ...changes[name as ServiceName], ...env }
      }
      await configure(changes, forOneLife)
      for (const [name, list] of Object.entries(faults)) say(`${name}: ${JSON.stringify(list)}`)
    },

    /** Makes the simulated provider do wrong; says how often it did what was set before. */
    setProvider: (settings: Settings) =>
      setFaults({ url: stack.urls.provider, key: stack.secrets.provider.key }, settings),

    /** Sends a signal that ends a process, and waits until the launcher has restarted it and it is ready. */
    async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
      await back(name)
      const { restarts } = await processOf(name)
      const at = Date.now()
      await stack.signal(name, signal)
      await back(name, restarts + 1)
      say(`${name}: ${signal}, back after ${Date.now() - at} ms`)
    },

    restartsOf: async (name: string) => (await processOf(name)).restarts,

    /** Waits until everything runs without faults. */
    async heal(): Promise<void> {
      await Promise.all([...changed].map((name) => restart(name, {})))
      await stack.ensure()
      await rig.setProvider({ faults: [], refund_failures: 1_000_000 })
      if (changed.size > 0) healedAt = Date.now()
      changed.clear()
    },

    /** The recovery time starts here. */
    healed(): void {
      healedAt = Date.now()
    },

    /** Waits this many seconds between faults. */
    pause: (seconds: number) => sleep(seconds * 1_000),

    faults: () => faultLines(),

    /** Says how many dead letters the poison makes: a reply is read by two groups. */
    async countPoison(): Promise<number> {
      const lines = (await faultLines()).filter(({ fault }) => fault === 'poison')
      poisoned = lines.reduce((sum, { topic }) => sum + (topic === 'replies' ? 2 : 1), 0)
      return poisoned
    },

    async rows(): Promise<PurchaseRow[]> {
      return withDatabase(stack, 'purchase', async (db) => {
        const { rows } = await db.query<PurchaseRow>(
          `SELECT id, status, created_at AS "createdAt", updated_at AS "updatedAt"
           FROM purchases WHERE id = ANY($1::uuid[])`,
          [accepted],
        )
        return rows
      })
    },

    /** What the drill has found so far. */
    findings: () => ({ violations, accepted, healedAt, poisoned }),
  }
  return rig
}

type FaultLine = { fault: string; topic?: string; name?: string }

/** Reads the faults that the services have made since now from their logs. */
async function followFaults(dataDir: string) {
  const folder = join(dataDir, 'logs')
  const files = await Array.fromAsync(glob('*.log', { cwd: folder }))
  const from = new Map<string, number>()
  for (const file of files) from.set(file, (await stat(join(folder, file))).size)

  return async (): Promise<FaultLine[]> => {
    const lines: FaultLine[] = []
    for (const [file, start] of from) {
      const text = (await readFile(join(folder, file))).subarray(start).toString()
      const own = text.split('\n').filter((line) => line.includes('"msg":"fault injected"'))
      lines.push(...own.map((line) => JSON.parse(line) as FaultLine))
    }
    return lines
  }
}

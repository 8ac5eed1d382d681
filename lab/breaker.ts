import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stack } from '../scripts/stack/client.ts'
import { enginesOf, type ServiceName, serviceNames } from '../scripts/stack/services.ts'
import type { SwitchKind } from '../shared/contracts/lab.ts'
import { type Participant, participants } from '../shared/contracts/steps.ts'
import type { Fault } from '../shared/messaging/fault-injection.ts'

/** A switch as it was asked for. */
export type Breakage = { kind: SwitchKind; target: string | null; percent: number | null }

/** Longer than the provider's deadline, so that a call has no answer in time. */
const hangMs = 60_000
const faultSeed = '1'

const replies: Fault['topics'] = ['replies']

/** The faults of a participant while a switch is on; undefined for a switch that needs none. */
function faultsOf({ kind, percent }: Breakage, service: Participant): Fault[] {
  const probability = (percent ?? 100) / 100
  switch (kind) {
    case 'lose-replies':
      return [{ message: 'drop', topics: replies, probability }]
    case 'double-replies':
      return [{ message: 'duplicate', topics: replies, probability, ms: 100 }]
    case 'lose-payment-replies':
      if (service !== 'payment') return []
      return [{ message: 'drop', topics: replies, names: ['takePayment'], probability }]
    case 'hang-provider':
      if (service !== 'payment') return []
      return [{ at: 'after-capture', action: 'delay', ms: hangMs, probability }]
    default:
      return []
  }
}

/** The engines that may be stopped: not Traefik, through which the lab itself is reached. */
export const stoppableEngines = [...new Set(serviceNames.flatMap(enginesOf))].map((name) =>
  name === 'redis' ? 'redis-1' : name,
)

/** Noted in the data folder of the stack, so that the next lab finds what one that died has left. */
const marker = 'lab-faults.json'

/** Breaks a running stack by its launcher, and restores it. Calls must not overlap. */
export function createBreaker(stack: Stack) {
  /** Faults that the participants run with now. */
  const running = new Map<Participant, string>()

  const markerFile = join(stack.dataDir, marker)

  /** Before the faults begin, and after they are gone. */
  async function note(): Promise<void> {
    const faulty = [...running].flatMap(([name, faults]) => (faults === '[]' ? [] : [name]))
    if (faulty.length > 0) await writeFile(markerFile, JSON.stringify(faulty))
    else await rm(markerFile, { force: true })
  }

  async function restart(name: ServiceName, faults: Fault[]): Promise<void> {
    const extra = { FAULTS: JSON.stringify(faults), FAULT_SEED: faultSeed }
    await stack.configureService(name, faults.length > 0 ? extra : {})
    await stack.stopProcess(name)
    await stack.startProcess(name)
  }

  /** Gives every participant the faults of all switches that are on; those that have them already go on. */
  async function applyFaults(on: Breakage[]): Promise<void> {
    const changes = participants.map(async (name) => {
      const faults = on.flatMap((breakage) => faultsOf(breakage, name))
      const text = JSON.stringify(faults)
      if ((running.get(name) ?? '[]') === text) return
      running.set(name, text)
      if (faults.length > 0) await note()
      await restart(name, faults)
    })
    await Promise.all(changes)
    await note()
  }

  const isProcess = ({ kind }: Breakage) => kind === 'kill-service' || kind === 'stop-engine'

  return {
    /** `on`: all switches that are on from then on, this one included. */
    async breakIt(breakage: Breakage, on: Breakage[]): Promise<void> {
      const { target } = breakage
      if (!isProcess(breakage) || target === null) return applyFaults(on)
      // It dies at once, and then stays down: a process that is stopped in order ends its work first.
      await stack.signal(target, 'SIGKILL').catch(() => undefined)
      await stack.stopProcess(target)
    },

    async restore(breakage: Breakage, on: Breakage[]): Promise<void> {
      if (!isProcess(breakage) || breakage.target === null) return applyFaults(on)
      await stack.startProcess(breakage.target)
    },

    /** Removes the faults that a lab before this one has left. */
    async restoreLeftOver(): Promise<void> {
      const noted = JSON.parse(await readFile(markerFile, 'utf8').catch(() => '[]')) as string[]
      for (const name of participants.filter((one) => noted.includes(one))) await restart(name, [])
      await note()
    },

    /** Everything runs, and without faults. */
    async restoreAll(): Promise<void> {
      await applyFaults([])
      await stack.ensure()
    },
  }
}

export type Breaker = ReturnType<typeof createBreaker>

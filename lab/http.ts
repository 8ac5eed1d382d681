import { setTimeout as sleep } from 'node:timers/promises'
import type { LabState, labRoutes } from '../shared/contracts/lab.ts'
import type { Handlers } from '../shared/http/route.ts'
import { AppError } from '../shared/runtime/errors.ts'
import type { Logger } from '../shared/runtime/logger.ts'
import type { Lab } from './lab.ts'

const everyMs = 1_000

type LabHandlers = Handlers<typeof labRoutes>

export function createHandlers(lab: Lab, logger: Logger): LabHandlers {
  const failed = (err: unknown) => logger.error({ err }, 'the lab failed')

  async function* states(signal: AbortSignal) {
    while (!signal.aborted) {
      const data: LabState = lab.state()
      yield { id: Date.parse(data.at), event: 'lab', data }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  return {
    getLab: async () => lab.state(),
    watchLab: async ({ signal }) => states(signal),
    async breakSomething({ body: { kind, target = null, percent = null, seconds }, operator }) {
      await lab.breakFor({ kind, target, percent }, seconds)
      logger.warn({ operator, kind, target, percent, seconds }, 'the lab broke something')
      return lab.state()
    },
    async healAll() {
      await lab.heal()
      return lab.state()
    },
    async startBuyers({ body }) {
      lab.startBuyers(body.per_second, body.seconds).catch(failed)
      return lab.state()
    },
    async stopBuyers() {
      lab.buyers.stop()
      return lab.state()
    },
    async startTour({ body }) {
      const under = lab.tour(body.name, body.short)
      // What is refused at once is the answer; the tour itself takes minutes.
      await Promise.race([under, sleep(0)])
      under.catch(failed)
      return lab.state()
    },
  }
}

/** In production every route is refused to everyone: nothing there can break anything. */
export function createRefusals(): LabHandlers {
  const refuse = async (): Promise<never> => {
    throw new AppError('forbidden', 'the failure lab is off in production')
  }
  return {
    getLab: refuse,
    watchLab: refuse,
    breakSomething: refuse,
    healAll: refuse,
    startBuyers: refuse,
    stopBuyers: refuse,
    startTour: refuse,
  }
}

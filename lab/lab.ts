import type { ProviderAddress } from '../bench/provider-ledger.ts'
import type { RecordUrls } from '../bench/records.ts'
import type { Stack } from '../scripts/stack/client.ts'
import { serviceNames } from '../scripts/stack/services.ts'
import { newId } from '../shared/contracts/ids.ts'
import {
  type AnyTourName,
  type LabState,
  type LabSwitch,
  type SwitchKind,
  switchKinds,
  switchNames,
  type TourName,
  tourNames,
  wholeTour,
} from '../shared/contracts/lab.ts'
import { AppError, unprocessable } from '../shared/runtime/errors.ts'
import type { Logger } from '../shared/runtime/logger.ts'
import { type Breakage, createBreaker, stoppableEngines } from './breaker.ts'
import { createBuyers } from './buyers.ts'
import { type OperatorApi, tours } from './tours.ts'
import { createWatch } from './watch.ts'

const maxSwitches = 8
const maxTourLines = 100
const lookEveryMs = 1_000

type Deps = {
  api: string
  databases: RecordUrls
  provider: ProviderAddress
  operatorApi: OperatorApi
  /** Absent where no launcher runs the shop. */
  stack?: Stack
  logger: Logger
}
type On = Breakage & { id: string; endsAt: number; timer: NodeJS.Timeout }
type Tour = { name: AnyTourName; lines: string[]; done: boolean; ok: boolean | null }

/** The failure lab: breaks a running shop for a stated time, buys meanwhile, and checks what must hold. */
export function createLab({ api, databases, provider, operatorApi, stack, logger }: Deps) {
  const breaker = stack && createBreaker(stack)
  const switches = new Map<string, On>()
  const declinedPercent = () =>
    [...switches.values()].find(({ kind }) => kind === 'decline-payments')?.percent ?? 0
  let turn = 0
  // In turn and not at random: a share of ten percent is one of ten, also of few buyers.
  const methodOf = () => {
    turn += 1
    const share = declinedPercent() / 100
    return Math.floor(turn * share) > Math.floor((turn - 1) * share) ? 'sim_declined' : 'sim_ok'
  }
  const buyers = createBuyers(api, methodOf)
  const watch = createWatch({ databases, provider, ids: () => buyers.answers.accepted, logger })
  let turning: Promise<void> | undefined
  let tour: Tour | undefined
  let touring: Promise<void> | undefined

  const targetsOf = (kind: SwitchKind): string[] => {
    if (kind === 'kill-service') return [...serviceNames]
    return kind === 'stop-engine' ? stoppableEngines : []
  }
  const offered = switchNames
    .filter((kind) => stack !== undefined || !switchKinds[kind].launcher)
    .map((kind) => ({ kind, targets: targetsOf(kind), percent: switchKinds[kind].percent }))
  const offeredTours = tourNames.filter((name) => stack !== undefined || !tours[name].launcher)

  /** One change at a time: each may restart processes. */
  async function inTurn(work: () => Promise<void>): Promise<void> {
    while (turning) await turning.catch(() => undefined)
    turning = work()
    try {
      await turning
    } finally {
      turning = undefined
    }
  }

  async function off(id: string): Promise<void> {
    const on = switches.get(id)
    if (!on) return
    clearTimeout(on.timer)
    switches.delete(id)
    if (switchKinds[on.kind].launcher) await breaker?.restore(on, [...switches.values()])
    watch.healed()
  }

  function assertOffered({ kind, target, percent }: Breakage): void {
    const offer = offered.find((one) => one.kind === kind)
    if (!offer) throw unprocessable('kind', 'needs the launcher of the native stack')
    const { target: takesTarget, percent: takesPercent } = switchKinds[kind]
    if (takesTarget && !offer.targets.includes(target ?? '')) {
      throw unprocessable('target', `must be one of ${offer.targets.join(', ')}`)
    }
    if (!takesTarget && target !== null) throw unprocessable('target', 'is not taken by this kind')
    if (!takesPercent && percent !== null)
      throw unprocessable('percent', 'is not taken by this kind')
    const same = [...switches.values()].some((on) => on.kind === kind && on.target === target)
    if (same) throw new AppError('conflict', 'this is broken already')
    if (switches.size >= maxSwitches) throw new AppError('conflict', 'too much is broken already')
  }

  async function breakFor(breakage: Breakage, seconds: number): Promise<string> {
    const id = newId()
    await inTurn(async () => {
      assertOffered(breakage)
      const timer = setTimeout(() => void inTurn(() => off(id)).catch(report), seconds * 1_000)
      const endsAt = Date.now() + seconds * 1_000
      switches.set(id, { ...breakage, id, endsAt, timer })
      try {
        if (switchKinds[breakage.kind].launcher) {
          await breaker?.breakIt(breakage, [...switches.values()])
        }
      } catch (error) {
        await off(id).catch(report)
        throw error
      }
    })
    return id
  }

  const report = (err: unknown) => logger.error({ err }, 'the lab could not restore something')

  async function heal(): Promise<void> {
    await inTurn(async () => {
      const wasBroken = switches.size > 0
      for (const id of [...switches.keys()]) await off(id)
      await breaker?.restoreAll()
      if (wasBroken) watch.healed()
    })
  }

  function startBuyers(perSecond: number, seconds: number): Promise<void> {
    if (buyers.running()) throw new AppError('conflict', 'buyers are buying already')
    if (buyers.isFull()) throw new AppError('conflict', 'this lab has bought enough; restart it')
    return buyers.run(perSecond, seconds)
  }

  async function takeTours(names: TourName[], say: (line: string) => void, short: boolean) {
    // The invariants are checked meanwhile, also when no page shows them.
    const looking = setInterval(() => watch.keepLooking(), lookEveryMs)
    try {
      for (const [index, name] of names.entries()) {
        if (names.length > 1) say(`${index + 1} of ${names.length}: ${name}`)
        await tours[name].run(lab, say, short)
      }
    } finally {
      clearInterval(looking)
    }
  }

  const lab = {
    breakFor,
    heal,
    /** While the launcher still starts the stack, it starts everything anyway. */
    restoreLeftOver: async (): Promise<void> => breaker?.restoreLeftOver(),
    buyers,
    watch,
    operatorApi,
    startBuyers,
    off: (id: string) => inTurn(() => off(id)),

    /** Resolves when the tour has ended, with whether all of it held. */
    async tour(
      name: AnyTourName,
      short: boolean,
      print: (line: string) => void = () => undefined,
    ): Promise<boolean> {
      if (tour && !tour.done) throw new AppError('conflict', 'a tour is under way')
      const own: Tour = { name, lines: [], done: false, ok: null }
      const names = name === wholeTour ? offeredTours : [name]
      if (!names.every((one) => offeredTours.includes(one))) {
        throw unprocessable('name', 'this tour needs the launcher of the native stack')
      }
      tour = own
      // A tour has buyers of its own, and waits until every purchase has ended.
      buyers.stop()
      const say = (line: string) => {
        if (own.lines.length < maxTourLines) own.lines.push(line)
        print(line)
      }
      const work = takeTours(names, say, short)
      touring = work.then(
        () => undefined,
        () => undefined,
      )
      try {
        await work
        own.ok = true
      } catch (error) {
        say(`FAILED: ${(error as Error).message}`)
        own.ok = false
      } finally {
        await heal().catch(report)
        own.done = true
      }
      return own.ok
    },

    state(): LabState {
      const { by_status, ...watched } = watch.state()
      const stream = buyers.running()
      const { accepted, refused, unanswered } = buyers.answers
      return {
        at: new Date().toISOString(),
        offered,
        tours: offeredTours,
        switches: [...switches.values()].map(
          ({ id, kind, target, percent, endsAt }): LabSwitch => ({
            ...{ id, kind, target, percent },
            ends_at: new Date(endsAt).toISOString(),
          }),
        ),
        busy: turning !== undefined,
        buyers: stream
          ? { per_second: stream.perSecond, ends_at: new Date(stream.endsAt).toISOString() }
          : null,
        purchases: { accepted: accepted.length, refused, unanswered, by_status },
        ...watched,
        tour: tour ? { ...tour, lines: [...tour.lines] } : null,
      }
    },

    /** Ends with a shop that is whole. */
    async close(): Promise<void> {
      buyers.stop()
      await touring
      if (switches.size > 0) await heal().catch(report)
      await watch.close()
    },
  }
  return lab
}

export type Lab = ReturnType<typeof createLab>

import { setTimeout as sleep } from 'node:timers/promises'
import { createBreaker } from '../../../../lab/breaker.ts'
import { type Buyers, createBuyers } from '../../../../lab/buyers.ts'
import { setFaults } from '../../../../provider/set-faults.ts'
import type { Stack } from '../../../stack/client.ts'
import { type Customer, registerCustomer } from '../../../stack/shop-client.ts'
import { course, happenings } from './course.ts'
import type { Mark } from './panel.ts'
import { type Range, readPanel } from './prometheus.ts'
import { lastOf } from './series.ts'

type Site = { stack: Stack; buyers: Buyers; from: number }

const browsePauseMs = 500
const browsed = ['/products', '/categories', '/purchases', '/orders', '/payments']
/** Of the purchases before the pictures begin: the share that may be accepted slowly on a machine with time for them. */
const toleratedSlow = 0.05
/** So that Prometheus has read the last values. */
const readPauseMs = 2 * course.stepSeconds * 1_000

/** What customers look at between their purchases, one page after the other. */
async function browse({ get }: Customer, over: AbortSignal): Promise<void> {
  for (let turn = 0; !over.aborted; turn++) {
    await get(browsed[turn % browsed.length] ?? '/').catch(() => undefined)
    await sleep(browsePauseMs, undefined, { signal: over }).catch(() => undefined)
  }
}

/** Throws on a machine that is busy with something else, which the pictures would show instead of the shop. */
async function requireTime(range: Range): Promise<void> {
  const before = { ...range, to: range.from }
  const [slow] = await readPanel({ queries: [['shop:accept_slow:ratio_5m', 'slow']] }, before)
  if (!slow || lastOf(slow) > toleratedSlow)
    throw new Error('this machine is too busy for pictures')
}

/** Lets what is in the course happen, in its order. `from` is in seconds since 1970. */
async function disturb({ stack, buyers, from }: Site): Promise<Mark[]> {
  const { kill, slow, rush } = course
  const now = () => Date.now() / 1_000 - from
  const marks: Mark[] = []
  async function mark(name: keyof typeof happenings, at: number, happens: () => Promise<unknown>) {
    await sleep((at - now()) * 1_000)
    const begun = now()
    await happens()
    marks.push({ mark: happenings[name].mark, from: begun, to: now() })
  }

  await mark('kill', kill.at, async () => {
    const breaker = createBreaker(stack)
    const breakage = { kind: 'kill-service', target: 'payment', percent: null } as const
    await breaker.breakIt(breakage, [])
    await sleep(kill.seconds * 1_000)
    await breaker.restore(breakage, [])
  })
  await mark('slow', slow.at, async () => {
    const provider = { url: stack.urls.provider, key: stack.secrets.provider.key }
    await setFaults(provider, { faults: [{ call: 'slow', on: ['create'], ms: slow.ms }] })
    await sleep(slow.seconds * 1_000)
    await setFaults(provider, { faults: [] })
  })
  await mark('rush', rush.at, () => buyers.rush(rush.buyers, rush.units))
  return marks
}

/** Takes a shop through the course. Answers the part of its Prometheus that the pictures show. */
export async function runCourse(stack: Stack): Promise<{ range: Range; marks: Mark[] }> {
  const { warmUpSeconds, seconds, stepSeconds, perSecond, declinedOneIn } = course
  let turn = 0
  const methodOf = () => (++turn % declinedOneIn === 0 ? 'sim_declined' : 'sim_ok')
  const buyers = createBuyers(stack.urls.api, methodOf)
  await buyers.prepare()
  const customer = await registerCustomer(stack.urls.api)
  const { processes } = await stack.status()
  const port = processes.find(({ name }) => name === 'prometheus')?.ports[0]
  const from = Math.ceil(Date.now() / 1_000) + warmUpSeconds
  const range = { url: `http://127.0.0.1:${port}`, from, to: from + seconds, stepSeconds }

  const over = new AbortController()
  const browsing = browse(customer, over.signal)
  const buying = buyers.run(perSecond, warmUpSeconds + seconds)
  await sleep(warmUpSeconds * 1_000)
  await requireTime(range)
  const marks = await disturb({ stack, buyers, from })
  await buying
  over.abort()
  await browsing
  await sleep(readPauseMs)
  return { range, marks }
}

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Customer, registerCustomer } from '../scripts/stack/shop-client.ts'
import { newId } from '../shared/contracts/ids.ts'
import type { PaymentMethod } from '../shared/contracts/payment.ts'
import type { Measured, Neighbours } from './fairness-report.ts'
import { inParallel } from './in-parallel.ts'
import { openShop, type Shop } from './load.ts'
import { startOwnTarget } from './own-stack.ts'
import { watching } from './processes.ts'
import type { Progress } from './progress.ts'
import { printReport, reconcile } from './reconcile.ts'
import { countBy, summarize } from './stats.ts'

/*
 * What one customer's purchase takes beside others who ask for too much: one after the other, timed from the POST to
 * the end that the customer sees. All cases run on one stack, and the books are compared at the end.
 */

export type FairnessOptions = {
  /** Purchases of the stranger in each case. */
  samples: number
  /** Unfinished purchases of one customer in the case of a backlog. */
  backlog: number
  progress: Progress
  signal: AbortSignal
}

type Case = {
  name: string
  /** What p99 must not exceed, ms; undefined for the case that the others are compared with. */
  must?: number
  /** What the others have done before; `note` gets the answers to them. */
  first?(situation: Situation, note: Note): Promise<unknown>
  /** What they do meanwhile, until `signal` is aborted. */
  meanwhile?(situation: Situation, signal: AbortSignal, note: Note): Promise<unknown>
}

type Note = (answer: string) => void

type Situation = { api: string; shop: Shop; soldOut: string; backlog: number }
type Body = Parameters<Customer['buy']>[0]

const connections = 24
const slowClients = 64
const hanging = 100
const dripMs = 5_000
const strangerDeadlineMs = 120_000
const refusedTooLong = `the stranger was refused for ${strangerDeadlineMs / 1_000} s`

const line = (product_id = '') => ({ order_items: [{ product_id, quantity: 1 }] })

/** An answer by its status. One that asks to come later and does not say when is named as such. */
function nameOf(status: number, retryAfter: string | undefined): string {
  const rude = (status === 503 || status === 429) && retryAfter === undefined
  return rude ? `${status} without Retry-After` : `${status}`
}

/** One request: its answer, or the name of what came instead. */
async function answerOf(customer: Customer, body: Body): Promise<string> {
  try {
    const { status, headers } = await customer.buy(body, newId())
    return nameOf(status, headers['retry-after'])
  } catch (error) {
    return (error as Error).name
  }
}

/** Buys over `connections` connections, as fast as it is answered. */
async function flood(api: string, body: Body, signal: AbortSignal, note: Note) {
  const customer = await registerCustomer(api)
  return Promise.all(
    Array.from({ length: connections }, async () => {
      while (!signal.aborted) {
        const status = await answerOf(customer, body)
        note(status)
        // A client that honours Retry-After would wait longer.
        if (status !== '202') await sleep(50)
      }
    }),
  )
}

async function buyMany(api: string, count: number, body: Body, note: Note) {
  const customer = await registerCustomer(api)
  await inParallel(Array.from({ length: count }), connections, async () =>
    note(await answerOf(customer, body)),
  )
}

/** Sockets that send a byte of a body every 5 s, and connect again when they are closed. */
async function drip(api: string, signal: AbortSignal, note: Note) {
  const { hostname, port } = new URL(api)
  const paths = ['account/login', 'account/refresh', 'account/register']
  return Promise.all(
    Array.from({ length: slowClients }, async (_, index) => {
      while (!signal.aborted) {
        const socket = connect(Number(port), hostname)
        try {
          await once(socket, 'connect', { signal })
          socket.write(
            `POST /api/v1/${paths[index % paths.length]} HTTP/1.1\r\nHost: shop\r\n` +
              'Content-Type: application/json\r\nContent-Length: 90\r\n\r\n{',
          )
          note(await dripUntilAnswered(socket, signal))
        } catch (error) {
          if (!signal.aborted) note(`slow client: ${(error as Error).name}`)
        } finally {
          socket.destroy()
        }
      }
    }),
  )
}

async function dripUntilAnswered(socket: Socket, signal: AbortSignal): Promise<string> {
  const timer = setInterval(() => socket.write(' '), dripMs)
  try {
    const [data] = await once(socket, 'data', { signal })
    const [, status] = String(data).split(' ')
    const [, retryAfter] = /^retry-after: *(\S+)/im.exec(String(data)) ?? []
    return `slow client: ${nameOf(Number(status), retryAfter)}`
  } finally {
    clearInterval(timer)
  }
}

const paidBy = (shop: Shop, method: PaymentMethod): Body => ({
  ...line(shop.products[0]?.id),
  method,
})

const cases: Case[] = [
  { name: 'alone' },
  {
    name: `beside ${hanging} purchases whose provider does not answer`,
    must: 2_000,
    first: ({ api, shop }, note) => buyMany(api, hanging, paidBy(shop, 'sim_timeout'), note),
  },
  {
    name: `beside ${connections} connections that buy what is sold out`,
    must: 2_000,
    meanwhile: ({ api, soldOut }, signal, note) => flood(api, line(soldOut), signal, note),
  },
  {
    name: 'beside slow clients, a greedy customer and a provider that hangs',
    must: 3_000,
    meanwhile: ({ api, shop }, signal, note) =>
      Promise.all([
        drip(api, signal, note),
        flood(api, paidBy(shop, 'sim_ok'), signal, note),
        buyMany(api, hanging, paidBy(shop, 'sim_timeout'), note),
      ]),
  },
  {
    name: 'beside a backlog of one customer',
    must: 2_000,
    first: ({ api, shop, backlog }, note) => buyMany(api, backlog, paidBy(shop, 'sim_ok'), note),
  },
]

/**
 * Buys one purchase after the other; a refusal is sent again, as a customer would, and its time counts. Stops at the
 * first purchase that is not accepted, or does not complete.
 */
async function timeStranger({ api, shop }: Situation, samples: number, note: Note) {
  const stranger = await registerCustomer(api)
  const times: number[] = []
  const stopped = (problem: string) => ({ times: summarize(times), problem })
  for (let index = 0; index < samples; index++) {
    const startedAt = performance.now()
    const key = newId()
    let id: string | undefined
    while (id === undefined) {
      const answer = await stranger
        .buy(line(shop.products[1]?.id), key)
        .catch((error: Error) => error)
      if (answer instanceof Error) return stopped(`the stranger got ${answer.name}, no answer`)
      const { status, headers, body } = answer
      if (status === 202) id = body.purchase_id
      else note(`stranger: ${nameOf(status, headers['retry-after'])}`)
      if (status !== 202 && status !== 503) return stopped(`the stranger was answered ${status}`)
      if (performance.now() - startedAt > strangerDeadlineMs) return stopped(refusedTooLong)
      if (status === 503) await sleep(200)
    }
    const end = await stranger.waitForEnd(id, strangerDeadlineMs).catch((error: Error) => error)
    if (end instanceof Error) return stopped(`the stranger's purchase did not end: ${end.message}`)
    if (end.status !== 'COMPLETED') return stopped(`the stranger's purchase ended ${end.status}`)
    times.push(performance.now() - startedAt)
  }
  return { times: summarize(times), problem: undefined }
}

/** Runs all cases, and compares the books at the end. */
export async function compareNeighbours(options: FairnessOptions): Promise<Neighbours> {
  const { progress, samples } = options
  const started = await startOwnTarget({ signal: options.signal })
  try {
    const { target } = started
    const shop = await openShop(target.api, 2)
    const seller = await registerCustomer(target.api)
    const category = await seller.createCategory('Sold out')
    const text = { name: 'Sold out', description: 'None left', brand_name: 'Benchmark' }
    const product = { ...text, category_id: category.id, price: 1_000, inventory: 0 }
    const soldOut = (await seller.createProduct(product)).id
    const situation: Situation = { api: target.api, shop, soldOut, backlog: options.backlog }
    await timeStranger(situation, samples, () => {})

    const measured: Measured[] = []
    for (const { name, must, first, meanwhile } of cases) {
      options.signal.throwIfAborted()
      progress.say(`a purchase ${name}`)
      const answers: string[] = []
      const ended = new AbortController()
      const { result, use } = await watching(target.status, async () => {
        const note = (answer: string) => void answers.push(answer)
        await first?.(situation, note)
        const others = meanwhile?.(situation, ended.signal, note)
        try {
          return await timeStranger(situation, samples, note)
        } finally {
          ended.abort()
          await others
        }
      })
      const { times, problem } = result
      progress.say(`  p50 ${times.p50.toFixed(0)} ms, p99 ${times.p99.toFixed(0)} ms`)
      const servicesRssMb = use?.servicesRssMax
      const counted = countBy(answers, (answer) => answer)
      measured.push({ name, must, times, problem, servicesRssMb, answers: counted })
    }
    progress.say('waiting for every purchase to end')
    const reconciled = await reconcile(target, { waitSeconds: 1_200 })
    printReport(reconciled)
    return { measured, reconciled }
  } finally {
    await started.close()
  }
}

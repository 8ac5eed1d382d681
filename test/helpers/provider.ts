import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pino } from 'pino'
import type { Settings } from '../../provider/faults.ts'
import { start } from '../../provider/main.ts'
import { setFaults } from '../../provider/set-faults.ts'
import { connectStripe, createStripeProvider } from '../../services/payment/stripe-provider.ts'

export type TestProvider = Awaited<ReturnType<typeof startTestProvider>>

/** A simulated provider of its own for one test file, with a client as the payment service has it. */
export async function startTestProvider({
  webhookUrl,
  timeoutMs = 5_000,
}: {
  webhookUrl?: string
  timeoutMs?: number
} = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'saga-provider-'))
  const key = `sk_test_${randomBytes(12).toString('hex')}`
  const webhookSecret = `whsec_${randomBytes(12).toString('hex')}`
  const run = (port: number) =>
    start(
      {
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: port,
        LOG_LEVEL: 'silent',
        PROVIDER_KEY: [key],
        PROVIDER_DATABASE: join(dir, 'ledger.db'),
        PROVIDER_WEBHOOK_URL: webhookUrl,
        PROVIDER_WEBHOOK_SECRET: webhookSecret,
        SIM_REFUND_FAILURES: 1_000_000,
      },
      pino({ level: 'silent' }),
    )
  let running = await run(0)
  const books = new DatabaseSync(join(dir, 'ledger.db'), { timeout: 5_000 })
  const select = books.prepare(
    `SELECT status, refunded FROM intents WHERE metadata ->> 'purchase_id' = ? ORDER BY seq`,
  )
  const intentsOf = (purchaseId: string) =>
    select.all(purchaseId) as { status: string; refunded: number }[]
  const { port } = running
  const url = `http://127.0.0.1:${port}`
  const connections = 64
  const { stripe, close } = connectStripe({ url, key, timeoutMs, connections })

  return {
    url,
    key,
    webhookSecret,
    stripe,
    provider: createStripeProvider(stripe),

    /** Sets what goes wrong on demand. */
    set: (settings: Settings) => setFaults({ url, key }, settings),

    /** What the provider did for a purchase, in its order, read in its books. */
    ledgerOf: (purchaseId: string): string[] => intentsOf(purchaseId).flatMap(kindsOf),

    /** Its books, to write what it would have done. */
    books,
    booksFile: join(dir, 'ledger.db'),

    /** The states of a purchase's payment intents. */
    intentsOf: (purchaseId: string): string[] => intentsOf(purchaseId).map(({ status }) => status),

    /** Ends it and starts it again on the same port with the same books. */
    async restart(): Promise<void> {
      await running.close()
      running = await run(port)
    },

    async close(): Promise<void> {
      close()
      books.close()
      await running.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function kindsOf({ status, refunded }: { status: string; refunded: number }): string[] {
  if (status === 'canceled') return ['VOID']
  if (status !== 'succeeded') return []
  return refunded > 0 ? ['CAPTURE', 'REFUND'] : ['CAPTURE']
}

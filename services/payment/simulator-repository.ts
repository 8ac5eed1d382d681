import { PrismaClient } from '../../prisma/payment/client/client.ts'
import { connectDatabase, type DatabaseConfig } from '../../shared/prisma.ts'
import type { Charge, ChargeStatus } from './provider.ts'

export type LedgerKind = 'CAPTURE' | 'REFUND' | 'VOID'

/** `attempts` counts the calls for this charge that went without an answer on purpose. */
export type StoredCharge = Charge & { status: ChargeStatus; attempts: number }

/** What becomes of a charge: what is not named stays as it is. */
export type Change = { status?: ChargeStatus; attempts?: number; entry?: LedgerKind }

export type SimulatorRepository = Awaited<ReturnType<typeof connectSimulatorRepository>>

export async function connectSimulatorRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** Stores a charge that is new as it was decided, with its ledger entry; false when there is one of its key. */
    async insert(
      charge: Charge,
      { status = 'NEW', attempts = 0, entry }: Change,
    ): Promise<boolean> {
      const { key, amount, currencyCode, method } = charge
      const rows = await prisma.$queryRaw<unknown[]>`
        WITH charge AS (
          INSERT INTO provider_charges (key, amount, currency_code, method, status, attempts)
          VALUES (${key}, ${amount}::bigint, ${currencyCode}, ${method}, ${status}, ${attempts}::int)
          ON CONFLICT DO NOTHING RETURNING key, amount, currency_code
        ), entry AS (
          INSERT INTO provider_ledger (key, kind, amount, currency_code)
          SELECT key, ${entry ?? ''}, amount, currency_code FROM charge WHERE ${entry !== undefined}
        )
        SELECT 1 FROM charge`
      return rows.length === 1
    },

    /**
     * Decides on a charge under its row lock, which calls for one key wait for in turn, and writes the change with
     * its ledger entry in the same transaction. A key that is new begins as `charge`.
     */
    change<D extends Change>(charge: Charge, decide: (stored: StoredCharge) => D): Promise<D> {
      const { key, amount, currencyCode, method } = charge
      return prisma.$transaction(async (tx) => {
        await tx.$executeRaw`
          INSERT INTO provider_charges (key, amount, currency_code, method, status)
          VALUES (${key}, ${amount}, ${currencyCode}, ${method}, 'NEW') ON CONFLICT DO NOTHING`
        const [row] = await tx.$queryRaw<(Omit<StoredCharge, 'amount'> & { amount: bigint })[]>`
          SELECT key, amount, currency_code AS "currencyCode", method, status, attempts
          FROM provider_charges WHERE key = ${key} FOR UPDATE`
        if (!row) throw new Error(`the charge ${key} was there and is gone`)
        const stored = { ...row, amount: Number(row.amount) }
        const decision = decide(stored)
        const { status = stored.status, attempts = stored.attempts, entry } = decision
        await tx.$executeRaw`
          WITH entry AS (
            INSERT INTO provider_ledger (key, kind, amount, currency_code)
            SELECT ${key}, ${entry ?? ''}, ${row.amount}, ${row.currencyCode} WHERE ${entry !== undefined}
          )
          UPDATE provider_charges SET status = ${status}, attempts = ${attempts}, updated_at = now()
          WHERE key = ${key}`
        return decision
      })
    },

    async findStatus(key: string): Promise<ChargeStatus | null> {
      const row = await prisma.providerCharge.findUnique({ where: { key } })
      return (row?.status as ChargeStatus | undefined) ?? null
    },

    close: () => prisma.$disconnect(),
  }
}

import { Counter, Gauge } from 'prom-client'
import type { Rejected, Reply } from '../../shared/contracts/commands.ts'
import { commandId } from '../../shared/contracts/ids.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import { type ChargeStatus, type PaymentProvider, ProviderUnavailableError } from './provider.ts'
import type { ProviderGuard } from './provider-guard.ts'
import type { Outcome, PaymentRepository } from './repository.ts'

type Settlement = { outcome: Outcome; reply: Reply<'takePayment'> | Rejected }

/**
 * Asks the provider for payments that have been PENDING for long, in case their answer and their event were both lost.
 * What it says is written as an answer would have been: an undo or a reply that came before wins.
 */
export function createPendingSweep({
  repository,
  provider,
  guard,
  overdueMs,
  metrics: { registry },
  logger,
}: {
  repository: Pick<PaymentRepository, 'countPending' | 'takeOverdue' | 'settlePayment'>
  provider: Pick<PaymentProvider, 'status'>
  guard: ProviderGuard
  overdueMs: number
  metrics: Pick<Metrics, 'registry'>
  logger: Logger
}): () => Promise<void> {
  const asked = new Counter({
    name: 'payments_pending_asked_total',
    help: 'Payments that stayed PENDING and were asked for at the provider, by what it said',
    labelNames: ['status'],
    registers: [registry],
  })

  const pending = new Gauge({
    name: 'payments_pending',
    help: 'Commands to pay in the inbox that were begun and have no answer yet, in all replicas',
    registers: [registry],
  })

  return async () => {
    pending.set(await repository.countPending())
    for (const { id, customerId, method, reference } of await repository.takeOverdue(overdueMs)) {
      try {
        const payer = { customerId, method }
        const status = await guard.call('status', payer, () => provider.status(reference))
        asked.inc({ status })
        const settlement = settlementOf(status, reference)
        if (!settlement) continue
        const command = {
          commandId: commandId(id, commandSteps.takePayment.step),
          purchaseId: id,
        }
        const { reply, outcome } = settlement
        const settled = await repository.settlePayment(command, reply, outcome)
        if (settled) logger.info({ purchase_id: id, status }, 'payment settled by the sweep')
      } catch (err) {
        if (!(err instanceof ProviderUnavailableError)) throw err
        // The others would wait as long for nothing. They come again.
        asked.inc({ status: 'unavailable' })
        return
      }
    }
  }
}

function settlementOf(status: ChargeStatus, reference: string): Settlement | undefined {
  const declined: Rejected = { outcome: 'rejected', reason: 'payment_declined' }
  switch (status) {
    case 'CAPTURED':
      return {
        outcome: { status: 'CAPTURED' },
        reply: { outcome: 'done', provider_reference: reference },
      }
    case 'REFUNDED':
    case 'VOIDED':
      return { outcome: { status }, reply: declined }
    case 'OPEN':
      return undefined
  }
}

import { z } from 'zod'
import { parseRequest } from '../../shared/grpc/request.ts'
import type { GrpcHandlers, PaymentMessage } from '../../shared/grpc/services.ts'
import { withDeadline } from '../../shared/runtime/resilience.ts'
import type { PaymentProvider } from './provider.ts'
import type { PaymentRepository, PaymentRow } from './repository.ts'

/** The provider is asked for each. */
const maxPayments = 10
/** Shorter than the caller waits, so that our own row is shown also when the provider does not answer. */
const providerDeadlineMs = 1_000

const GetPayments = z.object({ payment_ids: z.array(z.uuid()).max(maxPayments) })

/** The payment rows and what the provider says of them, for the console of operators. */
export function createGrpcHandlers(
  repository: Pick<PaymentRepository, 'findRows'>,
  provider: Pick<PaymentProvider, 'status'>,
): GrpcHandlers<'payment'> {
  async function statusAtProvider(reference: string | null): Promise<string> {
    if (reference === null) return ''
    try {
      return await withDeadline(providerDeadlineMs, () => provider.status(reference))
    } catch {
      // Whatever went wrong there is for the caller that the provider gave no answer.
      return 'UNAVAILABLE'
    }
  }

  return {
    async GetPayments(request) {
      const { payment_ids } = parseRequest(GetPayments, request)
      const rows = await repository.findRows(payment_ids)
      const payments = rows.map(async (row) =>
        toMessage(row, await statusAtProvider(row.providerReference)),
      )
      return { payments: await Promise.all(payments) }
    },
  }
}

function toMessage(row: PaymentRow, providerStatus: string): PaymentMessage {
  return {
    id: row.id,
    customer_id: row.customerId,
    status: row.status,
    amount: Number(row.amount),
    currency_code: row.currencyCode,
    method: row.method,
    provider_reference: row.providerReference ?? '',
    failure_reason: row.failureReason ?? '',
    provider_status: providerStatus,
    created_at: row.createdAt.getTime(),
    updated_at: row.updatedAt.getTime(),
  }
}

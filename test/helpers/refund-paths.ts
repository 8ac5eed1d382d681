import { waitFor } from '../../shared/runtime/wait-for.ts'
import { agree, type Participant, type TestOrchestrator } from './orchestrator.ts'
import { buildRefund } from './refunds.ts'

const deadlineMs = 120_000

/** Takes a refund along one path, and answers with its id. */
type Path = (shop: TestOrchestrator) => Promise<string>

const refund =
  (participant: Participant = agree, overrides: Parameters<typeof buildRefund>[0] = {}): Path =>
  async (shop) => {
    const requested = buildRefund(overrides)
    await shop.refund(requested, participant)
    return requested.refund_id
  }

const refuse: Participant = async (command, attempt) =>
  command === 'returnMoney'
    ? { outcome: 'rejected', reason: 'refund_refused' }
    : agree(command, attempt)

/** A step without an answer; then an operator acts. */
function stuckThen(command: 'returnMoney' | 'returnStock', action: 'retry' | 'resolve'): Path {
  return async (shop) => {
    const requested = buildRefund()
    const { purchase_id, refund_id } = requested
    await shop.refund(requested, async (name, attempt) =>
      name === command ? 'silent' : agree(name, attempt),
    )
    await waitFor('the stuck step', () => shop.flagsOf(purchase_id).length > 0, deadlineMs)
    if (action === 'retry') shop.answer(purchase_id, agree)
    const body = action === 'resolve' ? { note: 'done by hand' } : {}
    await shop.operate('POST', `/refund-sagas/${refund_id}/${action}`, body)
    return refund_id
  }
}

/** Every path that a refund can take. Each leads to one that ends. */
export const refundPaths: Record<string, Path> = {
  'refund-with-stock': refund(),
  'refund-without-stock': refund(agree, { product_ids: [], seller_id: null }),
  'refund-refused': refund(refuse),
  'refund-retried': stuckThen('returnStock', 'retry'),
  'refund-money-resolved': stuckThen('returnMoney', 'resolve'),
  'refund-stock-resolved': stuckThen('returnStock', 'resolve'),
}

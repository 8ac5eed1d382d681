import type { AttentionNeeded, PurchaseEnded, RefundEnded } from '../../shared/contracts/events.ts'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { createBatchedRead } from '../../shared/database/batched-read.ts'
import { createBatchedWrite } from '../../shared/database/batched-write.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import type { ReceiptMessage } from '../../shared/grpc/services.ts'
import type { Relay } from '../../shared/messaging/outbox.ts'
import type { Seal } from '../../shared/runtime/seal.ts'
import { attentionMail, purchaseMail, refundMail, soldMail } from './mails.ts'
import type { AccountRepository } from './repository.ts'

type Deps = {
  repository: Pick<AccountRepository, 'findAddressees' | 'addMails'>
  /** Called when there is an e-mail in the outbox. */
  outbox: Pick<Relay, 'nudge'>
  /** Throws when purchase is unavailable: the announcement is then handled again. */
  purchases: Pick<GrpcClient<'purchase'>, 'GetReceipts'>
  seal: Pick<Seal, 'seal'>
  /** Where browsers reach the shop. */
  publicUrl: string
  operatorEmail: string
}

/** An e-mail may be that much later: purchases that end meanwhile then share the calls and statements. */
const lingerMs = 250

/** E-mails about purchases, each once however often its reason is announced. */
export function createPurchaseMails(deps: Deps) {
  const { repository, outbox, operatorEmail } = deps
  const writing = { seal: deps.seal.seal, publicUrl: deps.publicUrl.replace(/\/$/, '') }
  const findAddressee = createBatchedRead(repository.findAddressees, { lingerMs })
  const addMail = createBatchedWrite(async (mails: EmailRequested[]) => {
    const added = await repository.addMails(mails)
    return mails.map(({ key }) => added.has(key))
  })

  const findReceipt = createBatchedRead(
    async (purchase_ids) => {
      const { receipts } = await deps.purchases.GetReceipts({ purchase_ids })
      return new Map(receipts.map((receipt) => [receipt.purchase_id, receipt]))
    },
    { lingerMs },
  )

  /** To every seller but one who bought from themselves. */
  async function soldMails({ customer_id }: PurchaseEnded, receipt: ReceiptMessage) {
    const sales = receipt.sales.filter(({ seller_id }) => seller_id !== customer_id)
    const mails = sales.map(async (sale) => {
      const seller = await findAddressee(sale.seller_id)
      return seller ? [soldMail(receipt, sale, seller, writing)] : []
    })
    return (await Promise.all(mails)).flat()
  }

  return {
    /** E-mails the customer the outcome of a purchase, and the sellers what was sold. */
    async mailPurchaseEnded(ended: PurchaseEnded): Promise<void> {
      // The customer of a purchase that could not be read is not known; an operator informs that of a resolved one.
      if (ended.customer_id === null || ended.status === 'RESOLVED') return
      const [customer, receipt] = await Promise.all([
        findAddressee(ended.customer_id),
        findReceipt(ended.purchase_id),
      ])
      const own = customer && purchaseMail(ended, customer, receipt, writing)
      const sold = ended.status === 'COMPLETED' && receipt ? await soldMails(ended, receipt) : []
      const mails = [...(own ? [own] : []), ...sold]
      const added = await Promise.all(mails.map(addMail))
      if (added.includes(true)) outbox.nudge()
    },

    /** E-mails the customer what the provider has given back. */
    async mailRefundEnded(ended: RefundEnded): Promise<void> {
      if (!ended.returned) return
      const customer = await findAddressee(ended.customer_id)
      if (customer && (await addMail(refundMail(ended, customer, writing)))) outbox.nudge()
    },

    /** E-mails the operator about a purchase that cannot continue without help. */
    async mailAttention(needed: AttentionNeeded): Promise<void> {
      if (await addMail(attentionMail(needed, operatorEmail))) outbox.nudge()
    },
  }
}

export type PurchaseMails = ReturnType<typeof createPurchaseMails>

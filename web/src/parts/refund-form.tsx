import { api, type Schemas } from '../api/client.ts'
import { Check, Field, fieldProblem } from './fields.tsx'
import { Form } from './form.tsx'
import { money } from './money.ts'
import { keyFor, keyUsed } from './request-key.ts'

/** Gives back what a seller's lines of a completed purchase cost, or a part of it. */
export function RefundForm({ sale, onDone }: { sale: Schemas['Sale']; onDone: () => void }) {
  const { purchase_id: id, amount, refunded_amount: refunded, currency_code: currency } = sale
  const left = amount - refunded
  return (
    <Form
      label="Give back"
      send={({ amount: wanted, reason = '', restock }) => {
        const body = { amount: Number(wanted), reason, restock: restock === 'on' }
        const header = { 'Idempotency-Key': keyFor({ refund: id, refunded, body }) }
        return api.POST('/payments/{id}/refunds', { params: { path: { id }, header }, body })
      }}
      onDone={() => {
        keyUsed()
        onDone()
      }}
    >
      {(problem) => (
        <>
          <Field
            label="Amount in minor units"
            hint={`${money(left, currency)} at most`}
            name="amount"
            type="number"
            required
            min={1}
            max={left}
            defaultValue={left}
            problem={fieldProblem(problem, 'amount')}
          />
          <Field
            label="Reason"
            name="reason"
            required
            maxLength={500}
            problem={fieldProblem(problem, 'reason')}
          />
          <Check label="Put all of it back into the stock" name="restock" />
        </>
      )}
    </Form>
  )
}

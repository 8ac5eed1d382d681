import { announce } from '../parts/announce.tsx'
import { Check, Field, fieldProblem } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import { keyFor, keyUsed } from '../parts/request-key.ts'
import { operate, type Schemas } from './client.ts'

/** Gives back what a completed purchase cost, of all its sellers, or a part of it. */
export function RefundForm({ paymentId, onDone }: { paymentId: string; onDone: () => void }) {
  return (
    <Form
      label="Give back"
      send={({ amount = '', reason = '', restock }) => {
        const body = {
          payment_id: paymentId,
          ...(amount && { amount: Number(amount) }),
          restock: restock === 'on',
          reason,
        }
        const headers = { 'idempotency-key': keyFor({ refund: body }) }
        return operate<Schemas['RefundRecord']>('POST', '/refunds', { body, headers })
      }}
      onDone={() => {
        keyUsed()
        announce('The refund is on its way')
        onDone()
      }}
    >
      {(problem) => (
        <>
          <Field
            label="Amount in minor units"
            hint="Without one, all that is left"
            name="amount"
            type="number"
            min={1}
            problem={fieldProblem(problem as never, 'amount')}
          />
          <Field
            label="Reason"
            name="reason"
            required
            maxLength={500}
            problem={fieldProblem(problem as never, 'reason')}
          />
          <Check label="Put all of it back into the stock" name="restock" />
        </>
      )}
    </Form>
  )
}

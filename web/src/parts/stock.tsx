import { api, type Schemas } from '../api/client.ts'
import { Failure } from './failure.tsx'
import { Field, fieldProblem } from './fields.tsx'
import { Form } from './form.tsx'
import type { Loaded } from './load.ts'
import { keyFor, keyUsed } from './request-key.ts'
import type { Section } from './section.ts'
import { Time } from './time.tsx'

export function Restock({ product, onDone }: Section) {
  const { id } = product
  return (
    <Form
      label="Restock"
      send={({ quantity }) => {
        const body = { quantity: Number(quantity) }
        const header = {
          'Idempotency-Key': keyFor({ restock: id, version: product.version, body }),
        }
        return api.POST('/products/{id}/restock', { params: { path: { id }, header }, body })
      }}
      onDone={({ quantity }) => {
        keyUsed()
        onDone(`${quantity} added.`)
      }}
    >
      {(problem) => (
        <Field
          label="How many come in"
          name="quantity"
          type="number"
          required
          min={1}
          defaultValue={10}
          problem={fieldProblem(problem, 'quantity')}
        />
      )}
    </Form>
  )
}

/** Takes stock out that is there in the books only: broken, lost, a present. */
export function AdjustStock({ product, onDone }: Section) {
  const { id } = product
  return (
    <Form
      label="Take out"
      send={({ quantity, reason = '' }) => {
        const body = { quantity: Number(quantity), reason }
        const header = {
          'Idempotency-Key': keyFor({ adjust: id, version: product.version, body }),
        }
        return api.POST('/products/{id}/adjustments', { params: { path: { id }, header }, body })
      }}
      onDone={({ quantity }) => {
        keyUsed()
        onDone(`${quantity} taken out.`)
      }}
    >
      {(problem) => (
        <>
          <Field
            label="How many go out"
            name="quantity"
            type="number"
            required
            min={1}
            defaultValue={1}
            problem={fieldProblem(problem, 'quantity')}
          />
          <Field
            label="Why"
            name="reason"
            required
            maxLength={500}
            problem={fieldProblem(problem, 'reason')}
          />
        </>
      )}
    </Form>
  )
}

/** What was taken out before, and why. */
export function Adjustments({
  found,
}: {
  found: Loaded<{ items: Schemas['StockAdjustment'][]; next_cursor: string | null }> & {
    reload: () => void
  }
}) {
  if (found.state === 'loading') return <p class="waiting">Loading what was taken out …</p>
  if (found.state === 'failed') return <Failure problem={found.problem} onRetry={found.reload} />
  const { items, next_cursor } = found.data
  if (items.length === 0) return null
  return (
    <>
      <h3 id="adjustments">Taken out before</h3>
      <ul class="records" aria-labelledby="adjustments">
        {items.map(({ id, quantity, reason, created_at }) => (
          <li key={id}>
            <span>{reason}</span>
            <span>{quantity} taken out</span>
            <Time at={created_at} />
          </li>
        ))}
      </ul>
      {next_cursor && <p class="muted">These are the last {items.length}.</p>}
    </>
  )
}

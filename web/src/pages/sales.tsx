import { useState } from 'preact/hooks'
import { purchaseStatuses } from '../../../shared/contracts/statuses.ts'
import { api, type QueryOf, type Schemas } from '../api/client.ts'
import { Failure } from '../parts/failure.tsx'
import { summary } from '../parts/lines.ts'
import { ListFilter } from '../parts/list-filter.tsx'
import { useLoad } from '../parts/load.ts'
import { money } from '../parts/money.ts'
import { Paged } from '../parts/paged.tsx'
import { RefundForm } from '../parts/refund-form.tsx'
import { SignedIn } from '../parts/signed-in.tsx'
import { Status } from '../parts/status.tsx'
import { Time } from '../parts/time.tsx'
import { Title } from '../parts/title.tsx'

type Sale = Schemas['Sale']
type Query = QueryOf<'/sales'>

/** What was given back of a sale, and how that went. */
function Refunds({ id }: { id: string }) {
  const loaded = useLoad(`refunds of ${id}`, (signal) =>
    api.GET('/payments/{id}/refunds', { params: { path: { id } }, signal }),
  )
  if (loaded.state === 'loading') return <p class="waiting">Loading the refunds …</p>
  if (loaded.state === 'failed') {
    return <Failure problem={loaded.problem} onRetry={loaded.reload} />
  }
  return (
    <ul class="records">
      {loaded.data.items.map((refund) => (
        <li key={refund.id}>
          <span>{refund.reason}</span>
          <span class="price">{money(refund.amount, refund.currency_code)}</span>
          <Status status={refund.status} />
          <Time at={refund.created_at} />
        </li>
      ))}
    </ul>
  )
}

function SoldLines({ sale, onRefund }: { sale: Sale; onRefund: () => void }) {
  const { delivery, purchase_id: id } = sale
  const left = sale.amount - sale.refunded_amount
  const [asked, setAsked] = useState(0)
  return (
    <>
      <ul>
        {sale.lines.map((line) => (
          <li key={line.product_id}>
            {line.quantity} × <a href={`/sell/${line.product_id}`}>{line.name}</a>
          </li>
        ))}
      </ul>
      {delivery && (
        <p>
          Deliver to {delivery.name}, {delivery.address}, {delivery.phone_number}
        </p>
      )}
      {(asked > 0 || sale.refunded_amount > 0) && <Refunds key={asked} id={id} />}
      {sale.status === 'COMPLETED' && left > 0 && (
        <RefundForm
          sale={sale}
          onDone={() => {
            setAsked((now) => now + 1)
            onRefund()
          }}
        />
      )}
    </>
  )
}

export function SalesPage() {
  const [said, setSaid] = useState('')
  return (
    <SignedIn>
      <Title text="What was sold" />
      <ListFilter states={purchaseStatuses} />
      <p role="status">{said}</p>
      <Paged
        name="sales"
        ask={(part, signal) => api.GET('/sales', { params: { query: part as Query }, signal })}
        empty={
          <p>
            Nobody has bought your products yet. <a href="/sell">My products</a>
          </p>
        }
      >
        {(items) => (
          <ul class="records">
            {items.map((sale) => (
              <li key={sale.purchase_id}>
                <details>
                  <summary>{summary(sale.lines)}</summary>
                  <SoldLines
                    sale={sale}
                    onRefund={() =>
                      setSaid('The refund is on its way. The buyer is told by e-mail.')
                    }
                  />
                </details>
                <span class="price">{money(sale.amount, sale.currency_code)}</span>
                {sale.refunded_amount > 0 && (
                  <span>{money(sale.refunded_amount, sale.currency_code)} given back</span>
                )}
                <Status status={sale.status} />
                <Time at={sale.created_at} />
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </SignedIn>
  )
}

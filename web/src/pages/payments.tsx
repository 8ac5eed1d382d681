import { paymentStatuses } from '../../../shared/contracts/statuses.ts'
import { api, type QueryOf } from '../api/client.ts'
import { ListFilter } from '../parts/list-filter.tsx'
import { money } from '../parts/money.ts'
import { Paged } from '../parts/paged.tsx'
import { methodName } from '../parts/payment-methods.ts'
import { SignedIn } from '../parts/signed-in.tsx'
import { Status } from '../parts/status.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { Time } from '../parts/time.tsx'
import { Title } from '../parts/title.tsx'

type Query = QueryOf<'/payments'>

export function PaymentsPage() {
  return (
    <SignedIn>
      <Title text="My payments">
        <Tabs />
      </Title>
      <ListFilter states={paymentStatuses} />
      <Paged
        name="payments"
        ask={(part, signal) => api.GET('/payments', { params: { query: part as Query }, signal })}
        empty={<p>There is no payment yet.</p>}
      >
        {(items) => (
          <ul class="records">
            {items.map((payment) => (
              <li key={payment.id}>
                <a href={`/purchases/${payment.id}`}>{methodName(payment.method)}</a>
                <span class="price">{money(payment.amount, payment.currency_code)}</span>
                <Status status={payment.status} />
                {payment.refunded_amount > 0 && (
                  <span>{money(payment.refunded_amount, payment.currency_code)} given back</span>
                )}
                <Time at={payment.created_at} />
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </SignedIn>
  )
}

import { orderStatuses } from '../../../shared/contracts/statuses.ts'
import { api, type QueryOf } from '../api/client.ts'
import { summary } from '../parts/lines.ts'
import { ListFilter } from '../parts/list-filter.tsx'
import { money } from '../parts/money.ts'
import { Paged } from '../parts/paged.tsx'
import { SignedIn } from '../parts/signed-in.tsx'
import { Status } from '../parts/status.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { Time } from '../parts/time.tsx'
import { Title } from '../parts/title.tsx'

type Query = QueryOf<'/orders'>

export function OrdersPage() {
  return (
    <SignedIn>
      <Title text="My orders">
        <Tabs />
      </Title>
      <ListFilter states={orderStatuses} />
      <Paged
        name="orders"
        ask={(part, signal) => api.GET('/orders', { params: { query: part as Query }, signal })}
        empty={<p>There is no order yet.</p>}
      >
        {(items) => (
          <ul class="records">
            {items.map((order) => (
              <li key={order.id}>
                <a href={`/purchases/${order.id}`}>{summary(order.lines)}</a>
                <span class="price">{money(order.amount, order.currency_code)}</span>
                <Status status={order.status} />
                <Time at={order.created_at} />
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </SignedIn>
  )
}

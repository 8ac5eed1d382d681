import { purchaseStatuses } from '../../../shared/contracts/statuses.ts'
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

type Query = QueryOf<'/purchases'>

export function PurchasesPage() {
  return (
    <SignedIn>
      <Title text="My purchases">
        <Tabs />
      </Title>
      <ListFilter states={purchaseStatuses} />
      <Paged
        name="purchases"
        ask={(part, signal) => api.GET('/purchases', { params: { query: part as Query }, signal })}
        empty={
          <p>
            You have bought nothing yet. <a href="/">Look at the products</a>
          </p>
        }
      >
        {(items) => (
          <ul class="records">
            {items.map((purchase) => (
              <li key={purchase.purchase_id}>
                <a href={`/purchases/${purchase.purchase_id}`}>{summary(purchase.lines)}</a>
                <span class="price">{money(purchase.amount, purchase.currency_code)}</span>
                <Status status={purchase.status} />
                <Time at={purchase.created_at} />
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </SignedIn>
  )
}

import { useState } from 'preact/hooks'
import { providerOutcomes } from '../../../shared/contracts/statuses.ts'
import { timeOf } from '../parts/days.ts'
import { useLoad } from '../parts/load.ts'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { DayFields, everyDay } from './days.tsx'
import { Listing } from './listing.tsx'
import { timeText } from './live.ts'

type ProviderEvent = Schemas['ProviderEvent']
type Outcome = ProviderEvent['outcome']
type List = { items: ProviderEvent[]; next_cursor: string | null }

const meanings: Record<Outcome, string> = {
  OUTSIDE: 'Made by other hands',
  KNOWN: 'Known to the shop',
  SETTLED: 'Told the shop of a capture',
}
const outcomes = providerOutcomes.toReversed()

/** What the payment provider reported. What other hands did there comes first: a person has to settle it. */
export function ProviderEventsPage() {
  const [outcome, setOutcome] = useState<Outcome>('OUTSIDE')
  const [days, setDays] = useState(everyDay)
  const [cursor, setCursor] = useState('')
  const query = { outcome, ...timeOf(days), ...(cursor && { cursor }) }
  const path = `/provider-events?${new URLSearchParams(query)}`
  const found = useLoad<List>(path, (signal) => operate<List>('GET', path, { signal }))
  return (
    <>
      <Title text="Provider events" />
      <p>
        What other hands did at the payment provider, a dispute or a refund in its dashboard for
        example, changes nothing in the shop: settle it by hand.
      </p>
      <div class="row">
        <div class="field">
          <label for="outcome">Show</label>
          <select
            id="outcome"
            value={outcome}
            onChange={(event) => {
              setCursor('')
              setOutcome(event.currentTarget.value as Outcome)
            }}
          >
            {outcomes.map((one) => (
              <option key={one} value={one}>
                {meanings[one]}
              </option>
            ))}
          </select>
        </div>
        <DayFields
          days={days}
          onChange={(chosen) => {
            setCursor('')
            setDays(chosen)
          }}
        />
      </div>
      <Listing
        found={found}
        columns={['Received', 'Type', 'Amount', 'Purchase', 'At the provider']}
        onNext={setCursor}
      >
        {(one) => (
          <tr key={one.id}>
            <td>{timeText(one.received_at)}</td>
            <td>{one.type}</td>
            <td>{one.amount}</td>
            <td>
              {one.payment_id ? (
                <a href={`/console/sagas/${one.payment_id}`}>{one.payment_id}</a>
              ) : (
                'none'
              )}
            </td>
            <td>{one.reference}</td>
          </tr>
        )}
      </Listing>
    </>
  )
}

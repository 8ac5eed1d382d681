import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { refundStatuses } from '../../../shared/contracts/statuses.ts'
import { announce } from '../parts/announce.tsx'
import { timeOf } from '../parts/days.ts'
import { Failure } from '../parts/failure.tsx'
import { Field } from '../parts/fields.tsx'
import { useLoad } from '../parts/load.ts'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { DayFields, everyDay } from './days.tsx'
import { Listing } from './listing.tsx'
import { timeText } from './live.ts'
import { NoteForm } from './note-form.tsx'

type RefundRecord = Schemas['RefundRecord']
type RefundSaga = Schemas['RefundSaga']

type List = { items: RefundRecord[]; next_cursor: string | null }
const states = ['', ...refundStatuses] as const

/** One refund with the steps of its saga; a stuck one is retried or resolved here. */
function Details({ id, onChange }: { id: string; onChange: () => void }) {
  const refund = useLoad<RefundRecord>(id, (signal) => operate('GET', `/refunds/${id}`, { signal }))
  const saga = useLoad<RefundSaga>(`saga ${id}`, (signal) =>
    operate('GET', `/refund-sagas/${id}`, { signal }),
  )
  if (refund.state === 'loading') return <p>One moment …</p>
  if (refund.state === 'failed')
    return <Failure problem={refund.problem as never} onRetry={refund.reload} />
  const stuck = saga.state === 'ready' && saga.data.steps.some(({ state }) => state === 'stuck')
  return (
    <section aria-labelledby="one">
      <h2 id="one">Refund {id}</h2>
      <pre>{JSON.stringify(refund.data, undefined, 2)}</pre>
      <h3>Saga</h3>
      {saga.state === 'failed' && <Failure problem={saga.problem as never} onRetry={saga.reload} />}
      {saga.state === 'ready' && (
        <>
          <p>{saga.data.status ?? saga.data.state}</p>
          <ol>
            {saga.data.steps.map(({ step, state }) => (
              <li key={step}>
                {step}: {state}
              </li>
            ))}
          </ol>
          {saga.data.pending.map((one) => (
            <p key={one.activity_id}>
              Waits for {one.activity_id}, attempt {one.attempt}
              {one.last_failure && `: ${one.last_failure}`}
            </p>
          ))}
        </>
      )}
      {stuck && (
        <NoteForm
          path={`/refund-sagas/${id}`}
          actions={[
            { value: 'retry', label: 'Retry' },
            { value: 'resolve', label: 'Resolve' },
          ]}
          onDone={(action) => {
            announce(`The refund was ${action === 'retry' ? 'retried' : 'resolved'}`)
            saga.reload()
            onChange()
          }}
        />
      )}
    </section>
  )
}

export function RefundsPage() {
  const [status, setStatus] = useState<(typeof states)[number]>('')
  // The page of a purchase links to its refunds.
  const { query: asked } = useLocation()
  const [payment, setPayment] = useState(asked.payment_id ?? '')
  const [days, setDays] = useState(everyDay)
  const [cursor, setCursor] = useState('')
  const [chosen, setChosen] = useState(asked.refund_id)
  const query = new URLSearchParams({
    ...(status && { status }),
    ...(payment && { payment_id: payment }),
    ...timeOf(days),
    ...(cursor && { cursor }),
  })
  const path = `/refunds?${query}`
  const found = useLoad<List>(path, (signal) => operate<List>('GET', path, { signal }))
  function search(event: SubmitEvent) {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    setCursor('')
    setStatus(String(data.get('status')) as (typeof states)[number])
    setPayment(String(data.get('payment')).trim())
  }
  return (
    <>
      <Title text="Refunds" />
      <form class="row" onSubmit={search}>
        <div class="field">
          <label for="status">Status</label>
          <select id="status" name="status">
            {states.map((one) => (
              <option key={one} value={one}>
                {one || 'any'}
              </option>
            ))}
          </select>
        </div>
        <Field label="Purchase" name="payment" defaultValue={payment} />
        <DayFields
          days={days}
          onChange={(chosen) => {
            setCursor('')
            setDays(chosen)
          }}
        />
        <button type="submit">Search</button>
      </form>
      <Listing
        found={found}
        columns={['Requested', 'Status', 'Amount', 'Purchase', 'Refund']}
        onNext={setCursor}
      >
        {(one) => (
          <tr key={one.id}>
            <td>{timeText(one.created_at)}</td>
            <td>{one.status}</td>
            <td>
              {one.amount} {one.currency_code}
            </td>
            <td>
              <a href={`/console/sagas/${one.payment_id}`}>{one.payment_id}</a>
            </td>
            <td>
              <button type="button" class="quiet" onClick={() => setChosen(one.id)}>
                Show {one.id}
              </button>
            </td>
          </tr>
        )}
      </Listing>
      {chosen && <Details key={chosen} id={chosen} onChange={found.reload} />}
    </>
  )
}

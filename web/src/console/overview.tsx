import { useEffect, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { announce } from '../parts/announce.tsx'
import { Failure } from '../parts/failure.tsx'
import { Field } from '../parts/fields.tsx'
import { useLoad } from '../parts/load.ts'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { ageText, streamText, timeText, useEvents } from './live.ts'

type Overview = Schemas['Overview']
type SagaSummary = Schemas['SagaSummary']

type List = { items: SagaSummary[]; next_cursor: string | null }
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function Figures({ values }: { values: Record<string, number | string> }) {
  return (
    <dl class="figures">
      {Object.entries(values).map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll('_', ' ')}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Attention({ items }: Pick<{ items: Overview['attention'] }, 'items'>) {
  if (items.length === 0) return <p>Nothing waits for an operator.</p>
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Waits for</th>
            <th scope="col">Purchase</th>
            <th scope="col">Why</th>
            <th scope="col">Status</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.purchase_id}>
              <td>{ageText(item.since)}</td>
              <td>
                <a href={`/console/sagas/${item.purchase_id}`}>{item.purchase_id}</a>
              </td>
              <td>{item.reason?.replaceAll('_', ' ') ?? 'not known'}</td>
              <td>{item.status}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const fields = ['status', 'step', 'reason', 'customer_id', 'started_from', 'started_to'] as const

function queryOf(form: HTMLFormElement): string {
  const data = new FormData(form)
  const pairs = fields.flatMap((name) => {
    const value = String(data.get(name) ?? '').trim()
    if (!value) return []
    return [[name, name.startsWith('started') ? new Date(value).toISOString() : value]]
  })
  return new URLSearchParams(pairs).toString()
}

function Search() {
  const { route } = useLocation()
  const [query, setQuery] = useState('')
  const [cursor, setCursor] = useState('')
  const asked = `/sagas?${query}${cursor && `&cursor=${cursor}`}`
  const found = useLoad<List>(asked, (signal) => operate<List>('GET', asked, { signal }))
  function search(event: SubmitEvent) {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const id = String(new FormData(form).get('purchase') ?? '').trim()
    if (uuid.test(id)) route(`/console/sagas/${id}`)
    else {
      setCursor('')
      setQuery(queryOf(form))
    }
  }
  return (
    <section aria-labelledby="search">
      <h2 id="search">Sagas</h2>
      <form onSubmit={search}>
        <div class="row">
          <Field label="Purchase" name="purchase" />
          <Field label="Customer" name="customer_id" />
          <div class="field">
            <label for="status">Status</label>
            <select id="status" name="status">
              <option value="">any</option>
              {[
                'PROCESSING',
                'NEEDS_ATTENTION',
                'COMPLETED',
                'REJECTED',
                'CANCELLED',
                'RESOLVED',
              ].map((status) => (
                <option key={status}>{status}</option>
              ))}
            </select>
          </div>
          <Field label="Failed step" name="step" />
          <Field label="Reason" name="reason" />
          <Field label="Started from" name="started_from" type={'datetime-local' as 'text'} />
          <Field label="Started before" name="started_to" type={'datetime-local' as 'text'} />
          <button type="submit">Search</button>
        </div>
      </form>
      {found.state === 'failed' && (
        <Failure problem={found.problem as never} onRetry={found.reload} />
      )}
      {found.state === 'ready' && (
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th scope="col">Started</th>
                <th scope="col">Purchase</th>
                <th scope="col">Status</th>
                <th scope="col">Failed step</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {found.data.items.map((saga) => (
                <tr key={saga.run_id}>
                  <td>{timeText(saga.started_at)}</td>
                  <td>
                    <a href={`/console/sagas/${saga.purchase_id}`}>{saga.purchase_id}</a>
                  </td>
                  <td>{saga.status ?? saga.state}</td>
                  <td>{saga.failed_step ?? '–'}</td>
                  <td>{saga.reason ?? '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {found.data.items.length === 0 && <p>No saga matches.</p>}
          {found.data.next_cursor && (
            <button type="button" onClick={() => setCursor(found.data.next_cursor ?? '')}>
              Next page
            </button>
          )}
        </div>
      )}
    </section>
  )
}

export function OverviewPage() {
  const { data, stream } = useEvents<Overview>('/console/overview/events', 'overview')
  const waiting = data?.open?.needs_attention
  useEffect(() => {
    if (waiting !== undefined) announce(`${waiting} purchases need attention`)
  }, [waiting])
  const { oldest_at: oldest, ...open } = data?.open ?? { oldest_at: null }
  return (
    <>
      <Title text="Overview">
        <span class="muted">{streamText[stream]}</span>
      </Title>
      {(data?.unavailable.length ?? 0) > 0 && (
        <p class="failure">Does not answer: {data?.unavailable.join(', ')}</p>
      )}
      {data && (
        <>
          <h2>Needs attention</h2>
          <Attention items={data.attention} />
          <div class="columns">
            <section>
              <h2>Open purchases</h2>
              <Figures values={{ ...open, oldest: oldest ? ageText(oldest) : '–' }} />
            </section>
            <section>
              <h2>Per minute, over the last five minutes</h2>
              <Figures values={data.per_minute ?? {}} />
            </section>
          </div>
        </>
      )}
      <Search />
    </>
  )
}
